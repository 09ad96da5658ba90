//! A verdict ends with the certificate, on connections that nobody watches: `axum::serve` has no way to end one.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::SerialNumber;
use rustls::version::TLS13;
use tower_client_cert::dialect::{Rfc9440, Skipper};
use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor, ClientCertLayer, PeerCertificates};

use crate::clock::Clock;
use crate::harness::{Server, ServerPki, connect, read, verifier};
use crate::pki::{Authority, Identity};

use ClientAuthPolicy::{
    NoClientCert, RequestClientCert, RequireAndVerifyClientCert, RequireAnyClientCert,
    VerifyClientCertIfGiven,
};

const CERT: &str = "x-forwarded-tls-client-cert";
const VERIFY: &str = "x-forwarded-tls-client-cert-verify";

/// Says what the extension and the headers of two dialects tell.
async fn tell(peer: Option<PeerCertificates>, headers: HeaderMap) -> String {
    let header = |name| headers.get(name).map_or("-", |value| value.to_str().unwrap());
    let peer = peer.map_or_else(|| "-".to_owned(), |peer| peer.verification().to_string());
    format!("{peer} | {} {} | {}", header(CERT) != "-", header(VERIFY), header("client-cert") != "-")
}

fn app() -> Router {
    Router::new()
        .fallback(tell)
        .layer(ClientCertLayer::with_dialect(Rfc9440::new()))
        .layer(ClientCertLayer::with_dialect(Skipper::new()))
}

/// One connection, open for as long as the test likes.
enum Connection {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Connection {
    async fn open(server: &Server, pki: &ServerPki, identity: Option<&Identity>, is_http2: bool) -> Self {
        let mut config = pki.client(identity, &[&TLS13]);
        config.alpn_protocols = vec![if is_http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        let io = TokioIo::new(connect(server.address, &config).await.unwrap());
        if is_http2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            Self::Http2(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            Self::Http1(sender)
        }
    }

    async fn get(&mut self) -> Response<String> {
        let request =
            Request::get("https://localhost/").header("host", "localhost").body(Body::empty()).unwrap();
        read(match self {
            Self::Http1(sender) => sender.send_request(request).await.unwrap(),
            Self::Http2(sender) => sender.send_request(request).await.unwrap(),
        })
        .await
    }

    async fn expect_refusal(mut self) {
        let response = self.get().await;
        assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST);
        assert_eq!(response.body(), "");
        match &mut self {
            Self::Http1(sender) => {
                assert_eq!(response.headers()["connection"], "close");
                assert!(sender.ready().await.is_err(), "the server closes it");
            }
            Self::Http2(sender) => {
                assert!(!response.headers().contains_key("connection"));
                assert!(sender.ready().await.is_ok(), "other streams go on");
            }
        }
    }
}

const NOT_AFTER: i64 = 4_000_000_000;

fn until_2096(ca: &Authority, name: &str) -> Identity {
    ca.issue(name, |params| {
        params.not_before = time::OffsetDateTime::now_utc() - time::Duration::DAY;
        params.not_after = time::OffsetDateTime::from_unix_timestamp(NOT_AFTER).unwrap();
    })
}

fn acceptor(
    pki: &ServerPki,
    policy: ClientAuthPolicy,
    ca: &Authority,
    clock: &Arc<Clock>,
) -> ClientCertAcceptor {
    let verifier = verifier(policy).roots([ca.der()]).build().unwrap();
    let mut config = pki.config(&verifier);
    clock.used_in(&mut config);
    ClientCertAcceptor::new(config, verifier)
}

#[tokio::test]
async fn i3_a_verdict_ends_in_the_second_after_the_certificate() {
    let ca = Authority::root("client CA");
    let pki = ServerPki::new();
    let (alice, stranger) = (until_2096(&ca, "alice"), Identity::self_signed("stranger"));
    for policy in
        [RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert]
    {
        for is_http2 in [false, true] {
            let clock = Clock::now();
            let server = Server::start(acceptor(&pki, policy, &ca, &clock), app()).await;
            let mut of_alice = Connection::open(&server, &pki, Some(&alice), is_http2).await;
            let good = "SUCCESS | true SUCCESS | true";
            assert_eq!(of_alice.get().await.body(), good);
            clock.set(NOT_AFTER as u64);
            assert_eq!(of_alice.get().await.body(), good, "its last second");
            clock.set(NOT_AFTER as u64 + 1);
            if policy.verifies() {
                of_alice.expect_refusal().await;
                continue;
            }
            let expired = "FAILED:certificate has expired | true FAILED:certificate has expired | false";
            assert_eq!(of_alice.get().await.body(), expired, "{policy}");
            clock.set(NOT_AFTER as u64);
            assert_eq!(of_alice.get().await.body(), expired, "what is lost stays lost");
            // One that was never verified has nothing to lose.
            let mut other = Connection::open(&server, &pki, Some(&stranger), is_http2).await;
            let unknown = other.get().await.into_body();
            clock.set(NOT_AFTER as u64 + 100);
            assert_eq!(other.get().await.body(), &unknown);
        }
    }
}

#[tokio::test]
async fn a_connection_without_a_certificate_goes_on() {
    let ca = Authority::root("client CA");
    let pki = ServerPki::new();
    for policy in [NoClientCert, RequestClientCert, VerifyClientCertIfGiven] {
        let clock = Clock::now();
        let server = Server::start(acceptor(&pki, policy, &ca, &clock), app()).await;
        let mut connection = Connection::open(&server, &pki, None, false).await;
        assert_eq!(connection.get().await.body(), "- | false NONE | false");
        clock.set(NOT_AFTER as u64 * 2);
        assert_eq!(connection.get().await.body(), "- | false NONE | false");
    }
}

mod reloaded {
    use std::sync::Mutex;

    use super::*;
    use tower_client_cert::{ClientVerifierBuilder, Reloader};

    /// A server whose next reload is what the test says.
    struct Setting {
        pki: Arc<ServerPki>,
        ca: Authority,
        alice: Identity,
        next: Arc<Mutex<ClientVerifierBuilder>>,
        reloader: Reloader,
    }

    impl Setting {
        fn new(policy: ClientAuthPolicy) -> Self {
            let ca = Authority::root("client CA");
            let alice = ca.issue("alice", |params| params.serial_number = Some(SerialNumber::from(4711)));
            let pki = Arc::new(ServerPki::new());
            let next = Arc::new(Mutex::new(verifier(policy).roots([ca.der()])));
            let load = {
                let (pki, next) = (Arc::clone(&pki), Arc::clone(&next));
                move || {
                    let verifier = next.lock().unwrap().clone().build()?;
                    Ok::<_, tower_client_cert::VerifierError>(pki.acceptor(verifier))
                }
            };
            Self { reloader: Reloader::new(load).unwrap(), pki, ca, alice, next }
        }

        fn reload(&self, next: ClientVerifierBuilder) {
            *self.next.lock().unwrap() = next;
            self.reloader.reload().unwrap();
        }

        fn with_ca(&self, policy: ClientAuthPolicy) -> ClientVerifierBuilder {
            verifier(policy).roots([self.ca.der()])
        }

        async fn open(&self, identity: Option<&Identity>) -> (Server, Connection) {
            let server = Server::start(self.reloader.acceptor(), app()).await;
            let connection = Connection::open(&server, &self.pki, identity, false).await;
            (server, connection)
        }
    }

    #[tokio::test]
    async fn i3_a_verdict_ends_with_a_reload_that_takes_it_back() {
        let serial = SerialNumber::from(4711);
        for policy in [RequestClientCert, RequireAndVerifyClientCert] {
            for revoked in [true, false] {
                let setting = Setting::new(policy);
                let (_server, mut connection) = setting.open(Some(&setting.alice)).await;
                assert_eq!(connection.get().await.body(), "SUCCESS | true SUCCESS | true");
                // One that changes nothing.
                setting.reload(setting.with_ca(policy).max_certificates(4));
                assert_eq!(connection.get().await.body(), "SUCCESS | true SUCCESS | true");
                let (next, reason) = if revoked {
                    let crl = setting.ca.crl(&[&serial], time::Duration::days(7));
                    (setting.with_ca(policy).crls([crl]), "certificate revoked")
                } else {
                    let other = Authority::root("another CA").der();
                    (verifier(policy).roots([other]), "unable to get local issuer certificate")
                };
                setting.reload(next);
                if policy.verifies() {
                    connection.expect_refusal().await;
                } else {
                    let expected = format!("FAILED:{reason} | true FAILED:{reason} | false");
                    assert_eq!(connection.get().await.body(), &expected);
                }
            }
        }
    }

    #[tokio::test]
    async fn a_tighter_policy_refuses_the_requests_of_whom_it_would_not_let_in() {
        let stranger = Identity::self_signed("stranger");
        for (identity, from, to) in [
            (None, NoClientCert, RequireAnyClientCert),
            (None, RequestClientCert, RequireAndVerifyClientCert),
            (Some(&stranger), RequestClientCert, VerifyClientCertIfGiven),
        ] {
            let setting = Setting::new(from);
            let (_server, mut connection) = setting.open(identity).await;
            assert_eq!(connection.get().await.status(), StatusCode::OK);
            setting.reload(setting.with_ca(to));
            connection.expect_refusal().await;
        }
    }

    #[tokio::test]
    async fn what_a_reload_brought_counts_after_the_reloader_is_gone() {
        let setting = Setting::new(RequireAndVerifyClientCert);
        let (_server, mut connection) = setting.open(Some(&setting.alice)).await;
        assert_eq!(connection.get().await.status(), StatusCode::OK);
        setting.reload(verifier(RequireAndVerifyClientCert).roots([Authority::root("another CA").der()]));
        drop(setting);
        connection.expect_refusal().await;
    }
}
