//! What is served changes while it is served: by call and by files, good ones and bad ones.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, SanType};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tower_client_cert::{
    ClientAuthPolicy, ClientCertAcceptor, Reloader, ServerCertError, TlsConnectInfo, VerifierError,
};

use crate::harness::{HttpClient, Server, ServerPki, connect, get as request, verifier};
use crate::pki::{Authority, Identity};
use crate::warnings::capture;

use ClientAuthPolicy::{NoClientCert, RequireAndVerifyClientCert};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A server's files.
pub(crate) struct Files {
    dir: TempDir,
}

impl Files {
    pub(crate) fn new(server: &Identity, ca: &Authority) -> Self {
        let files = Self { dir: tempfile::tempdir().unwrap() };
        files.write_server(server);
        files.write("ca.crt", ca.pem());
        files.write("ca.crl", ca.crl_pem(&[], time::Duration::days(7)));
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// In place, as an editor or a script does.
    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).unwrap();
    }

    fn write_server(&self, server: &Identity) {
        self.write("tls.crt", server.chain_pem());
        self.write("tls.key", server.key_pem());
    }

    pub(crate) fn reloader(&self) -> Reloader {
        self.reloader_with(RequireAndVerifyClientCert, |_| {})
    }

    fn reloader_with(
        &self,
        policy: ClientAuthPolicy,
        configure: impl Fn(&mut ServerConfig) + Send + Sync + 'static,
    ) -> Reloader {
        Reloader::new(self.load(policy, configure)).unwrap()
    }

    pub(crate) fn load(
        &self,
        policy: ClientAuthPolicy,
        configure: impl Fn(&mut ServerConfig) + Send + Sync + 'static,
    ) -> impl Fn() -> Result<ClientCertAcceptor, Error> + Send + Sync + 'static {
        let [ca, crl, cert, key] = ["ca.crt", "ca.crl", "tls.crt", "tls.key"].map(|name| self.path(name));
        move || {
            let verifier = verifier(policy).roots_from_file(&ca).crls_from_file(&crl).build()?;
            Ok(ClientCertAcceptor::from_files(&cert, &key, verifier, |config| {
                config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
                configure(config);
            })?)
        }
    }
}

/// A watch that ends with the test.
struct Watching(JoinHandle<std::convert::Infallible>);

impl Watching {
    fn start(reloader: &Reloader) -> Self {
        Self(tokio::spawn(reloader.clone().watch(Duration::from_millis(2))))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits for something that is bound to happen.
pub(crate) async fn until(mut holds: impl AsyncFnMut() -> bool) {
    tokio::time::timeout(Duration::from_secs(300), async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it never happens");
}

/// What the server presents.
pub(crate) async fn presented(address: SocketAddr, config: &ClientConfig) -> CertificateDer<'static> {
    let stream = connect(address, config).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

pub(crate) struct Pki {
    pub(crate) server: ServerPki,
    pub(crate) ca: Authority,
    pub(crate) alice: Identity,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let ca = Authority::root("client CA");
        let alice = ca.client("alice");
        Self { server: ServerPki::new(), ca, alice }
    }

    pub(crate) fn files(&self) -> Files {
        Files::new(&self.server.server, &self.ca)
    }

    fn another_server_cert(&self) -> Identity {
        self.server_cert(|_| {})
    }

    fn server_cert(&self, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        self.server.ca.issue("localhost", |params| {
            params.subject_alt_names = vec![SanType::DnsName("localhost".try_into().unwrap())];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            change(params);
        })
    }

    pub(crate) fn client(&self) -> ClientConfig {
        self.server.client(Some(&self.alice), &[&TLS13])
    }
}

#[tokio::test]
async fn i10_a_bad_reload_keeps_the_old_configuration() {
    let pki = Pki::new();
    let files = pki.files();
    let reloader = files.reloader();
    let server = Server::start(reloader.acceptor(), Router::new()).await;
    let old = presented(server.address, &pki.client()).await;

    let outer = pki.server.ca.intermediate("outer");
    let inner = outer.intermediate("inner");
    let new = inner.server(&["localhost"]).with([inner.der(), outer.der()]);
    let (chain, key) = (new.chain_pem(), new.key_pem());
    files.write_server(&new);
    let keeps_the_old = |what: &str| match reloader.reload() {
        Ok(()) => panic!("{what} was taken"),
        Err(error) => {
            assert!(reloader.last_error().is_some_and(|last| Arc::ptr_eq(&last, &error)));
            error
        }
    };

    // A file that ends between two certificates is a good file: a writer that stops there for good has written it.
    let whole: Vec<usize> =
        chain.match_indices("-----END CERTIFICATE-----").map(|(at, end)| at + end.len()).collect();
    assert_eq!(whole.len(), 3);
    let is_whole = |length: usize| whole.iter().any(|end| (*end..=end + 2).contains(&length));
    for length in (0..chain.len()).filter(|length| !is_whole(*length)) {
        files.write("tls.crt", &chain[..length]);
        keeps_the_old(&format!("a chain cut after {length} of {} bytes", chain.len()));
    }
    files.write("tls.crt", &chain);
    let end_of_key = key.find("-----END PRIVATE KEY-----").unwrap() + "-----END PRIVATE KEY-----".len();
    for length in 0..end_of_key {
        files.write("tls.key", &key[..length]);
        keeps_the_old(&format!("a key cut after {length} of {} bytes", key.len()));
    }
    files.write("tls.key", &key);

    type Check = fn(&(dyn std::error::Error + 'static)) -> bool;
    let wrong_key: Check = |error| matches!(error.downcast_ref(), Some(ServerCertError::Mismatch { .. }));
    let unreadable: Check = |error| {
        matches!(error.downcast_ref(), Some(ServerCertError::Source(VerifierError::Read { .. })))
            || matches!(error.downcast_ref(), Some(VerifierError::Read { .. }))
    };
    let any: Check = |_| true;
    let roots = [pki.ca.pem(), pki.ca.pem()].concat();
    let one_root_and_a_half = roots[..roots.len() * 3 / 4].to_owned();
    let bad_in_the_middle = chain.replacen("-----END CERTIFICATE-----", "MIIB\n-----END CERTIFICATE-----", 1);
    for (name, contents, check) in [
        ("tls.key", Some(pki.another_server_cert().key_pem()), wrong_key),
        ("tls.crt", Some(pki.another_server_cert().chain_pem()), wrong_key),
        ("tls.crt", None, unreadable),
        ("tls.key", None, unreadable),
        ("ca.crt", None, unreadable),
        ("ca.crl", None, unreadable),
        ("tls.crt", Some(String::new()), any),
        ("tls.key", Some(String::new()), any),
        ("ca.crt", Some(String::new()), any),
        ("ca.crl", Some(String::new()), any),
        ("tls.crt", Some("garbage".repeat(1_000)), any),
        ("tls.key", Some("garbage".repeat(1_000)), any),
        ("tls.crt", Some(key.clone()), any),
        ("tls.key", Some(chain.clone()), any),
        ("tls.crt", Some(bad_in_the_middle), any),
        ("ca.crt", Some(one_root_and_a_half), any),
        ("ca.crt", Some(format!("{}-----BEG", pki.ca.pem())), any),
        ("ca.crl", Some(pki.ca.pem()), any),
    ] {
        let good = fs::read(files.path(name)).unwrap();
        match &contents {
            Some(contents) => files.write(name, contents),
            None => fs::remove_file(files.path(name)).unwrap(),
        }
        let what = format!("{name} with {contents:?}");
        let error = keeps_the_old(&what);
        let source = std::error::Error::source(&*error).unwrap();
        assert!(check(source), "{what}: {error}");
        files.write(name, good);
    }
    assert_eq!(presented(server.address, &pki.client()).await, old);

    reloader.reload().unwrap();
    assert!(reloader.last_error().is_none());
    assert_eq!(presented(server.address, &pki.client()).await, new.chain[0]);
}

#[tokio::test]
async fn i10_a_watch_retries_until_the_files_are_whole() {
    let pki = Pki::new();
    let files = pki.files();
    let reloader = files.reloader();
    let server = Server::start(reloader.acceptor(), Router::new()).await;
    let _watching = Watching::start(&reloader);
    let old = presented(server.address, &pki.client()).await;

    // An editor that stops in the middle, and a key that comes later than its certificate.
    let new = pki.another_server_cert();
    let chain = new.chain_pem();
    let error = async || reloader.last_error().map(|error| error.to_string()).unwrap_or_default();
    files.write("tls.crt", &chain[..chain.len() / 2]);
    until(async || error().await.contains("not valid PEM")).await;
    files.write("tls.crt", &chain);
    until(async || error().await.contains("does not belong to")).await;
    fs::remove_file(files.path("tls.key")).unwrap();
    until(async || error().await.contains("cannot read")).await;
    assert_eq!(presented(server.address, &pki.client()).await, old);

    files.write("tls.key", new.key_pem());
    until(async || presented(server.address, &pki.client()).await == new.chain[0]).await;
    assert!(reloader.last_error().is_none());

    // A file that is broken and put back was never wrong.
    files.write("tls.crt", "broken");
    until(async || reloader.last_error().is_some()).await;
    files.write("tls.crt", &chain);
    until(async || reloader.last_error().is_none()).await;
    assert_eq!(presented(server.address, &pki.client()).await, new.chain[0]);
}

#[tokio::test(start_paused = true)]
async fn i10_a_watch_does_not_read_a_file_that_is_being_written() {
    let pki = Pki::new();
    let files = pki.files();
    let loads = Arc::new(AtomicUsize::new(0));
    let reloader = {
        let (loads, load) = (Arc::clone(&loads), files.load(RequireAndVerifyClientCert, |_| {}));
        Reloader::new(move || {
            loads.fetch_add(1, Ordering::Relaxed);
            load()
        })
        .unwrap()
    };
    let look = Duration::from_secs(3600);
    let _watching = Watching(tokio::spawn(reloader.clone().watch(look)));
    tokio::time::sleep(look / 2).await;

    let new = pki.another_server_cert();
    for part in [new.chain_pem().len() / 2, new.chain_pem().len()] {
        files.write("tls.crt", &new.chain_pem()[..part]);
        files.write("tls.key", new.key_pem());
        tokio::time::sleep(look).await;
        assert_eq!(loads.load(Ordering::Relaxed), 1, "only one look has found it so");
    }
    tokio::time::sleep(look).await;
    assert_eq!(loads.load(Ordering::Relaxed), 2);
    tokio::time::sleep(look * 10).await;
    assert_eq!(loads.load(Ordering::Relaxed), 2, "nothing has changed since");
    assert!(reloader.last_error().is_none());
}

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

pub(crate) async fn http2(address: SocketAddr, mut config: ClientConfig) -> SendRequest<Body> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    let io = TokioIo::new(connect(address, &config).await.unwrap());
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
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

/// Polls a future once.
pub(crate) async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
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

#[tokio::test]
async fn what_expires_is_told() {
    let pki = Pki::new();
    let files = pki.files();
    let reloader = files.reloader();
    let acceptor = reloader.acceptor();
    let near = |time: Option<UnixTime>, days: i64| {
        let expected = (OffsetDateTime::now_utc() + time::Duration::days(days)).unix_timestamp();
        let seconds = i64::try_from(time.unwrap().as_secs()).unwrap();
        assert!((expected - 60..=expected).contains(&seconds), "{seconds}, not {expected}");
    };
    near(acceptor.server_cert_not_after(), 30);
    near(acceptor.crl_next_update(), 7);

    let later = pki.server_cert(|params| {
        params.not_after = OffsetDateTime::now_utc() + time::Duration::days(365 * 40);
    });
    files.write_server(&later);
    let crls = [9, 2, 5].map(|days| pki.ca.crl_pem(&[], time::Duration::days(days)));
    files.write("ca.crl", crls.concat());
    reloader.reload().unwrap();
    near(acceptor.server_cert_not_after(), 365 * 40);
    near(acceptor.crl_next_update(), 2);

    let by_hand = pki.server.acceptor(verifier(NoClientCert).build().unwrap());
    assert_eq!((by_hand.server_cert_not_after(), by_hand.crl_next_update()), (None, None));
}

#[test]
fn loads_are_told_and_failures_once() {
    let pki = Pki::new();
    let files = pki.files();
    let mut reloader = None;
    let log = capture(|| reloader = Some(files.reloader()));
    let reloader = reloader.unwrap();
    let seconds = |time: Option<UnixTime>| time.unwrap().as_secs();
    for told in [
        "INFO".to_owned(),
        format!("server_cert_not_after={}", seconds(reloader.acceptor().server_cert_not_after())),
        format!("crl_next_update={}", seconds(reloader.acceptor().crl_next_update())),
    ] {
        assert!(log.contains(&told), "{log}");
    }

    files.write("ca.crl", pki.ca.crl_pem(&[], -time::Duration::days(1)));
    let log = capture(|| reloader.reload().unwrap());
    assert!(log.contains("WARN") && log.contains("has expired"), "{log}");

    fs::remove_file(files.path("tls.key")).unwrap();
    let log = capture(|| {
        for _ in 0..3 {
            reloader.reload().unwrap_err();
        }
        fs::remove_file(files.path("tls.crt")).unwrap();
        reloader.reload().unwrap_err();
    });
    assert_eq!(log.matches("WARN").count(), 2, "each reason once: {log}");
    for told in ["tls.key: No such file", "tls.crt: No such file", "the old TLS configuration stays in use"] {
        assert!(log.contains(told), "{log}");
    }
}
