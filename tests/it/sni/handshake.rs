//! The name that a handshake asks for chooses its policy.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use rustls::{AlertDescription, ClientConfig, ClientConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tower_client_cert::{AcceptError, ClientAuthPolicy, ClientCertAcceptor, ServerNameError};

use super::{Port, connect};
use crate::harness::{ServerPki, verifier};

use ClientAuthPolicy::{NoClientCert, RequestClientCert, RequireAndVerifyClientCert};

#[tokio::test]
async fn i13_the_name_asked_for_chooses_the_policy() {
    let port = Port::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for (name, policy) in [
        ("open.example", NoClientCert),
        ("OPEN.Example", NoClientCert),
        ("strict.example", RequireAndVerifyClientCert),
        ("STRICT.EXAMPLE", RequireAndVerifyClientCert),
        ("strict.example.", RequireAndVerifyClientCert),
        ("a.strict.example", RequireAndVerifyClientCert),
        ("A.Strict.example", RequireAndVerifyClientCert),
        ("127.0.0.1", RequestClientCert),
    ] {
        let client = tokio::spawn(connect(address, name, port.client("http/1.1")));
        let (tcp, _) = listener.accept().await.unwrap();
        let (_stream, info) = port.acceptor.accept(tcp).await.unwrap();
        assert_eq!(info.policy(), Some(policy), "{name}");
        assert_eq!(info.peer_certificates().is_some(), policy.requests(), "{name}");
        client.await.unwrap().unwrap();
    }
    assert_eq!(port.acceptor.policy(), None, "it depends");
}

#[tokio::test]
async fn a_name_that_is_not_served_is_refused_with_the_alert_for_it() {
    let port = Port::new();
    let open = verifier(NoClientCert).build().unwrap();
    let acceptor =
        ClientCertAcceptor::by_server_name().name("open.example", port.pki.acceptor(open)).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for (name, asked_for) in [("strict.example", Some("strict.example")), ("127.0.0.1", None)] {
        let client = tokio::spawn(connect(address, name, port.client("http/1.1")));
        let (tcp, _) = listener.accept().await.unwrap();
        match acceptor.accept(tcp).await {
            Err(AcceptError::UnknownServerName { name }) => assert_eq!(name.as_deref(), asked_for),
            other => panic!("{other:?}"),
        }
        let error = client.await.unwrap().unwrap_err();
        let error = error.get_ref().and_then(|error| error.downcast_ref()).cloned();
        assert_eq!(error, Some(rustls::Error::AlertReceived(AlertDescription::UnrecognisedName)));
    }
}

#[test]
fn names_that_can_not_be_served_are_errors() {
    let pki = ServerPki::new();
    let plain = || pki.acceptor(verifier(NoClientCert).build().unwrap());
    let start = ClientCertAcceptor::by_server_name;
    let error = |error: Result<ClientCertAcceptor, _>| error.unwrap_err();

    assert_eq!(error(start().build()), ServerNameError::Empty);
    let twice = start().name("*.Example", plain()).name("*.example.", plain()).build();
    assert_eq!(error(twice), ServerNameError::Duplicate { name: "*.example.".into() });
    for wrong in ["", "*", "*.", "127.0.0.1", "[::1]", "a.example:443", "a.*.example", "ä.example"] {
        let malformed = start().name(wrong, plain()).build();
        assert_eq!(error(malformed), ServerNameError::Malformed { name: wrong.into() });
    }
    let chooser = start().name("a.example", plain()).fallback(plain()).build().unwrap();
    assert_eq!(
        error(start().name("b.example", chooser).build()),
        ServerNameError::NotPlain { name: "b.example".into() }
    );
}

/// A client's handshake in which the first message is cut into records of these lengths (the last is the rest).
fn shake_hands_in_pieces(address: SocketAddr, config: ClientConfig, pieces: &[usize]) -> std::io::Result<()> {
    const HEADER: usize = 5;
    let name = ServerName::try_from("strict.example").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut record = Vec::new();
    connection.write_tls(&mut record)?;
    let (header, mut hello) = record.split_at(HEADER);
    let mut records = Vec::new();
    for piece in pieces.iter().copied().chain([usize::MAX]) {
        let (piece, rest) = hello.split_at(piece.min(hello.len()));
        if !piece.is_empty() {
            records.extend(&header[..3]);
            records.extend(u16::try_from(piece.len()).unwrap().to_be_bytes());
            records.extend(piece);
        }
        hello = rest;
    }
    let mut tcp = std::net::TcpStream::connect(address)?;
    tcp.write_all(&records)?;
    connection.complete_io(&mut tcp)?;
    // Under TLS 1.3 the server's verdict comes after the handshake.
    connection.writer().write_all(b"ping")?;
    let mut stream = rustls::Stream::new(&mut connection, &mut tcp);
    stream.flush()?;
    stream.read_exact(&mut [0; 4])
}

#[tokio::test]
async fn i13_a_hello_in_pieces_gets_the_same_policy() {
    let port = Port::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = port.client("http/1.1");
    let length = {
        let name = ServerName::try_from("strict.example").unwrap();
        let mut hello = Vec::new();
        ClientConnection::new(Arc::new(config.clone()), name).unwrap().write_tls(&mut hello).unwrap()
    };
    let two_records = (1..length - 5).map(|first| vec![first]);
    for pieces in two_records.chain([vec![1; length], vec![4, 1, 1, 40, 1]]) {
        let (config, sent) = (config.clone(), pieces.clone());
        let client = tokio::task::spawn_blocking(move || shake_hands_in_pieces(address, config, &sent));
        let (tcp, _) = listener.accept().await.unwrap();
        match port.acceptor.accept(tcp).await {
            Ok((mut stream, info)) => {
                assert_eq!(info.policy(), Some(RequireAndVerifyClientCert), "{pieces:?}");
                assert!(info.peer_certificates().unwrap().is_verified());
                stream.write_all(b"pong").await.unwrap();
                client.await.unwrap().unwrap();
            }
            Err(error) => panic!("{pieces:?}: {error}"),
        }
    }
}

/// Reads a hello late, and then nothing.
#[tokio::test(start_paused = true)]
async fn i6_both_halves_of_a_handshake_share_one_deadline() {
    let port = Port::new();
    let acceptor = port.acceptor.handshake_timeout(Duration::from_secs(10));
    let (server, mut client) = tokio::io::duplex(16 * 1024);
    let name = ServerName::try_from("strict.example").unwrap();
    let config = port.pki.client(None, &[&TLS13]);
    let mut hello = Vec::new();
    ClientConnection::new(Arc::new(config), name).unwrap().write_tls(&mut hello).unwrap();

    let begun = tokio::time::Instant::now();
    let handshake = tokio::spawn(async move { acceptor.accept(server).await });
    tokio::time::sleep(Duration::from_secs(9)).await;
    client.write_all(&hello).await.unwrap();
    let answer = client.read_u8().await.unwrap();
    assert_eq!(answer, 22, "the second half has begun");
    match handshake.await.unwrap() {
        Err(AcceptError::Timeout { after }) => assert_eq!(begun.elapsed().as_secs(), after.as_secs()),
        other => panic!("{other:?}"),
    }
}
