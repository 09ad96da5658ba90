//! Bodies, WebSockets, and backends and clients that do not do their part.

use http::StatusCode;
use rustls::ALL_VERSIONS;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{Backend, EdgeProxy};
use crate::harness::{connect, get};

/// Reads until `end` has come.
async fn read_until(io: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let byte = io.read_u8().await.unwrap_or_else(|error| panic!("{error} after {text}"));
        text.push(byte.into());
    }
    text
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &[]).await;
    let config = proxy.files.server.client(None, ALL_VERSIONS);
    let mut tls = connect(proxy.address, &config).await.unwrap();
    let head = "POST /stream HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    tls.write_all(head.as_bytes()).await.unwrap();
    for piece in ["first", "other"] {
        // Each comes back before the next is sent.
        tls.write_all(format!("5\r\n{piece}\r\n").as_bytes()).await.unwrap();
        read_until(&mut tls, &format!("5\r\n{piece}\r\n")).await;
    }
    tls.write_all(b"0\r\n\r\n").await.unwrap();
    read_until(&mut tls, "0\r\n\r\n").await;

    // The connection is good for another request.
    let body = "x".repeat(100_000);
    let head = format!("POST /stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    let (mut reader, mut writer) = tokio::io::split(tls);
    let send = async {
        writer.write_all(head.as_bytes()).await.unwrap();
        writer.write_all(body.as_bytes()).await.unwrap();
    };
    let receive = async {
        let head = read_until(&mut reader, "\r\n\r\n").await;
        assert!(
            head.contains("content-length: 100000") || head.contains("transfer-encoding: chunked"),
            "{head}"
        );
        read_until(&mut reader, "xxx").await;
    };
    tokio::join!(send, receive);
}

#[tokio::test]
async fn an_answer_to_head_keeps_its_length() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &[]).await;
    let answer = proxy.raw(None, "HEAD /hop HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.contains("x-kept: 1\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_backend_that_is_down_is_a_bad_gateway() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let proxy = EdgeProxy::start(nobody, &[]).await;
    for http2 in [false, true] {
        let response = proxy.client(None, http2).send(proxy.address, get(proxy.address, "/")).await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    }
}

#[tokio::test]
async fn a_backend_that_talks_nonsense_is_a_bad_gateway() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = EdgeProxy::start(listener.local_addr().unwrap(), &[]).await;
    for nonsense in
        ["SSH-2.0-nonsense\r\n\r\n", "", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"]
    {
        let backend = async {
            let (mut tcp, _) = listener.accept().await.unwrap();
            read_until(&mut tcp, "\r\n\r\n").await;
            tcp.write_all(nonsense.as_bytes()).await.unwrap();
        };
        let client = proxy.client(None, false);
        let request = client.send(proxy.address, get(proxy.address, "/"));
        let ((), response) = tokio::join!(backend, request);
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY, "{nonsense}");
    }
}

#[tokio::test]
async fn a_backend_that_is_slow_is_a_gateway_timeout() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &["--backend-timeout", "0.05"]).await;
    let response = proxy.client(None, true).send(proxy.address, get(proxy.address, "/held")).await;
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_request_is_cut() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &["--header-timeout", "0.05"]).await;
    for (protocol, start) in [("http/1.1", "GET / HT"), ("http/1.1", ""), ("h2", ""), ("h2", "PRI * HTTP")] {
        let mut config = proxy.files.server.client(None, ALL_VERSIONS);
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let mut tls = connect(proxy.address, &config).await.unwrap();
        tls.write_all(start.as_bytes()).await.unwrap();
        // Until the proxy closes, whether politely or not.
        let _ = tls.read_to_end(&mut Vec::new()).await;
    }
}

#[tokio::test]
async fn websockets_pass_and_carry_the_certificate() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = EdgeProxy::start(listener.local_addr().unwrap(), &[]).await;
    let config = proxy.files.server.client(Some(&proxy.files.alice), ALL_VERSIONS);
    let mut tls = connect(proxy.address, &config).await.unwrap();
    let request = "GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    tls.write_all(request.as_bytes()).await.unwrap();

    let (mut tcp, _) = listener.accept().await.unwrap();
    let head = read_until(&mut tcp, "\r\n\r\n").await;
    for line in ["connection: upgrade", "upgrade: websocket", "x-forwarded-tls-client-cert-verify: SUCCESS"] {
        assert!(head.contains(&format!("{line}\r\n")), "{head}");
    }
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    tcp.write_all(answer.as_bytes()).await.unwrap();
    let head = read_until(&mut tls, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("sec-websocket-accept: s3pPLM"), "{head}");

    tls.write_all(b"ping").await.unwrap();
    read_until(&mut tcp, "ping").await;
    tcp.write_all(b"pong").await.unwrap();
    read_until(&mut tls, "pong").await;
}

#[tokio::test]
async fn a_refused_websocket_is_an_ordinary_answer() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &[]).await;
    for upgrade in ["websocket", "h2c", "websocket, h2c"] {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n\r\n\
             GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        );
        let answers = proxy.raw(None, &request).await;
        assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{upgrade}: {answers}");
        assert_eq!(answers.contains("\nupgrade:"), upgrade == "websocket", "{upgrade}: {answers}");
    }
}
