//! What is served changes while it is served: by call and by files, good ones and bad ones.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, SanType, SerialNumber};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tower::Layer as _;
use tower_client_cert::{
    ClientAuthPolicy, ClientCertAcceptor, Reloader, ServerCertError, TlsConnectInfo, TrustLost,
    UnverifiedReason, Verification, VerifierError,
};

use crate::harness::{HttpClient, Server, ServerPki, connect, get as request, verifier};
use crate::pki::{Authority, Identity};
use crate::warnings::capture;

use ClientAuthPolicy::{NoClientCert, RequireAndVerifyClientCert, VerifyClientCertIfGiven};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A server's files.
struct Files {
    dir: TempDir,
}

impl Files {
    fn new(server: &Identity, ca: &Authority) -> Self {
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
    fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).unwrap();
    }

    fn write_server(&self, server: &Identity) {
        self.write("tls.crt", server.chain_pem());
        self.write("tls.key", server.key_pem());
    }

    fn reloader(&self) -> Reloader {
        self.reloader_with(RequireAndVerifyClientCert, |_| {})
    }

    fn reloader_with(
        &self,
        policy: ClientAuthPolicy,
        configure: impl Fn(&mut ServerConfig) + Send + Sync + 'static,
    ) -> Reloader {
        Reloader::new(self.load(policy, configure)).unwrap()
    }

    fn load(
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
    tokio::time::timeout(Duration::from_secs(60), async {
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

struct Pki {
    server: ServerPki,
    ca: Authority,
    alice: Identity,
}

impl Pki {
    fn new() -> Self {
        let ca = Authority::root("client CA");
        let alice = ca.client("alice");
        Self { server: ServerPki::new(), ca, alice }
    }

    fn files(&self) -> Files {
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

    fn client(&self) -> ClientConfig {
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

async fn http2(address: SocketAddr, mut config: ClientConfig) -> SendRequest<Body> {
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
    until(async || answered.load(Ordering::Relaxed) + over_it.load(Ordering::Relaxed) > 3_000).await;
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
async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
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

/// One connection over HTTP/2, served as the documentation of `trust_lost` has it.
struct Drained {
    sender: SendRequest<Body>,
    served: JoinHandle<TrustLost>,
    release: Arc<Notify>,
    arrived: Arc<Notify>,
}

impl Drained {
    async fn connect(acceptor: &ClientCertAcceptor, config: ClientConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (release, arrived) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let app = Router::new().route("/", get(async || "at once")).route("/slow", {
            let (release, arrived) = (Arc::clone(&release), Arc::clone(&arrived));
            get(async move || {
                arrived.notify_one();
                release.notified().await;
                "at last"
            })
        });
        let acceptor = acceptor.clone();
        let served = tokio::spawn(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            let (stream, info) = acceptor.accept(tcp).await.unwrap();
            let service = TowerToHyperService::new(info.layer(app));
            let server = auto::Builder::new(TokioExecutor::new());
            let mut connection = std::pin::pin!(server.serve_connection(TokioIo::new(stream), service));
            let lost = tokio::select! {
                result = connection.as_mut() => panic!("ended by itself: {result:?}"),
                lost = acceptor.trust_lost(&info) => lost,
            };
            connection.as_mut().graceful_shutdown();
            connection.await.unwrap();
            lost
        });
        Self { sender: http2(address, config).await, served, release, arrived }
    }

    async fn get(&mut self, path: &str) -> hyper::Result<String> {
        let uri = format!("https://localhost{path}");
        let response = self.sender.send_request(http::Request::get(uri).body(Body::empty()).unwrap()).await?;
        Ok(crate::harness::read(response).await.into_body())
    }
}

#[tokio::test]
async fn a_connection_whose_certificate_is_revoked_is_drained_and_no_other() {
    let pki = Pki::new();
    let files = pki.files();
    let reloader = files.reloader();
    let serial = SerialNumber::from(4711);
    let mallory = pki.ca.issue("mallory", |params| params.serial_number = Some(serial.clone()));
    let config = pki.server.client(Some(&mallory), &[&TLS13]);
    let mut mallory = Drained::connect(&reloader.acceptor(), config).await;
    let mut alice = Drained::connect(&reloader.acceptor(), pki.client()).await;
    assert_eq!(mallory.get("/").await.unwrap(), "at once");

    // A reload that changes nothing for either.
    reloader.reload().unwrap();
    let (arrived, release) = (Arc::clone(&mallory.arrived), Arc::clone(&mallory.release));
    let (sent, answer) = oneshot::channel();
    let mut sender = mallory.sender.clone();
    tokio::spawn(async move {
        let slow = http::Request::get("https://localhost/slow").body(Body::empty()).unwrap();
        let response = sender.send_request(slow).await.unwrap();
        let _ = sent.send(crate::harness::read(response).await.into_body());
    });
    arrived.notified().await;

    files.write("ca.crl", pki.ca.crl_pem(&[&serial], time::Duration::days(7)));
    reloader.reload().unwrap();
    // What is being answered is answered; nothing new is.
    until(async || mallory.get("/").await.is_err()).await;
    release.notify_one();
    assert_eq!(answer.await.unwrap(), "at last");
    let verification = Verification::Unverified(UnverifiedReason::Revoked);
    assert_eq!(mallory.served.await.unwrap(), TrustLost::NotVerified { verification });

    assert_eq!(alice.get("/").await.unwrap(), "at once");
    assert!(!alice.served.is_finished());
}

/// A connection that was accepted, of which only what was found out is kept.
async fn accept(acceptor: &ClientCertAcceptor, config: ClientConfig) -> TlsConnectInfo {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = tokio::spawn(async move { connect(address, &config).await });
    let (tcp, _) = listener.accept().await.unwrap();
    let (_stream, info) = acceptor.accept(tcp).await.unwrap();
    client.await.unwrap().unwrap();
    info
}

#[tokio::test]
async fn trust_is_lost_with_the_ca_and_with_a_tighter_policy() {
    let pki = Pki::new();
    let files = pki.files();
    let tight = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let reloader = {
        let tight = Arc::clone(&tight);
        let lenient = files.load(VerifyClientCertIfGiven, |_| {});
        let strict = files.load(RequireAndVerifyClientCert, |_| {});
        Reloader::new(move || if tight.load(Ordering::Relaxed) { strict() } else { lenient() }).unwrap()
    };
    let acceptor = reloader.acceptor();
    let alice = accept(&acceptor, pki.client()).await;
    let anonymous = accept(&acceptor, pki.server.client(None, &[&TLS12])).await;
    let mut alices = std::pin::pin!(acceptor.trust_lost(&alice));
    let mut anonymouses = std::pin::pin!(acceptor.trust_lost(&anonymous));

    reloader.reload().unwrap();
    assert_eq!(poll_once(alices.as_mut()).await, None);
    assert_eq!(poll_once(anonymouses.as_mut()).await, None);

    tight.store(true, Ordering::Relaxed);
    reloader.reload().unwrap();
    assert_eq!(poll_once(alices.as_mut()).await, None);
    let policy = RequireAndVerifyClientCert;
    assert_eq!(anonymouses.await, TrustLost::NoCertificate { policy });

    files.write("ca.crt", Authority::root("another CA").pem());
    reloader.reload().unwrap();
    let verification = Verification::Unverified(UnverifiedReason::UnknownIssuer);
    assert_eq!(alices.await, TrustLost::NotVerified { verification });
    // Who asks late is told at once.
    assert_eq!(acceptor.trust_lost(&alice).await, TrustLost::NotVerified { verification });
}

/// A clock that is set by hand.
#[derive(Debug)]
struct Clock(AtomicU64);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.load(Ordering::Relaxed))))
    }
}

#[tokio::test]
async fn trust_is_lost_when_the_certificate_expires() {
    let pki = Pki::new();
    let clock = Arc::new(Clock(AtomicU64::new(UnixTime::now().as_secs())));
    let verifier = verifier(RequireAndVerifyClientCert).roots([pki.ca.der()]).build().unwrap();
    let mut config = pki.server.config(&verifier);
    config.time_provider = Arc::clone(&clock) as Arc<dyn TimeProvider>;
    let acceptor = ClientCertAcceptor::new(config, verifier);
    let info = accept(&acceptor, pki.client()).await;

    let mut lost = std::pin::pin!(acceptor.trust_lost(&info));
    assert_eq!(poll_once(lost.as_mut()).await, None);
    // From here on time passes as fast as nobody has anything to do; the certificate is good for 30 days.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    clock.0.fetch_add(29 * 86_400, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
    assert_eq!(poll_once(lost.as_mut()).await, None);
    clock.0.fetch_add(86_400 + 1, Ordering::Relaxed);
    let verification = Verification::Unverified(UnverifiedReason::Expired);
    assert_eq!(lost.await, TrustLost::NotVerified { verification });
    assert!(begun.elapsed() <= Duration::from_secs(4 * 3600), "it looks at the clock every hour");
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
