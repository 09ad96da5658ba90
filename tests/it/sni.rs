//! Many policies on one port: which one a handshake gets, and what requests its connection is good for.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, ClientConfig, ClientConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_client_cert::{
    AcceptError, ClientAuthPolicy, ClientCertAcceptor, RefuseMisdirectedLayer, ServerNameError,
    TlsConnectInfo,
};

use crate::harness::{Server, ServerPki, verifier};
use crate::pki::{Authority, Identity};

use ClientAuthPolicy::{NoClientCert, RequestClientCert, RequireAndVerifyClientCert};

/// One port: `open.example` and `alias.example` ask for nothing, `strict.example` and `*.strict.example` want a
/// verified certificate, and whoever asks for anything else may present one.
struct Port {
    pki: ServerPki,
    alice: Identity,
    acceptor: ClientCertAcceptor,
}

impl Port {
    fn new() -> Self {
        let ca = Authority::root("client CA");
        let names = ["open.example", "alias.example", "strict.example", "*.strict.example", "127.0.0.1"];
        let server_ca = Authority::root("server CA");
        let pki = ServerPki { server: server_ca.server(&names), ca: server_ca };

        let open = || verifier(NoClientCert).build().unwrap();
        let strict = verifier(RequireAndVerifyClientCert).roots([ca.der()]).build().unwrap();
        let acceptor = ClientCertAcceptor::by_server_name()
            .name("open.example", pki.acceptor(open()))
            .name("alias.example", pki.acceptor(open()))
            .name("strict.example", pki.acceptor(Arc::clone(&strict)))
            .name("*.strict.example", pki.acceptor(strict))
            .fallback(pki.acceptor(verifier(RequestClientCert).build().unwrap()))
            .build()
            .unwrap();
        Self { pki, alice: ca.client("alice"), acceptor }
    }

    fn client(&self, alpn: &str) -> ClientConfig {
        let mut config = self.pki.client(Some(&self.alice), &[&TLS12, &TLS13]);
        config.alpn_protocols = vec![alpn.into()];
        config
    }
}

/// Connects and asks for a name; for an IP address, for none.
async fn connect(
    address: SocketAddr,
    name: &str,
    config: ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}

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

async fn echo_policy(info: TlsConnectInfo) -> String {
    info.policy().unwrap().to_string()
}

fn app() -> Router {
    Router::new().fallback(any(echo_policy))
}

/// Sends bytes, and reads the status of the answer.
async fn status(address: SocketAddr, config: ClientConfig, name: &str, request: &str) -> u16 {
    let mut stream = connect(address, name, config).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut line = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut line).await.unwrap();
    std::str::from_utf8(&line).unwrap()["HTTP/1.1 ".len()..].parse().unwrap()
}

#[tokio::test]
async fn i13_a_request_for_a_host_with_another_policy_is_misdirected() {
    let port = Port::new();
    let server = Server::start(port.acceptor.clone(), app()).await;
    let host = |host: &str| format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n");
    let absolute = |target: &str, host: &str| format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n");
    for (name, request, expected) in [
        // What the policy was chosen for, however it is spelt; and other names with the very same policy.
        ("open.example", host("open.example"), 200),
        ("open.example", host("OPEN.example.:8443"), 200),
        ("open.example", host("alias.example"), 200),
        ("strict.example", host("strict.example"), 200),
        ("strict.example", host("a.strict.example:443"), 200),
        ("a.strict.example", host("strict.example."), 200),
        ("127.0.0.1", host("127.0.0.1:8443"), 200),
        ("127.0.0.1", host("[::1]:8443"), 200),
        ("127.0.0.1", host("unknown.example"), 200),
        ("open.example", absolute("https://open.example/", "open.example"), 200),
        // Any other.
        ("open.example", host("strict.example"), 421),
        ("open.example", host("STRICT.EXAMPLE"), 421),
        ("open.example", host("strict.example."), 421),
        ("open.example", host("Strict.Example.:443"), 421),
        ("open.example", host("a.strict.example"), 421),
        ("open.example", host("unknown.example"), 421),
        ("open.example", host("a.b.strict.example"), 421),
        ("open.example", host("127.0.0.1"), 421),
        ("open.example", host("[::1]"), 421),
        ("open.example", absolute("https://strict.example/", "open.example"), 421),
        ("open.example", absolute("http://open.example/", "strict.example"), 421),
        ("open.example", "CONNECT strict.example:443 HTTP/1.1\r\nhost: open.example\r\n\r\n".into(), 421),
        ("open.example", "OPTIONS * HTTP/1.1\r\nhost: strict.example\r\n\r\n".into(), 421),
        ("127.0.0.1", host("strict.example"), 421),
        ("127.0.0.1", host("open.example"), 421),
        ("strict.example", host("open.example"), 421),
        ("strict.example", host("127.0.0.1"), 421),
        // What names no host, or more than one.
        ("open.example", "GET / HTTP/1.1\r\n\r\n".into(), 400),
        ("open.example", "GET / HTTP/1.0\r\n\r\n".into(), 400),
        ("open.example", host(""), 400),
        ("open.example", host("open.example, strict.example"), 400),
        ("open.example", host("user@open.example"), 400),
        ("open.example", host("open.example.."), 400),
        ("open.example", host("strict%2Eexample"), 400),
        ("open.example", host("open.example\r\nhost: open.example"), 400),
        ("open.example", host("open.example\r\nHOST: strict.example"), 400),
        ("open.example", absolute("https://open.example@strict.example/", "open.example"), 400),
    ] {
        let got = status(server.address, port.client("http/1.1"), name, &request).await;
        // HTTP/1.0 is answered in HTTP/1.0, of which the status has the same place.
        assert_eq!(got, expected, "asked for {name}: {request:?}");
    }
}

#[tokio::test]
async fn i13_coalesced_requests_over_http2_are_misdirected_one_by_one() {
    let port = Port::new();
    let server = Server::start(port.acceptor.clone(), app()).await;
    let stream = connect(server.address, "open.example", port.client("h2")).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for (authority, host, expected) in [
        ("open.example", None, 200),
        ("strict.example", None, 421),
        ("STRICT.example.:443", None, 421),
        ("strict.example", Some("open.example"), 421),
        ("open.example", Some("strict.example"), 421),
        ("alias.example", None, 200),
        ("open.example", Some("alias.example"), 200),
    ] {
        let mut request = Request::get(format!("https://{authority}/")).version(Version::HTTP_2);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let response = sender.send_request(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{authority}, {host:?}");
    }
}

#[tokio::test]
async fn curl_is_told_that_its_request_is_misdirected() {
    let port = Port::new();
    let server = Server::start(port.acceptor.clone(), app()).await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, port.pki.ca.pem()).unwrap();
    for version in ["--http1.1", "--http2"] {
        for (host, expected) in
            [("open.example", "200"), ("alias.example", "200"), ("strict.example.:443", "421")]
        {
            let output = tokio::process::Command::new("curl")
                .args(["--silent", "--show-error", "--max-time", "30", version, "--cacert"])
                .arg(&ca)
                .args(["--resolve", &format!("open.example:{}:127.0.0.1", server.address.port())])
                .args(["--header", &format!("Host: {host}"), "--output", "/dev/null"])
                .args(["--write-out", "%{http_code}"])
                .arg(format!("https://open.example:{}/", server.address.port()))
                .output()
                .await
                .unwrap();
            let status = String::from_utf8(output.stdout).unwrap();
            assert_eq!(status, expected, "{version} {host}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[tokio::test]
async fn with_one_policy_every_host_is_passed_on() {
    let pki = ServerPki::new();
    let server = Server::start(pki.acceptor(verifier(NoClientCert).build().unwrap()), app()).await;
    for request in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nhost: any.example\r\n\r\n"] {
        let config = pki.client(None, &[&TLS13]);
        assert_eq!(status(server.address, config, "localhost", request).await, 200, "{request:?}");
    }
}

#[tokio::test]
async fn i13_a_request_of_which_nothing_is_known_is_refused() {
    let service = || {
        RefuseMisdirectedLayer::new()
            .layer(service_fn(|_| async { Ok::<_, std::convert::Infallible>(Response::new(String::new())) }))
    };
    let request = || Request::get("https://open.example/").body(()).unwrap();
    let response = service().oneshot(request()).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "plaintext");

    let elsewhere = TlsConnectInfo::new(None).with_policy(NoClientCert).with_server_name("open.example");
    let response = elsewhere.layer(service()).oneshot(request()).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "another TLS stack");
}

/// Wherever requests come in, there is the same door.
#[tokio::test]
async fn i13_a_misdirected_request_is_refused_by_every_server() {
    let port = Port::new();
    let by_hand = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = by_hand.local_addr().unwrap();
    let acceptor = port.acceptor.clone();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = by_hand.accept().await.unwrap();
            let (stream, info) = acceptor.accept(tcp).await.unwrap();
            let service = hyper_util::service::TowerToHyperService::new(info.layer(app()));
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    let mut servers = vec![("hyper by hand", address)];
    #[cfg(feature = "axum-server")]
    {
        let handle = axum_server::Handle::new();
        let server = axum_server::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .handle(handle.clone())
            .acceptor(port.acceptor.clone())
            .serve(app().into_make_service());
        tokio::spawn(server);
        servers.push(("axum-server", handle.listening().await.unwrap()));
    }
    for (server, address) in servers {
        for (host, expected) in
            [("open.example", 200), ("alias.example", 200), ("strict.example", 421), ("", 400)]
        {
            let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n");
            let got = status(address, port.client("http/1.1"), "open.example", &request).await;
            assert_eq!(got, expected, "{server}: {host}");
        }
    }
}

/// tonic's own server has no door, so that one policy's connection would do for all hosts.
#[cfg(feature = "tonic")]
#[tokio::test]
async fn i13_several_policies_under_tonics_own_server_are_a_warning() {
    use axum::serve::Listener as _;
    use tonic::transport::server::Connected as _;

    let port = Port::new();
    let one = port.pki.acceptor(verifier(NoClientCert).build().unwrap());
    for (acceptor, warned) in [(one, false), (port.acceptor.clone(), true)] {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut listener = tower_client_cert::TlsListener::new(tcp, acceptor);
        let address = listener.local_addr().unwrap();
        let client = tokio::spawn(connect(address, "open.example", port.client("h2")));
        let (stream, _) = listener.accept().await;
        let log = crate::log::Log::start();
        let _ = stream.get_ref().0.connect_info();
        let _ = stream.get_ref().0.connect_info();
        let text = log.text();
        assert_eq!(text.matches("make_service(Routes::new").count(), usize::from(warned), "{text}");
        client.await.unwrap().unwrap();
    }
}
