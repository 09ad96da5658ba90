//! Bodies that a client frames badly are the client's fault, and what it says of their length is one thing.

use std::net::SocketAddr;

use axum::body::Body;
use http::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ALL_VERSIONS;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Backend, EdgeProxy, received};
use crate::harness::{connect, read};

#[tokio::test]
async fn malformed_chunks_are_a_bad_request_and_not_a_bad_gateway() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &[]).await;
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(100_000));
    let cases = [
        "x\r\n",
        "5\r\nhello\r\nx\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "0\r\nno trailer\r\n\r\n",
        &long,
    ];
    for chunks in cases {
        for path in ["/", "/stream"] {
            let request = format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
            );
            let answer = proxy.raw(None, &request).await;
            let chunks = &chunks[..chunks.len().min(40)];
            // A backend that answers before it has read the body has its answer passed on, cut short.
            let answered = path == "/stream" && answer.starts_with("HTTP/1.1 200 ");
            assert!(answer.starts_with("HTTP/1.1 400 ") || answered, "{chunks:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_body_that_ends_too_early_is_not_blamed_on_the_backend() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &[]).await;
    for framing in ["Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhel"] {
        let mut tls = connect(proxy.address, &proxy.files.server.client(None, ALL_VERSIONS)).await.unwrap();
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}");
        tls.write_all(request.as_bytes()).await.unwrap();
        tls.shutdown().await.unwrap();
        let mut answer = String::new();
        let _ = tls.read_to_string(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

/// Over HTTP/2, with lines of `content-length` as given.
async fn send(
    proxy: &EdgeProxy,
    address: SocketAddr,
    lengths: &[&str],
    body: &'static str,
) -> hyper::Result<Response<String>> {
    let mut config = proxy.files.server.client(None, ALL_VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let io = TokioIo::new(connect(address, &config).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
    tokio::spawn(connection);
    let mut request = Request::post("https://localhost/");
    for length in lengths {
        request = request.header("content-length", *length);
    }
    Ok(read(sender.send_request(request.body(Body::from(body)).unwrap()).await?).await)
}

#[tokio::test]
async fn over_http2_an_empty_or_doubled_length_becomes_one_or_none() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &[]).await;
    let cases: [(&[&str], &str, Option<&str>); 7] = [
        (&["5"], "hello", Some("5")),
        (&["5", "5"], "hello", Some("5")),
        (&["5", "5", "5"], "hello", Some("5")),
        (&[""], "hello", None),
        (&["", ""], "hello", None),
        (&[""], "", None),
        (&["0", ""], "", Some("0")),
    ];
    for (lengths, body, expected) in cases {
        match send(&proxy, proxy.address, lengths, body).await {
            Ok(response) => {
                let text = response.body();
                assert_eq!(response.status(), StatusCode::OK, "{lengths:?}: {text}");
                let headers = received(text);
                let lines: Vec<_> = headers.get_all("content-length").iter().collect();
                let chunked = headers.contains_key("transfer-encoding");
                assert!(text.ends_with(&format!("\n\n{body}")), "{lengths:?}: {text}");
                match expected {
                    Some(length) => assert!(lines == [length] && !chunked, "{lengths:?}: {text}"),
                    // The length of the frames may be known, or the body is sent in chunks.
                    None => assert!(lines.len() + usize::from(chunked) <= 1, "{lengths:?}: {text}"),
                }
            }
            // The library below refuses what contradicts the frames.
            Err(error) => assert!(lengths.contains(&"") && !body.is_empty(), "{lengths:?}: {error}"),
        }
    }
}

#[tokio::test]
async fn over_http2_lengths_that_contradict_each_other_or_the_body_reach_no_backend() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &[]).await;
    for lengths in [&["5", "6"][..], &["6"], &["4"], &["5, 6"], &["+5"], &["0x5"], &["five"]] {
        match send(&proxy, proxy.address, lengths, "hello").await {
            Ok(response) => assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{lengths:?}"),
            // A stream error, as RFC 9113 section 8.1.1 has it.
            Err(error) => assert!(!error.is_timeout(), "{lengths:?}: {error}"),
        }
    }
}
