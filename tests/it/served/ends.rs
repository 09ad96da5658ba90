//! Connections that are drained: at a shutdown, at their maximum age, and when trust is lost.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{Client, Served, asking, closed, config, with_alpn};
use crate::harness::{connect, until};
use crate::log::Log;
use crate::pki::Authority;
use crate::reload::Pki;

/// Nothing ends by itself.
const LONG: Duration = Duration::from_secs(100 * 24 * 60 * 60);

#[tokio::test]
async fn a_shutdown_answers_what_is_under_way_and_nothing_else() {
    for http2 in [false, true] {
        let (pki, acceptor) = asking();
        let served = Served::tls(acceptor, |serve| serve.header_timeout(LONG).drain_timeout(LONG)).await;
        let (mut idle, idle_connection) = Client::tls(served.address, &config(&pki, http2), http2).await;
        idle.get("/").await.unwrap();
        let mut half_done = TcpStream::connect(served.address).await.unwrap();
        half_done.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
        let (busy, _connection) = Client::tls(served.address, &config(&pki, http2), http2).await;
        let held = busy.spawn_get("/held");
        served.arrived().await;

        let (address, release) = (served.address, served.release.clone());
        let stopped = tokio::spawn(served.stop());
        idle_connection.await.unwrap().unwrap();
        closed(&mut half_done).await;
        TcpStream::connect(address).await.unwrap_err();
        assert!(!stopped.is_finished());
        release.add_permits(1);
        assert_eq!(held.await.unwrap().unwrap(), "released");
        assert_eq!(stopped.await.unwrap(), Ok(()));
    }
}

#[tokio::test]
async fn a_shutdown_has_a_deadline_and_says_how_many_it_cut() {
    let deadline = Duration::from_secs(9);
    for http2 in [false, true] {
        let (pki, acceptor) = asking();
        let served = Served::tls(acceptor, |serve| serve.header_timeout(LONG).drain_timeout(deadline)).await;
        let mut held = Vec::new();
        for _ in 0..2 {
            let (client, _) = Client::tls(served.address, &config(&pki, http2), http2).await;
            held.push(client.spawn_get("/held"));
            served.arrived().await;
        }
        tokio::time::pause();
        let start = Instant::now();
        let error = served.stop().await.unwrap_err();
        assert_eq!(error.to_string(), "2 connections were cut, since they had not ended within 9s");
        assert_eq!(start.elapsed().as_secs(), 9);
        for held in held {
            held.await.unwrap().unwrap_err();
        }
        tokio::time::resume();
    }
}

#[tokio::test]
async fn who_drops_the_server_ends_every_connection() {
    let (pki, acceptor) = asking();
    let served = Served::tls(acceptor, |serve| serve).await;
    let (client, _) = Client::tls(served.address, &config(&pki, true), true).await;
    let held = client.spawn_get("/held");
    served.arrived().await;
    served.task.abort();
    held.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn an_old_connection_is_drained() {
    for http2 in [false, true] {
        let (pki, acceptor) = asking();
        let served = Served::tls(acceptor, |serve| {
            serve.header_timeout(LONG).drain_timeout(LONG).max_connection_age(Duration::from_millis(700))
        })
        .await;
        let (busy, busy_connection) = Client::tls(served.address, &config(&pki, http2), http2).await;
        let held = busy.spawn_get("/held");
        served.arrived().await;
        let (mut idle, idle_connection) = Client::tls(served.address, &config(&pki, http2), http2).await;
        idle.get("/").await.unwrap();
        idle_connection.await.unwrap().unwrap();
        // The other is older.
        served.release.add_permits(1);
        assert_eq!(held.await.unwrap().unwrap(), "released");
        busy_connection.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_old_connection_that_does_not_drain_is_cut() {
    let (age, drain) = (Duration::from_secs(1000), Duration::from_secs(10));
    for http2 in [false, true] {
        let (pki, acceptor) = asking();
        let served = Served::tls(acceptor, |serve| {
            serve.header_timeout(LONG).http2_keep_alive(LONG).drain_timeout(drain).max_connection_age(age)
        })
        .await;
        let (client, _connection) = Client::tls(served.address, &config(&pki, http2), http2).await;
        let held = client.spawn_get("/held");
        served.arrived().await;
        tokio::time::pause();
        let start = Instant::now();
        held.await.unwrap().unwrap_err();
        assert!((1000..=1010).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_connection_is_drained_when_trust_is_lost_and_others_are_not() {
    for http2 in [false, true] {
        let pki = Pki::new();
        let files = pki.files();
        let reloader = files.reloader();
        let served = Served::tls(reloader.acceptor(), |serve| {
            serve.header_timeout(LONG).http2_keep_alive(LONG).drain_timeout(LONG)
        })
        .await;
        let config = with_alpn(pki.client(), http2);
        let (mut idle, idle_connection) = Client::tls(served.address, &config, http2).await;
        assert_eq!(idle.get("/").await.unwrap(), "127.0.0.1 a certificate false");
        let (busy, busy_connection) = Client::tls(served.address, &config, http2).await;
        let held = busy.spawn_get("/held");
        served.arrived().await;

        let log = Log::start();
        reloader.reload().unwrap();
        assert_eq!(idle.get("/").await.unwrap(), "127.0.0.1 a certificate false");
        files.write("ca.crt", Authority::root("another CA").pem());
        reloader.reload().unwrap();
        idle_connection.await.unwrap().unwrap();
        assert!(!held.is_finished());
        served.release.add_permits(1);
        assert_eq!(held.await.unwrap().unwrap(), "released");
        // Of its own accord, since the client would keep it.
        busy_connection.await.unwrap().unwrap();
        let text = log.text();
        assert!(
            text.contains("draining a connection") && text.contains("does not verify any more"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn what_does_not_drain_in_time_when_trust_is_lost_is_cut() {
    let drain = Duration::from_secs(11);
    for http2 in [false, true] {
        let pki = Pki::new();
        let files = pki.files();
        let reloader = files.reloader();
        let served = Served::tls(reloader.acceptor(), |serve| {
            serve.header_timeout(LONG).http2_keep_alive(LONG).drain_timeout(drain)
        })
        .await;
        let (client, _connection) = Client::tls(served.address, &with_alpn(pki.client(), http2), http2).await;
        let held = client.spawn_get("/held");
        served.arrived().await;
        files.write("ca.crt", Authority::root("another CA").pem());
        tokio::time::pause();
        let start = Instant::now();
        reloader.reload().unwrap();
        held.await.unwrap().unwrap_err();
        assert_eq!(start.elapsed().as_secs(), 11);
        // The handler's future is dropped with it.
        until(async || std::sync::Arc::strong_count(&served.release) <= 3).await;
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_client_that_keeps_an_idle_connection_to_itself_is_cut() {
    // It is told that there will be no more, and neither answers nor closes.
    let (pki, acceptor) = asking();
    let timeout = Duration::from_secs(5);
    let served = Served::tls(acceptor, |serve| serve.header_timeout(timeout)).await;
    let mut tls = connect(served.address, &config(&pki, true)).await.unwrap();
    let block = b"\x82\x87\x84\x01\x09localhost";
    let headers = [&[0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, 1], &block[..]].concat();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    tls.write_all(&[&preface[..], &headers].concat()).await.unwrap();
    tls.read_u8().await.unwrap();
    tokio::time::pause();
    let start = Instant::now();
    closed(&mut tls).await;
    assert!(start.elapsed() <= 3 * timeout, "{:?}", start.elapsed());
}
