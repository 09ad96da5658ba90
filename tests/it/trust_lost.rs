//! Open connections after what vouched for them has gone: revoked, expired, CA removed, policy tightened.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rcgen::SerialNumber;
use rustls::ClientConfig;
use rustls::pki_types::UnixTime;
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tower::Layer as _;
use tower_client_cert::{
    ClientAuthPolicy, ClientCertAcceptor, Reloader, TlsConnectInfo, TrustLost, UnverifiedReason, Verification,
};

use crate::clock::Clock;
use crate::forge_crl::{Entry, ForgedCrl};
use crate::harness::{connect, http2, poll_once, read, until, verifier};
use crate::pki::Authority;
use crate::reload::Pki;

use ClientAuthPolicy::{RequestClientCert, RequireAndVerifyClientCert, VerifyClientCertIfGiven};

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
        Ok(read(response).await.into_body())
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
        let _ = sent.send(read(response).await.into_body());
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
pub(crate) async fn accept(acceptor: &ClientCertAcceptor, config: ClientConfig) -> TlsConnectInfo {
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
    let tight = Arc::new(AtomicBool::new(false));
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
    assert_eq!(poll_once(anonymouses).await, Some(TrustLost::NoCertificate { policy }));

    files.write("ca.crt", Authority::root("another CA").pem());
    reloader.reload().unwrap();
    let verification = Verification::Unverified(UnverifiedReason::UnknownIssuer);
    assert_eq!(poll_once(alices).await, Some(TrustLost::NotVerified { verification }));
    // Who asks late is told at once.
    let late = std::pin::pin!(acceptor.trust_lost(&alice));
    assert_eq!(poll_once(late).await, Some(TrustLost::NotVerified { verification }));
}

#[tokio::test]
async fn a_verdict_that_backends_were_told_is_lost_though_the_policy_takes_any_certificate() {
    let pki = Pki::new();
    let files = pki.files();
    let reloader = Reloader::new(files.load(RequestClientCert, |_| {})).unwrap();
    let acceptor = reloader.acceptor();
    let mallory = Authority::root("stranger").client("mallory");
    let alice = accept(&acceptor, pki.client()).await;
    let mallory = accept(&acceptor, pki.server.client(Some(&mallory), &[&TLS13])).await;
    assert!(alice.peer_certificates().unwrap().is_verified());

    files.write("ca.crt", Authority::root("another CA").pem());
    reloader.reload().unwrap();
    let verification = Verification::Unverified(UnverifiedReason::UnknownIssuer);
    let alices = std::pin::pin!(acceptor.trust_lost(&alice));
    assert_eq!(poll_once(alices).await, Some(TrustLost::NotVerified { verification }));
    let mallorys = std::pin::pin!(acceptor.trust_lost(&mallory));
    assert_eq!(poll_once(mallorys).await, None, "there was none to lose");
}

#[tokio::test]
async fn trust_is_lost_when_the_certificate_expires() {
    let pki = Pki::new();
    let clock = Clock::now();
    let verifier = verifier(RequireAndVerifyClientCert).roots([pki.ca.der()]).build().unwrap();
    let mut config = pki.server.config(&verifier);
    clock.used_in(&mut config);
    let acceptor = ClientCertAcceptor::new(config, verifier);
    let info = accept(&acceptor, pki.client()).await;

    let mut lost = std::pin::pin!(acceptor.trust_lost(&info));
    assert_eq!(poll_once(lost.as_mut()).await, None);
    // From here on time passes as fast as nobody has anything to do; the certificate is good for 30 days.
    tokio::time::pause();
    clock.advance(29 * 86_400);
    tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
    assert_eq!(poll_once(lost.as_mut()).await, None);
    clock.advance(86_400 + 1);
    let verification = Verification::Unverified(UnverifiedReason::Expired);
    let lost = tokio::time::timeout(Duration::from_secs(2 * 3600), lost).await;
    assert_eq!(lost.expect("it looks at the clock every hour"), TrustLost::NotVerified { verification });
}

#[tokio::test]
async fn trust_is_lost_in_the_second_in_which_a_crl_ends_or_another_begins() {
    let now = UnixTime::now().as_secs() as i64;
    let pki = Pki::new();
    let serial = 4711;
    let alice = pki.ca.issue("alice", |params| params.serial_number = Some(SerialNumber::from(serial)));
    let clears = |next_update| ForgedCrl::new(now - 60, now + next_update).of(&pki.ca);
    let revokes = ForgedCrl::new(now + 1200, now + 9000).entry(Entry::new(serial)).of(&pki.ca);
    for (crls, reason) in [
        (vec![clears(1200)], UnverifiedReason::ExpiredCrl),
        (vec![revokes, clears(8000)], UnverifiedReason::Revoked),
    ] {
        let clock = Clock::at(now as u64);
        let verifier = verifier(RequestClientCert).roots([pki.ca.der()]).crls(crls).build().unwrap();
        let mut config = pki.server.config(&verifier);
        clock.used_in(&mut config);
        let acceptor = ClientCertAcceptor::new(config, verifier);
        let info = accept(&acceptor, pki.server.client(Some(&alice), &[&TLS13])).await;
        assert!(info.peer_certificates().unwrap().is_verified());

        let mut lost = std::pin::pin!(acceptor.trust_lost(&info));
        assert_eq!(poll_once(lost.as_mut()).await, None);
        tokio::time::pause();
        clock.advance(1199);
        assert_eq!(poll_once(lost.as_mut()).await, None);
        clock.advance(1);
        let verification = Verification::Unverified(reason);
        let lost = tokio::time::timeout(Duration::from_secs(1201), lost).await;
        assert_eq!(lost.expect("no later than the CRL says"), TrustLost::NotVerified { verification });
        tokio::time::resume();
    }
}
