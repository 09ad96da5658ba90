//! Without TLS, as behind a proxy.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{Client, Served, closed};

#[tokio::test]
async fn a_backend_reads_headers_over_both_versions_of_http() {
    let served = Served::plain(|serve| serve).await;
    for http2 in [false, true] {
        let (mut client, _) = Client::over(TcpStream::connect(served.address).await.unwrap(), http2).await;
        let uri = if http2 { "http://localhost/" } else { "/" };
        let request = Request::get(uri)
            .header("host", "localhost")
            .header("x-forwarded-tls-client-cert", "MAA=")
            .body(Body::empty())
            .unwrap();
        assert_eq!(client.send(request).await.unwrap().body(), "127.0.0.1 no TLS true");
    }
    assert_eq!(served.stop().await, Ok(()));
}

#[tokio::test]
async fn a_silent_client_is_cut_and_holds_no_shutdown_up() {
    let timeout = Duration::from_secs(3);
    let served = Served::plain(|serve| serve.header_timeout(timeout)).await;
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    tokio::time::pause();
    let start = Instant::now();
    closed(&mut silent).await;
    assert!(start.elapsed() <= 2 * timeout, "{:?}", start.elapsed());

    tokio::time::resume();
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    // Whoever comes later is served later: so the other has been accepted.
    let (mut client, _) = Client::over(TcpStream::connect(served.address).await.unwrap(), false).await;
    client.get("/").await.unwrap();
    assert_eq!(served.stop().await, Ok(()));
    closed(&mut silent).await;
}
