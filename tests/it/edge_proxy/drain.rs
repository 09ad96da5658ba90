//! The end: what a signal lets finish, and what it cuts.

use rustls::ALL_VERSIONS;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Backend, EdgeProxy};
use crate::harness::{connect, get};

#[tokio::test]
async fn a_request_under_way_is_answered_after_sigterm() {
    for http2 in [false, true] {
        let backend = Backend::start().await;
        let mut proxy = EdgeProxy::start(backend.address, &["--drain-timeout", "3600"]).await;
        let client = proxy.client(Some(&proxy.files.alice), http2);
        let address = proxy.address;
        let request = tokio::spawn(async move { client.send(address, get(address, "/held")).await });
        backend.arrived.acquire().await.unwrap().forget();

        // An idle connection, which must not hold the proxy up.
        let config = proxy.files.server.client(None, ALL_VERSIONS);
        let mut idle = connect(address, &config).await.unwrap();
        idle.write_all(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        idle.read_u8().await.unwrap();

        proxy.signal("-TERM").await;
        // It closes the idle connection: so it has seen the signal.
        idle.read_to_end(&mut Vec::new()).await.unwrap();
        assert!(proxy.child.try_wait().unwrap().is_none(), "it should wait for the request");
        backend.release.add_permits(1);
        assert_eq!(request.await.unwrap().body(), "released");
        assert_eq!(proxy.child.wait().await.unwrap().code(), Some(0));
    }
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_cut() {
    let backend = Backend::start().await;
    let mut proxy = EdgeProxy::start(backend.address, &["--drain-timeout", "0.05"]).await;
    let config = proxy.files.server.client(None, ALL_VERSIONS);
    let mut tls = connect(proxy.address, &config).await.unwrap();
    tls.write_all(b"GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    backend.arrived.acquire().await.unwrap().forget();
    proxy.signal("-TERM").await;
    assert_eq!(proxy.child.wait().await.unwrap().code(), Some(0));
    let mut answer = Vec::new();
    let _ = tls.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "{answer:?}");
}

#[tokio::test]
async fn a_second_signal_ends_the_wait() {
    let backend = Backend::start().await;
    let mut proxy = EdgeProxy::start(backend.address, &["--drain-timeout", "3600"]).await;
    let config = proxy.files.server.client(None, ALL_VERSIONS);
    let mut held = connect(proxy.address, &config).await.unwrap();
    held.write_all(b"GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    backend.arrived.acquire().await.unwrap().forget();
    // A handshake that is not finished is cut at the first signal.
    let mut mute = tokio::net::TcpStream::connect(proxy.address).await.unwrap();
    proxy.signal("-INT").await;
    let _ = mute.read_to_end(&mut Vec::new()).await;
    proxy.signal("-TERM").await;
    assert_eq!(proxy.child.wait().await.unwrap().code(), Some(0));
}
