//! What is kept to be resumed, and what is not used although it was kept.

use std::sync::Arc;

use rustls::version::TLS13;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tower_client_cert::{AcceptError, ClientAuthPolicy, ClientCertAcceptor};

use super::{World, modes, welcome};
use crate::harness::{connect, visit};
use crate::pki::unknown_extension;

use ClientAuthPolicy::{RequestClientCert, RequireAndVerifyClientCert};

/// Sessions that a plain rustls server left in shared storage are of no use here.
#[tokio::test]
async fn i3_a_session_that_is_not_bound_is_not_resumed() {
    let world = World::new();
    let alice = world.ca.client("alice");
    for mode in modes() {
        let verifier = world.verifier(RequireAndVerifyClientCert);
        let mut plain = world.pki.config(&verifier);
        mode.sessions.used_in(&mut plain);
        let client = world.client(Some(&alice), &mode);

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = client.clone();
        let visitor = tokio::spawn(async move {
            let mut stream = connect(address, &config).await.unwrap();
            stream.write_all(b"ping").await.unwrap();
            stream.read_exact(&mut [0; 4]).await.unwrap();
        });
        let (tcp, _) = listener.accept().await.unwrap();
        let mut stream = tokio_rustls::TlsAcceptor::from(Arc::new(plain)).accept(tcp).await.unwrap();
        stream.read_exact(&mut [0; 4]).await.unwrap();
        stream.write_all(b"pong").await.unwrap();
        visitor.await.unwrap();

        let acceptor = world.acceptor(&verifier, &mode.sessions);
        assert!(!welcome(&acceptor, &client).await.resumed(), "{}", mode.name);
        assert!(welcome(&acceptor, &client).await.resumed(), "{}", mode.name);
    }
}

/// A configuration that was not made with the acceptor's verifier leaves no sessions to resume either.
#[tokio::test]
async fn i4_a_foreign_configuration_leaves_no_session() {
    let world = World::new();
    let alice = world.ca.client("alice");
    let (ours, foreign) = (world.verifier(RequestClientCert), world.verifier(RequestClientCert));
    for mode in modes() {
        let mut config = world.pki.config(&foreign);
        mode.sessions.used_in(&mut config);
        let confused = ClientCertAcceptor::new(config, Arc::clone(&ours));
        let client = world.client(Some(&alice), &mode);
        let error = visit(&confused, &client).await.unwrap_err();
        assert!(matches!(error, AcceptError::ForeignConfig { .. }), "{error}");
        let sound = world.acceptor(&ours, &mode.sessions);
        assert!(!welcome(&sound, &client).await.resumed(), "{}", mode.name);
        // Nor does it make use of one.
        let error = visit(&confused, &client).await.unwrap_err();
        assert!(matches!(error, AcceptError::ForeignConfig { .. }), "{}: {error}", mode.name);
    }
}

#[tokio::test]
async fn i6_a_session_with_a_huge_chain_is_not_kept() {
    let world = World::new();
    let huge = |params: &mut rcgen::CertificateParams| {
        params.custom_extensions = vec![unknown_extension(false, 20_000)];
    };
    let alice = world.ca.issue("alice", huge);
    for mode in modes() {
        let acceptor = world.acceptor(&world.verifier(RequireAndVerifyClientCert), &mode.sessions);
        let client = world.client(Some(&alice), &mode);
        for _ in 0..2 {
            assert!(!welcome(&acceptor, &client).await.resumed(), "{}", mode.name);
        }
    }
}

#[tokio::test]
async fn i5_there_is_no_early_data_where_a_certificate_is_asked_for() {
    let world = World::new();
    let alice = world.ca.client("alice");
    let verifier = world.verifier(RequestClientCert);
    let mut config = world.pki.config(&verifier);
    config.max_early_data_size = 1024;
    let acceptor = ClientCertAcceptor::new(config, verifier);
    let mut client = world.pki.client(Some(&alice), &[&TLS13]);
    client.enable_early_data = true;
    welcome(&acceptor, &client).await;

    let server = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut connection = rustls::ClientConnection::new(Arc::new(client.clone()), server).unwrap();
    assert!(connection.early_data().is_none(), "the ticket allows early data");
    assert!(welcome(&acceptor, &client).await.resumed());
}
