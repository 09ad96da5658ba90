//! Acceptors that are made from a certificate, so that configuration and verifier can't part.

use rustls::pki_types::PrivateKeyDer;
use rustls::version::{TLS12, TLS13};
use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor, ServerCertError};

use crate::harness::{ServerPki, verifier, visit};
use crate::pki::{Authority, Identity};

fn from_der(chain: &Identity, key: &PrivateKeyDer<'static>) -> Result<ClientCertAcceptor, ServerCertError> {
    let verifier = verifier(ClientAuthPolicy::RequireAnyClientCert).build().unwrap();
    ClientCertAcceptor::from_der(chain.chain.clone(), key.clone_key(), verifier, |_| {})
}

#[tokio::test]
async fn a_certificate_in_memory_is_served_and_known() {
    let pki = ServerPki::new();
    let acceptor = from_der(&pki.server, &pki.server.key).unwrap();
    assert_eq!(acceptor.policy(), Some(ClientAuthPolicy::RequireAnyClientCert));
    assert_eq!(acceptor.server_cert().as_ref(), pki.server.chain.first());
    assert!(acceptor.server_cert_not_after().is_some());
    let alice = Identity::self_signed("alice");
    for version in [&TLS12, &TLS13] {
        let info = visit(&acceptor, &pki.client(Some(&alice), &[version])).await.unwrap();
        assert_eq!(info.peer_certificates().unwrap().presented(), alice.chain);
        visit(&acceptor, &pki.client(None, &[version])).await.unwrap_err();
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let (pki, other) = (ServerPki::new(), Authority::root("another CA").server(&["localhost"]));
    let error = from_der(&pki.server, &other.key).unwrap_err();
    assert!(matches!(error, ServerCertError::Unusable { .. }), "{error:?}");
    let nothing = Identity { chain: Vec::new(), key: pki.server.key.clone_key() };
    let error = from_der(&nothing, &pki.server.key).unwrap_err();
    assert!(
        error.to_string().starts_with("the server's certificate and private key can't be used: "),
        "{error}"
    );
}

#[tokio::test]
async fn both_versions_of_http_are_offered_unless_the_closure_says_otherwise() {
    let pki = ServerPki::new();
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    std::fs::write(&cert, pki.server.chain_pem()).unwrap();
    std::fs::write(&key, pki.server.key_pem()).unwrap();
    let verifier = verifier(ClientAuthPolicy::NoClientCert).build().unwrap();
    let (chain, key_der) = (pki.server.chain.clone(), pki.server.key.clone_key());
    let in_files = ClientCertAcceptor::from_files(&cert, &key, verifier.clone(), |_| {}).unwrap();
    let in_memory = ClientCertAcceptor::from_der(chain, key_der, verifier.clone(), |_| {}).unwrap();
    let only_http1 = ClientCertAcceptor::from_files(&cert, &key, verifier, |config| {
        config.alpn_protocols.retain(|protocol| protocol != b"h2");
    })
    .unwrap();

    for (acceptor, offered, chosen) in [
        (&in_files, &["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (&in_files, &["http/1.1", "h2"], Some(b"h2")),
        (&in_files, &["http/1.1"], Some(b"http/1.1")),
        (&in_files, &[], None),
        (&in_memory, &["http/1.1", "h2"], Some(b"h2")),
        (&only_http1, &["h2", "http/1.1"], Some(b"http/1.1")),
    ] {
        let mut client = pki.client(None, &[&TLS13]);
        client.alpn_protocols = offered.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        assert_eq!(visit(acceptor, &client).await.unwrap().alpn_protocol(), chosen, "{offered:?}");
    }
    // Who speaks neither is told so in the handshake.
    let mut client = pki.client(None, &[&TLS13]);
    client.alpn_protocols = vec![b"postgresql".to_vec()];
    visit(&in_files, &client).await.unwrap_err();
}
