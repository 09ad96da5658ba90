//! `--reload`: new files are served without a restart, and what they revoke is drained.

use std::net::SocketAddr;

use axum::body::Body;
use http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::SerialNumber;
use rustls::ALL_VERSIONS;
use time::Duration;

use super::{Backend, EdgeProxy, Files, example, text};
use crate::harness::{connect, get, presented, read, until};

/// Looks at its files every few milliseconds.
pub(super) async fn start(backend: SocketAddr, files: Files, more: &[&str]) -> EdgeProxy {
    files.write("crl.pem", &files.client_ca.crl_pem(&[], Duration::days(1)));
    let path = |name| text(&files.path(name));
    let mut command = example("edge_proxy");
    command
        .args(["--listen", "127.0.0.1:0", "--backend", &backend.to_string(), "--reload=0.005"])
        .args(["--cert", &path("server.pem"), "--key", &path("server.key"), "--client-ca", &path("ca.pem")])
        .args(["--client-crl", &path("crl.pem"), "--client-auth", "VerifyClientCertIfGiven"])
        .args(more);
    EdgeProxy::spawn(command, files).await
}

#[tokio::test]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let backend = Backend::start().await;
    let proxy = start(backend.address, Files::new(), &[]).await;
    let client = proxy.files.server.client(None, ALL_VERSIONS);
    assert_eq!(presented(proxy.address, &client).await, proxy.files.server.server.chain[0]);

    let renewed = proxy.files.server.ca.server(&["localhost", "127.0.0.1"]);
    proxy.files.write("server.pem", &renewed.chain_pem());
    proxy.files.write("server.key", &renewed.key_pem());
    until(async || presented(proxy.address, &client).await == renewed.chain[0]).await;
    let response = proxy.client(None, true).send(proxy.address, get(proxy.address, "/")).await;
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_revoked_client_is_drained_and_does_not_come_back() {
    let backend = Backend::start().await;
    let mut files = Files::new();
    let serial = SerialNumber::from(4711);
    files.alice = files.client_ca.issue("alice", |params| params.serial_number = Some(serial.clone()));
    let proxy = start(backend.address, files, &[]).await;
    let mut config = proxy.files.server.client(Some(&proxy.files.alice), ALL_VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec()];

    let io = TokioIo::new(connect(proxy.address, &config).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let held: Request<Body> = get(proxy.address, "/held");
    let held = tokio::spawn(sender.send_request(held));
    backend.arrived.acquire().await.unwrap().forget();

    proxy.files.write("crl.pem", &proxy.files.client_ca.crl_pem(&[&serial], Duration::days(1)));
    until(async || sender.send_request(get(proxy.address, "/")).await.is_err()).await;
    backend.release.add_permits(1);
    assert_eq!(read(held.await.unwrap().unwrap()).await.body(), "released");

    // Under TLS 1.3 a client learns of the refusal when it reads.
    let refused = match connect(proxy.address, &config).await {
        Ok(mut tls) => tokio::io::AsyncReadExt::read_u8(&mut tls).await,
        Err(error) => Err(error),
    };
    assert!(refused.unwrap_err().to_string().contains("CertificateRevoked"));
}
