//! How long a client may take, and how much it may send.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use http_body_util::BodyExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use super::{Client, Served, Tls, asking, closed, config};
use crate::harness::connect;

const TIMEOUT: Duration = Duration::from_secs(7);

/// The preface of HTTP/2 and empty SETTINGS (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

#[tokio::test]
async fn a_client_that_sends_no_request_is_cut() {
    let (pki, acceptor) = asking();
    let served = Served::tls(acceptor, |serve| serve.header_timeout(TIMEOUT)).await;
    for (http2, sent) in [
        (false, &b""[..]),
        (false, b"GET / HTTP/1.1\r\nHost: loc"),
        (true, b""),
        (true, b"PRI * HTT"),
        (true, PREFACE),
    ] {
        let mut tls: Tls = connect(served.address, &config(&pki, http2)).await.unwrap();
        tls.write_all(sent).await.unwrap();
        tokio::time::pause();
        let start = Instant::now();
        closed(&mut tls).await;
        let waited = start.elapsed();
        assert!(waited <= 2 * TIMEOUT, "{sent:?}: {waited:?}");
        // The time runs from the end of the handshake, which was before it was stopped.
        assert!(waited > TIMEOUT / 2, "{sent:?}: {waited:?}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_one_with_a_request_under_way_is_not() {
    let (pki, acceptor) = asking();
    let served = Served::tls(acceptor, |serve| serve.header_timeout(Duration::from_millis(500))).await;
    for http2 in [false, true] {
        let (busy, _connection) = Client::tls(served.address, &config(&pki, http2), http2).await;
        let held = busy.spawn_get("/held");
        served.arrived().await;
        let (mut idle, connection) = Client::tls(served.address, &config(&pki, http2), http2).await;
        idle.get("/").await.unwrap();
        // Politely: the client's side ends without an error.
        connection.await.unwrap().unwrap();
        // The other has been silent for longer.
        served.release.add_permits(1);
        assert_eq!(held.await.unwrap().unwrap(), "released");
    }
}

#[tokio::test]
async fn an_http2_response_is_under_way_until_a_slow_client_has_it() {
    const SIZE: usize = 16 * 1024 * 1024;
    let (pki, acceptor) = asking();
    let app = Router::new().route("/large", get(async || vec![7; SIZE]));
    let limit = Duration::from_millis(500);
    let served = Served::app(acceptor, app, |serve| serve.header_timeout(limit)).await;
    let config = config(&pki, true);
    let (client, _connection) = Client::tls(served.address, &config, true).await;
    let Client::Http2(mut slow) = client else { unreachable!() };
    let request = Request::get("https://localhost/large").body(Body::empty()).unwrap();
    let response = slow.send_request(request).await.unwrap();
    // Nothing of the body is read for three times the limit. A quiet connection is cut after two.
    for _ in 0..3 {
        let (mut idle, connection) = Client::tls(served.address, &config, true).await;
        idle.get("/").await.unwrap();
        connection.await.unwrap().unwrap();
    }
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body.len(), SIZE);
}

#[tokio::test]
async fn a_client_may_have_all_the_time_there_is() {
    let (pki, acceptor) = asking();
    let served = Served::tls(acceptor, |serve| {
        serve
            .header_timeout(Duration::MAX)
            .http2_keep_alive(Duration::MAX)
            .max_connection_age(Duration::MAX)
            .drain_timeout(Duration::MAX)
    })
    .await;
    for http2 in [false, true] {
        let (mut client, _) = Client::tls(served.address, &config(&pki, http2), http2).await;
        client.get("/").await.unwrap();
    }
    assert_eq!(served.stop().await, Ok(()));
}

#[tokio::test]
async fn an_http2_client_that_no_longer_answers_is_cut() {
    let (pki, acceptor) = asking();
    let served = Served::tls(acceptor, |serve| serve.http2_keep_alive(TIMEOUT)).await;
    let mut tls = connect(served.address, &config(&pki, true)).await.unwrap();
    // HEADERS (RFC 7541: GET, https, the path and the authority as literals), END_STREAM and END_HEADERS.
    let block = b"\x82\x87\x04\x05/held\x01\x09localhost";
    let headers = [&[0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, 1], &block[..]].concat();
    tls.write_all(&[PREFACE, &headers].concat()).await.unwrap();
    served.arrived().await;
    tokio::time::pause();
    let start = Instant::now();
    closed(&mut tls).await;
    assert!(start.elapsed() <= 3 * TIMEOUT, "{:?}", start.elapsed());
}

/// As many bytes of headers, each of a size that `ClientCertLayer` may write.
fn with_headers(bytes: usize, uri: &str) -> Request<Body> {
    let mut request = Request::get(uri).header("host", "localhost");
    let mut left = bytes;
    for i in 0.. {
        let size = left.min(16 * 1024);
        if size == 0 {
            break;
        }
        request = request.header(format!("x-{i}"), "a".repeat(size));
        left -= size;
    }
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn headers_of_60_kib_are_taken_and_the_limit_is_a_setting() {
    let (pki, acceptor) = asking();
    for (limit, taken, refused) in [(None, 60, 130), (Some(100), 90, 190), (Some(20), 15, 60)] {
        let configured = |kib: Option<usize>| kib.map_or(64 * 1024, |kib| kib * 1024);
        let served = Served::tls(acceptor.clone(), |serve| match limit {
            None => serve,
            some => serve.max_header_size(configured(some)),
        })
        .await;
        let plain = Served::plain(|serve| serve.max_header_size(configured(limit))).await;
        for http2 in [false, true] {
            for (kib, status) in [(taken, 200), (refused, 431)] {
                let uri = if http2 { "http://localhost/" } else { "/" };
                let (mut client, _) = Client::tls(served.address, &config(&pki, http2), http2).await;
                let response = client.send(with_headers(kib * 1024, uri)).await.unwrap();
                assert_eq!(response.status(), status, "TLS, HTTP/2 {http2}, {kib} KiB of {limit:?}");
                let tcp = tokio::net::TcpStream::connect(plain.address).await.unwrap();
                let (mut client, _) = Client::over(tcp, http2).await;
                let response = client.send(with_headers(kib * 1024, uri)).await.unwrap();
                assert_eq!(response.status(), status, "HTTP/2 {http2}, {kib} KiB of {limit:?}");
            }
        }
    }
}
