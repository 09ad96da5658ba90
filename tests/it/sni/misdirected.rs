//! A request for a host with another policy than its connection's is misdirected, whatever server it comes in by.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::version::TLS13;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_client_cert::{ClientAuthPolicy, RefuseMisdirectedLayer, TlsConnectInfo};

use super::{Port, connect};
use crate::harness::{Server, ServerPki, verifier};

use ClientAuthPolicy::NoClientCert;

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
    #[cfg(feature = "axum-server")]
    let in_axum_server = {
        let handle = axum_server::Handle::new();
        let server = axum_server::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .handle(handle.clone())
            .acceptor(port.acceptor.clone())
            .serve(app().into_make_service());
        tokio::spawn(server);
        handle.listening().await.unwrap()
    };
    for (server, address) in [
        ("hyper by hand", address),
        #[cfg(feature = "axum-server")]
        ("axum-server", in_axum_server),
    ] {
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
