//! The listener under `axum::serve`, and what handlers see.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::get as route;
use axum::serve::ListenerExt as _;
use http::{Request, StatusCode};
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tower::ServiceExt as _;
use tower_client_cert::{
    ClientAuthPolicy, ClientCertAcceptor, PeerCertificates, TlsConnectInfo, TlsListener, make_service,
};

use crate::harness::{HttpClient, Server, ServerPki, connect, get, read, verifier};
use crate::log::Log;
use crate::pki::{Authority, Identity};

fn acceptor(pki: &ServerPki, policy: ClientAuthPolicy) -> ClientCertAcceptor {
    pki.acceptor(verifier(policy).build().unwrap())
}

fn app() -> Router {
    Router::new()
        .route(
            "/tls",
            route(|tls: TlsConnectInfo| async move {
                format!("{:?} {:?} {:?}", tls.protocol_version(), tls.alpn_protocol(), tls.server_name())
            }),
        )
        .route("/required", route(|peer: PeerCertificates| async move { peer.presented().len().to_string() }))
        .route("/optional", route(|peer: Option<PeerCertificates>| async move { peer.is_some().to_string() }))
        .route(
            "/address",
            route(|ConnectInfo(address): ConnectInfo<SocketAddr>| async move { address.to_string() }),
        )
}

#[tokio::test]
async fn handlers_see_the_connection_its_certificate_and_its_address() {
    let pki = ServerPki::new();
    let server = Server::start(acceptor(&pki, ClientAuthPolicy::RequestClientCert), app()).await;
    let alice = Identity::self_signed("alice");
    for (http2, version) in [(false, &TLS12), (true, &TLS12), (false, &TLS13), (true, &TLS13)] {
        let with = HttpClient::new(pki.client(Some(&alice), &[version]), http2);
        let without = HttpClient::new(pki.client(None, &[version]), http2);
        let ask =
            async |client: &HttpClient, path| client.send(server.address, get(server.address, path)).await;

        let alpn: &[u8] = if http2 { b"h2" } else { b"http/1.1" };
        let tls = ask(&with, "/tls").await.into_body();
        let digits = version.version == rustls::ProtocolVersion::TLSv1_2;
        let version = if digits { "Tls12" } else { "Tls13" };
        assert_eq!(tls, format!("Some({version}) {:?} {:?}", Some(alpn), Some("localhost")));

        assert_eq!(ask(&with, "/required").await.body(), "1");
        assert_eq!(ask(&with, "/optional").await.body(), "true");
        assert_eq!(ask(&without, "/optional").await.body(), "false");
        let missing = ask(&without, "/required").await;
        assert_eq!(missing.status(), StatusCode::UNAUTHORIZED);
        assert!(missing.body().contains("none was presented"), "{missing:?}");
        assert!(ask(&with, "/address").await.body().starts_with("127.0.0.1:"));
    }
}

#[tokio::test]
async fn a_server_that_never_asks_says_so_instead_of_blaming_the_client() {
    let pki = ServerPki::new();
    let server = Server::start(acceptor(&pki, ClientAuthPolicy::NoClientCert), app()).await;
    let client = HttpClient::new(pki.client(Some(&Identity::self_signed("alice")), &[&TLS13]), false);
    let log = Log::with_filter("tower_client_cert=debug");
    let response = client.send(server.address, get(server.address, "/required")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.body(), "");
    assert!(
        log.text().contains("NoClientCert") && log.text().contains("RequestClientCert"),
        "{}",
        log.text()
    );
}

#[tokio::test]
async fn a_missing_acceptor_is_told_from_a_missing_certificate() {
    for path in ["/tls", "/required", "/optional"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let log = Log::with_filter("tower_client_cert=debug");
        let response = app().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert!(read(response).await.body().is_empty());
        assert!(log.text().contains("tower_client_cert::make_service(app)"), "{path}: {}", log.text());
    }
}

#[tokio::test]
async fn i6_mute_and_half_open_clients_delay_no_healthy_one() {
    let pki = ServerPki::new();
    let server = Server::start(acceptor(&pki, ClientAuthPolicy::RequestClientCert), app()).await;
    let mut mute = Vec::new();
    for i in 0..500 {
        let mut tcp = TcpStream::connect(server.address).await.unwrap();
        if i % 2 == 0 {
            // The beginning of a ClientHello.
            tcp.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await.unwrap();
        }
        mute.push(tcp);
    }
    let client = HttpClient::new(pki.client(Some(&Identity::self_signed("alice")), &[&TLS13]), true);
    let response = client.send(server.address, get(server.address, "/required")).await;
    assert_eq!(response.body(), "1");
    // None of them has been served, or given up on: they were waiting all along.
    for tcp in &mute {
        assert_eq!(tcp.try_read(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[tokio::test]
async fn i6_a_handshake_has_a_deadline() {
    let pki = ServerPki::new();
    let acceptor = acceptor(&pki, ClientAuthPolicy::RequestClientCert).handshake_timeout(Duration::ZERO);
    let (_client, server) = tokio::io::duplex(1_024);
    let error = acceptor.accept(server).await.unwrap_err();
    assert_eq!(error.to_string(), "TLS handshake not finished after 0ns");
}

#[tokio::test]
async fn i6_beyond_the_bound_the_oldest_handshake_gives_way() {
    let pki = ServerPki::new();
    // So long a deadline that it is not what ends them.
    let hour = Duration::from_secs(3_600);
    let acceptor = acceptor(&pki, ClientAuthPolicy::RequestClientCert).handshake_timeout(hour);
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let listener = TlsListener::new(tcp, acceptor).max_handshakes(2);
    tokio::spawn(async move { axum::serve(listener, make_service(app())).await });

    let mut oldest = TcpStream::connect(address).await.unwrap();
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(TcpStream::connect(address).await.unwrap());
    }
    let closed = tokio::time::timeout(Duration::from_secs(60), oldest.read(&mut [0; 1])).await;
    assert_eq!(closed.expect("cut").unwrap(), 0);
    let client = HttpClient::new(pki.client(None, &[&TLS13]), false);
    assert_eq!(client.send(address, get(address, "/optional")).await.body(), "false");
}

#[tokio::test]
async fn a_failed_handshake_leaves_the_listener_as_it_was() {
    let pki = ServerPki::new();
    let ca = Authority::root("ca");
    let verifier = verifier(ClientAuthPolicy::RequireAndVerifyClientCert).roots([ca.der()]).build().unwrap();
    let server = Server::start(pki.acceptor(verifier), app()).await;
    for _ in 0..20 {
        let mut garbage = TcpStream::connect(server.address).await.unwrap();
        garbage.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ = garbage.read_to_end(&mut answer).await;
    }
    let alice = ca.client("alice");
    let client = HttpClient::new(pki.client(Some(&alice), &[&TLS13]), false);
    assert_eq!(client.send(server.address, get(server.address, "/required")).await.body(), "1");
}

#[tokio::test]
async fn tap_io_composes_and_reaches_the_socket() {
    let pki = ServerPki::new();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let (tapped, mut taps) = mpsc::unbounded_channel();
    let listener =
        TlsListener::new(tcp, acceptor(&pki, ClientAuthPolicy::RequestClientCert)).tap_io(move |tls| {
            let captured = tls.get_ref().0;
            captured.get_ref().set_nodelay(true).unwrap();
            tapped.send(captured.tls_connect_info().unwrap().peer_certificates().is_some()).unwrap();
        });
    tokio::spawn(async move { axum::serve(listener, make_service(app())).await });
    let client = HttpClient::new(pki.client(Some(&Identity::self_signed("alice")), &[&TLS13]), false);
    assert_eq!(client.send(address, get(address, "/required")).await.body(), "1");
    assert!(client.send(address, get(address, "/address")).await.body().starts_with("127.0.0.1:"));
    assert_eq!(taps.recv().await, Some(true));
}

#[tokio::test]
async fn graceful_shutdown_finishes_requests_and_cuts_handshakes() {
    let pki = ServerPki::new();
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let (release, released) = oneshot::channel::<()>();
    let released = std::sync::Arc::new(tokio::sync::Mutex::new(Some(released)));
    let app = Router::new().route(
        "/slow",
        route(move || {
            let (arrived, released) = (arrived.clone(), released.clone());
            async move {
                arrived.send(()).unwrap();
                let released = released.lock().await.take().unwrap();
                released.await.unwrap();
                "finished"
            }
        }),
    );
    let server = Server::start(acceptor(&pki, ClientAuthPolicy::RequestClientCert), app).await;
    let address = server.address;
    let mut half_open = TcpStream::connect(address).await.unwrap();
    half_open.write_all(&[0x16]).await.unwrap();

    let mut config = pki.client(None, &[&TLS13]);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let client = tokio::spawn(async move {
        let mut stream = connect(address, &config).await.unwrap();
        stream.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    });
    arrivals.recv().await.unwrap();

    let stopped = tokio::spawn(server.shut_down());
    assert_eq!(half_open.read(&mut [0; 1]).await.unwrap_or(0), 0, "the half-done handshake is cut");
    assert!(!stopped.is_finished(), "a request is in flight");
    release.send(()).unwrap();
    assert!(client.await.unwrap().ends_with("finished"));
    stopped.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
