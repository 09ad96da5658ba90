//! What ends when a client's certificate is revoked: WebSockets, and requests that take too long.

use rcgen::SerialNumber;
use rustls::ALL_VERSIONS;
use time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::proxying::{open_websocket, read_until};
use super::reload::start;
use super::{Backend, EdgeProxy, Files};
use crate::harness::connect;

const SERIAL: u64 = 4711;

fn files() -> Files {
    let mut files = Files::new();
    let serial = Some(SerialNumber::from(SERIAL));
    files.alice = files.client_ca.issue("alice", |params| params.serial_number = serial);
    files
}

fn revoke(proxy: &EdgeProxy) {
    let crl = proxy.files.client_ca.crl_pem(&[&SerialNumber::from(SERIAL)], Duration::days(1));
    proxy.files.write("crl.pem", &crl);
}

#[tokio::test]
async fn a_websocket_ends_when_trust_is_lost() {
    let backend = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = start(backend.local_addr().unwrap(), files(), &[]).await;
    let (mut tls, mut tcp) = open_websocket(&proxy, &backend).await;
    tls.write_all(b"ping").await.unwrap();
    read_until(&mut tcp, "ping").await;

    revoke(&proxy);
    // Both ends are told: the client by TLS's own close, without which rustls makes this an error.
    assert_eq!(tls.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    assert_eq!(tcp.read_to_end(&mut Vec::new()).await.unwrap(), 0);
}

#[tokio::test]
async fn draining_has_a_deadline_when_trust_is_lost() {
    let backend = Backend::start().await;
    let timeouts = ["--backend-timeout", "3600", "--drain-timeout", "0.05"];
    let proxy = start(backend.address, files(), &timeouts).await;
    let config = proxy.files.server.client(Some(&proxy.files.alice), ALL_VERSIONS);
    let mut tls = connect(proxy.address, &config).await.unwrap();
    tls.write_all(b"GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    backend.arrived.acquire().await.unwrap().forget();

    revoke(&proxy);
    let mut answer = Vec::new();
    let _ = tls.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "{answer:?}");
}
