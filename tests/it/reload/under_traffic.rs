//! Files change while connections are made and used.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use hyper::client::conn::http2::SendRequest;
use rustls::version::{TLS12, TLS13};
use time::OffsetDateTime;
use tokio::net::{TcpListener, TcpStream};
use tower_client_cert::{ClientAuthPolicy, TlsConnectInfo};

use super::{Files, Pki, Watching};
use crate::harness::{HttpClient, Server, get as request, http2, poll_once, presented, until};
use crate::pki::{Authority, Identity};

use ClientAuthPolicy::NoClientCert;

/// A secret as Kubernetes mounts it: `tls.crt -> ..data/tls.crt`, `..data -> ..<time>`, and an update is one rename.
struct Secret<'a> {
    files: &'a Files,
    updates: usize,
}

impl Secret<'_> {
    fn mount(files: &Files) -> Secret<'_> {
        for name in ["tls.crt", "tls.key"] {
            let _ = fs::remove_file(files.path(name));
            symlink(Path::new("..data").join(name), files.path(name)).unwrap();
        }
        Secret { files, updates: 0 }
    }

    fn update(&mut self, server: &Identity) {
        let (old, new) = (format!("..{}", self.updates), format!("..{}", self.updates + 1));
        self.updates += 1;
        let dir = self.files.path(&new);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("tls.crt"), server.chain_pem()).unwrap();
        fs::write(dir.join("tls.key"), server.key_pem()).unwrap();
        symlink(&new, self.files.path("..data_tmp")).unwrap();
        fs::rename(self.files.path("..data_tmp"), self.files.path("..data")).unwrap();
        let _ = fs::remove_dir_all(self.files.path(&old));
    }
}

#[tokio::test]
async fn a_watch_follows_the_symbolic_links_of_a_mounted_secret() {
    let pki = Pki::new();
    let files = pki.files();
    let mut secret = Secret::mount(&files);
    secret.update(&pki.server.server);
    let reloader = files.reloader();
    let server = Server::start(reloader.acceptor(), Router::new()).await;
    let _watching = Watching::start(&reloader);
    for _ in 0..5 {
        let new = pki.another_server_cert();
        secret.update(&new);
        until(async || presented(server.address, &pki.client()).await == new.chain[0]).await;
    }
}

/// Counts the requests that are answered, over new connections and over old ones.
async fn send_requests(client: HttpClient, address: SocketAddr, answered: Arc<AtomicUsize>) {
    loop {
        let response = client.send(address, request(address, "/")).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.body(), "SUCCESS");
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

async fn send_requests_over_one_connection(
    mut sender: SendRequest<Body>,
    address: SocketAddr,
    answered: Arc<AtomicUsize>,
) {
    loop {
        let response = sender.send_request(request(address, "/")).await.unwrap();
        assert_eq!(response.status(), 200);
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

async fn verification(info: TlsConnectInfo) -> String {
    info.peer_certificates().unwrap().verification().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_files_change_a_hundred_times() {
    let pki = Pki::new();
    let files = pki.files();
    let mut secret = Secret::mount(&files);
    secret.update(&pki.server.server);
    let reloader = files.reloader();
    let server = Server::start(reloader.acceptor(), Router::new().route("/", get(verification))).await;
    let _watching = Watching::start(&reloader);

    let answered = Arc::new(AtomicUsize::new(0));
    let mut traffic = tokio::task::JoinSet::new();
    for version in [&TLS12, &TLS13] {
        for http2 in [false, true] {
            let config = pki.server.client(Some(&pki.alice), &[version]);
            let client = HttpClient::new(config, http2);
            traffic.spawn(send_requests(client, server.address, Arc::clone(&answered)));
        }
    }
    let old_connection = http2(server.address, pki.client()).await;
    let over_it = Arc::new(AtomicUsize::new(0));
    traffic.spawn(send_requests_over_one_connection(old_connection, server.address, Arc::clone(&over_it)));

    let acceptor = reloader.acceptor();
    for change in 0..100 {
        let expires = OffsetDateTime::now_utc() + time::Duration::days(100 + change);
        let new = pki.server_cert(|params| params.not_after = expires);
        let broken = change % 4 == 3;
        if broken {
            files.write("ca.crl", &pki.ca.crl_pem(&[], time::Duration::days(7))[..100]);
        }
        secret.update(&new);
        if broken {
            until(async || reloader.last_error().is_some()).await;
            files.write("ca.crl", pki.ca.crl_pem(&[], time::Duration::days(7)));
        }
        let expires = u64::try_from(expires.unix_timestamp()).unwrap();
        until(async || acceptor.server_cert_not_after().unwrap().as_secs() == expires).await;
        assert_eq!(presented(server.address, &pki.client()).await, new.chain[0]);
        assert!(traffic.try_join_next().is_none(), "a request was lost");
    }
    until(async || answered.load(Ordering::Relaxed) + over_it.load(Ordering::Relaxed) > 2_000).await;
    assert!(answered.load(Ordering::Relaxed) > 100 && over_it.load(Ordering::Relaxed) > 100);
    assert!(traffic.try_join_next().is_none(), "a request was lost");
}

#[tokio::test]
async fn a_handshake_under_way_is_finished_with_what_it_began_with() {
    let pki = Pki::new();
    let files = pki.files();
    let reloader = files.reloader();
    let acceptor = reloader.acceptor();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();

    let mut handshake = std::pin::pin!(acceptor.accept(accepted));
    assert!(poll_once(handshake.as_mut()).await.is_none(), "it waits for the client");
    let (new, other_ca) = (pki.another_server_cert(), Authority::root("another CA"));
    files.write_server(&new);
    files.write("ca.crt", other_ca.pem());
    reloader.reload().unwrap();

    let connector = tokio_rustls::TlsConnector::from(Arc::new(pki.client()));
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let (client, server) = tokio::join!(connector.connect(name, tcp), handshake);
    let (_stream, info) = server.unwrap();
    assert!(info.peer_certificates().unwrap().is_verified(), "by the old CA");
    let client = client.unwrap();
    assert_eq!(
        client.get_ref().1.peer_certificates().unwrap(),
        pki.server.server.chain,
        "with the old certificate"
    );
}

#[tokio::test]
async fn i5_no_session_outlives_a_reload() {
    let pki = Pki::new();
    let files = pki.files();
    let reloader = files.reloader_with(NoClientCert, |_| {});
    let server = Server::start(reloader.acceptor(), Router::new().route("/", get(resumed))).await;
    for version in [&TLS12, &TLS13] {
        // The client keeps its sessions, since clones of its configuration share them.
        let client = HttpClient::new(pki.server.client(None, &[version]), false);
        let resumed = async || client.send(server.address, request(server.address, "/")).await.into_body();
        assert_eq!(resumed().await, "false");
        assert_eq!(resumed().await, "true", "there is something to outlive");
        reloader.reload().unwrap();
        assert_eq!(resumed().await, "false");
        assert_eq!(resumed().await, "true");
    }
}

async fn resumed(info: TlsConnectInfo) -> String {
    info.resumed().to_string()
}
