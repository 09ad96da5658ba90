//! Who is let in behind a proxy: the client that the proxy tells of, and never the proxy itself.

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Extensions, HeaderMap, HeaderValue, Request, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::version::TLS13;
use time::{Duration, OffsetDateTime};
use tower::ServiceExt as _;
use tower_client_cert::Identified;
use tower_client_cert::authorize::{Denied, Evidence, Reason, RequireClientCertLayer, Rule};
use tower_client_cert::dialect::{Dialect, Envoy, Nginx, Outgoing, Rfc9440, VerifyStatus};
use tower_client_cert::forwarded::{ForwardedClientCertLayer, FromForwarded, TrustedProxies};
use tower_client_cert::{
    ClientAuthPolicy, ClientIdentity, PeerCertificates, TlsConnectInfo, UnverifiedReason, Verification,
};

use crate::harness::{HttpClient, Server, ServerPki, get as request, read, verifier};
use crate::log::Log;
use crate::pki::Authority;

async fn hello(client: ClientIdentity) -> String {
    format!("hello {}", client.common_name().unwrap_or("stranger"))
}

fn forwards<D: Dialect + 'static>(dialect: D, trusted: bool) -> ForwardedClientCertLayer<D> {
    let address = if trusted { [127, 0, 0, 1] } else { [192, 0, 2, 1] };
    ForwardedClientCertLayer::new(
        dialect,
        TrustedProxies::none().ip_range(IpAddr::from(Ipv4Addr::from(address))),
    )
}

/// The headers that a proxy writes in this dialect.
fn headers(dialect: &impl Dialect, chain: &[CertificateDer<'static>], status: VerifyStatus) -> HeaderMap {
    let mut headers = HeaderMap::new();
    dialect.encode(&Outgoing::new(chain, status), &mut headers);
    headers
}

fn failed(words: &'static str) -> VerifyStatus {
    VerifyStatus::Failed(words.into())
}

/// A user's own type.
struct Anybody;

impl TryFrom<ClientIdentity> for Anybody {
    type Error = StatusCode;

    fn try_from(_: ClientIdentity) -> Result<Self, Self::Error> {
        Ok(Self)
    }
}

fn app() -> Router {
    let any = || RequireClientCertLayer::new(Rule::any_certificate());
    Router::new()
        .route("/identity", get(hello))
        .route("/perhaps", get(|client: Option<ClientIdentity>| async move { format!("{client:?}") }))
        .route("/own-type", get(|_: Identified<Anybody>| async { "anybody" }))
        .route("/default", get(hello).layer(any()))
        .route("/forwarded", get(hello).layer(any().from_source(FromForwarded::<Nginx>::new())))
        .route(
            "/extension",
            get(async |request: Request<Body>| {
                format!("{:?}", request.extensions().get::<ClientIdentity>().is_some())
            }),
        )
        .route("/peer", get(|peer: PeerCertificates| async move { name(&peer) }))
}

fn name(peer: &PeerCertificates) -> String {
    peer.identity().unwrap().common_name().unwrap().to_owned()
}

#[tokio::test]
async fn the_proxys_own_certificate_never_is_the_user() {
    let ca = Authority::root("CA of proxies");
    let pki = ServerPki::new();
    let acceptor =
        pki.acceptor(verifier(ClientAuthPolicy::VerifyClientCertIfGiven).roots([ca.der()]).build().unwrap());
    let proxy = ca.client("front-proxy");
    let alice = Authority::root("CA of users").client("alice");
    let only_the_proxy = RequireClientCertLayer::new(Rule::san_dns(["front-proxy.test"]).unwrap());
    for (trusted, guarded, tells) in [
        (true, false, true),
        (true, false, false),
        (false, false, true),
        (false, false, false),
        (true, true, true),
        (false, true, true),
    ] {
        let mut app = app().layer(forwards(Nginx::new(), trusted));
        if guarded {
            app = app.layer(only_the_proxy.clone());
        }
        let server = Server::start(acceptor.clone(), app).await;
        for http2 in [false, true] {
            let client = HttpClient::new(pki.client(Some(&proxy), &[&TLS13]), http2);
            let ask = async |path| {
                let mut request = request(server.address, path);
                if tells {
                    let told = headers(&Nginx::new(), &alice.chain, VerifyStatus::Success);
                    request.headers_mut().extend(told);
                }
                // At every level, since other tests may have used the limit up for a moment.
                let log = Log::with_filter("tower_client_cert=debug");
                let response = client.send(server.address, request).await;
                (response.status().as_u16(), response.body().clone(), log.text())
            };
            for path in ["/identity", "/perhaps", "/own-type", "/default"] {
                let (status, body, log) = ask(path).await;
                assert_eq!((status, body.as_str()), (500, ""), "{path}, trusted {trusted}");
                let once_per_layer = path == "/default" && http2;
                assert!(once_per_layer || log.contains(".from_source(FromForwarded::"), "{path}: {log}");
            }
            let (status, body, _) = ask("/forwarded").await;
            match (trusted, tells) {
                (true, true) => assert_eq!((status, body.as_str()), (200, "hello alice")),
                (true, false) => assert_eq!((status, body.as_str()), (401, "")),
                (false, _) => assert_eq!((status, body.as_str()), (403, "")),
            }
            assert_eq!(ask("/extension").await.1, "false", "trusted {trusted}, guarded {guarded}");
            assert_eq!(ask("/peer").await.1, "front-proxy");
        }
    }
}

/// One request from the trusted proxy, to a route behind this source: the answer, why not, and what was logged.
async fn ask<D: Dialect + Clone + Send + Sync + 'static>(
    dialect: &D,
    source: FromForwarded<D>,
    headers: HeaderMap,
) -> (u16, Option<Reason>, String) {
    let layer = RequireClientCertLayer::new(Rule::san_dns(["alice.test"]).unwrap()).from_source(source);
    let app = Router::new().route("/", get(hello)).layer(layer).layer(
        forwards(dialect.clone(), true).with_peer_ip(
            // As a server without `ConnectInfo` would say it.
            IpAddr::from(Ipv4Addr::LOCALHOST),
        ),
    );
    let log = Log::start();
    let mut request = Request::new(Body::empty());
    *request.headers_mut() = headers;
    let response = app.oneshot(request).await.unwrap();
    let (status, reason) =
        (response.status(), response.extensions().get::<Denied>().map(|denied| denied.reason()));
    let body = read(response).await.into_body();
    let expected = if status == StatusCode::OK { "hello alice" } else { "" };
    assert_eq!(body, expected, "{reason:?}");
    (status.as_u16(), reason, log.text())
}

#[tokio::test]
async fn another_cas_alice_is_not_let_in_whose_verdict_is_failed() {
    let alice = Authority::root("CA").client("alice").chain;
    let nginx = || FromForwarded::<Nginx>::new();
    let told = |status| headers(&Nginx::new(), &alice, status);
    assert_eq!(ask(&Nginx::new(), nginx(), told(VerifyStatus::Success)).await.0, 200);
    for source in [nginx(), nginx().proxy_verifies()] {
        for (words, reason) in [
            ("unable to get local issuer certificate", UnverifiedReason::UnknownIssuer),
            ("certificate has expired", UnverifiedReason::Expired),
            ("certificate revoked", UnverifiedReason::Revoked),
            ("unsuitable certificate purpose", UnverifiedReason::NotForClientAuth),
            ("self-signed certificate", UnverifiedReason::FailedAtProxy),
        ] {
            let (status, denied, log) = ask(&Nginx::new(), source.clone(), told(failed(words))).await;
            assert_eq!((status, denied), (403, Some(Reason::Unverified(reason))), "{words}");
            assert!(log.contains(&format!("detail=\"the proxy says: {words}\"")), "{log}");
            assert!(!log.contains("lets nobody in"), "{log}");
        }
    }
}

#[tokio::test]
async fn without_a_verdict_nobody_is_verified_unless_it_is_said_in_so_many_words() {
    let alice = Authority::root("CA").client("alice").chain;
    let told = || headers(&Rfc9440::new(), &alice, VerifyStatus::Success);
    let (status, reason, log) = ask(&Rfc9440::new(), FromForwarded::new(), told()).await;
    assert_eq!((status, reason), (403, Some(Reason::Unverified(UnverifiedReason::NotChecked))));
    assert!(log.contains("detail=\"the proxy forwarded the certificate without a verdict\""), "{log}");
    assert!(log.contains("WARN") && log.contains(".proxy_verifies()"), "{log}");
    let (status, _, log) = ask(&Rfc9440::new(), FromForwarded::new().proxy_verifies(), told()).await;
    assert_eq!((status, log.as_str()), (200, ""));
}

#[tokio::test]
async fn a_verifier_of_ones_own_decides_at_the_time_of_the_request_whatever_the_proxy_says() {
    let (ca, other) = (Authority::root("CA"), Authority::root("other CA"));
    let by = Arc::clone(
        &verifier(ClientAuthPolicy::RequireAndVerifyClientCert).roots([ca.der()]).build().unwrap(),
    );
    let intermediate = ca.intermediate("intermediate");
    let old = ca.issue("alice", |params| params.not_after = OffsetDateTime::now_utc() - Duration::hours(1));
    let chained = intermediate.client("alice").with([intermediate.der()]);
    let too_long = ca.client("alice").with(std::iter::repeat_n(ca.der(), 5));
    let verdict = |reason| (403, Some(Reason::Unverified(reason)));
    let expected = [
        ("alice", ca.client("alice"), (200, None)),
        ("alice by an intermediate", chained, (200, None)),
        ("another CA's", other.client("alice"), verdict(UnverifiedReason::UnknownIssuer)),
        ("an expired one", old, verdict(UnverifiedReason::Expired)),
        ("a chain that is too long", too_long, verdict(UnverifiedReason::Invalid)),
        ("another name", ca.client("bob"), (403, Some(Reason::WrongSan))),
    ];
    for (who, identity, expected) in expected {
        let told = headers(&Rfc9440::new(), &identity.chain, VerifyStatus::Success);
        for source in [FromForwarded::new(), FromForwarded::new().proxy_verifies()] {
            let (status, reason, log) =
                ask(&Rfc9440::new(), source.verified_by(Arc::clone(&by)), told.clone()).await;
            assert_eq!((status, reason), expected, "{who}");
            assert!(who != "a chain that is too long" || log.contains("presents 6 certificates"), "{log}");
        }
        if identity.chain.len() == 1 {
            for status in [VerifyStatus::Success, failed("certificate revoked")] {
                let told = headers(&Nginx::new(), &identity.chain, status);
                let answer =
                    ask(&Nginx::new(), FromForwarded::new().verified_by(Arc::clone(&by)), told).await;
                assert_eq!((answer.0, answer.1), expected, "{who}");
            }
        }
    }
}

#[tokio::test]
async fn no_certificate_has_as_many_reasons_as_there_are_answers() {
    let alice = Authority::root("CA").client("alice").chain;
    let nginx = Nginx::new();
    let by_name = |headers: &mut HeaderMap, name: &'static str, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    let mut malformed = headers(&nginx, &alice, VerifyStatus::Success);
    by_name(&mut malformed, "x-ssl-client-cert", "rubbish");
    let mut withheld = HeaderMap::new();
    by_name(&mut withheld, "x-ssl-client-verify", "FAILED:certificate has expired");
    for (headers, status, reason, detail) in [
        (HeaderMap::new(), 401, Reason::MissingCert, "the proxy forwarded none"),
        (headers(&nginx, &[], VerifyStatus::None), 401, Reason::MissingCert, "the client presented none"),
        (withheld, 401, Reason::MissingCert, "certificate has expired"),
        (malformed, 400, Reason::MalformedHeader, "x-ssl-client-cert"),
    ] {
        let (answer, why, log) = ask(&nginx, FromForwarded::new(), headers).await;
        assert_eq!((answer, why), (status, Some(reason)), "{log}");
        assert!(log.contains("detail=") && log.contains(detail), "{log}");
        assert!(!log.contains("lets nobody in"), "{log}");
    }
    // Envoy tells of a certificate without passing it on, unless told to.
    let mut envoy = HeaderMap::new();
    let element = "Hash=0707070707070707070707070707070707070707070707070707070707070707";
    by_name(&mut envoy, "x-forwarded-client-cert", element);
    let (status, reason, log) = ask(&Envoy::new(), FromForwarded::new().proxy_verifies(), envoy).await;
    assert_eq!((status, reason), (401, Some(Reason::MissingCert)), "{log}");
    assert!(log.contains("WARN") && log.contains("set_current_client_cert_details"), "{log}");
}

#[tokio::test]
async fn a_server_that_is_not_set_up_says_so_in_the_log_and_not_to_the_client() {
    async fn answer(app: Router) -> (StatusCode, Option<Reason>, String, String) {
        let log = Log::start();
        let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
        let (status, reason) =
            (response.status(), response.extensions().get::<Denied>().map(|denied| denied.reason()));
        (status, reason, read(response).await.into_body(), log.text())
    }
    let layer =
        RequireClientCertLayer::new(Rule::any_certificate()).from_source(FromForwarded::<Nginx>::new());
    let guarded = Router::new().route("/", get(hello)).layer(layer);
    for (app, advice) in [
        (guarded.clone(), "no ForwardedClientCertLayer for tower_client_cert::dialect::nginx::Nginx"),
        (guarded.layer(forwards(Nginx::new(), true)), "app.into_make_service_with_connect_info"),
    ] {
        let (status, reason, body, log) = answer(app).await;
        assert_eq!((status.as_u16(), reason, body.as_str()), (500, Some(Reason::Misconfigured), ""));
        assert!(log.contains("reason=misconfigured") && log.contains("WARN"), "{log}");
        assert!(log.contains(advice), "{log}");
    }
}

/// Somebody else's word for who the client is, further out, is not this connection's.
#[tokio::test]
async fn an_identity_from_elsewhere_is_not_taken_for_the_proxys() {
    let ca = Authority::root("CA");
    let (proxy, alice) = (ca.client("front-proxy").chain, ca.client("alice").chain);
    for (told, expected) in [(&alice, (200, "hello alice")), (&proxy, (500, ""))] {
        let told = told[0].clone();
        let elsewhere =
            move |_: &Extensions| Ok(Evidence::new(ClientIdentity::from_der(&told), Verification::Verified));
        let app = Router::new()
            .route("/", get(hello))
            .layer(forwards(Nginx::new(), true))
            .layer(RequireClientCertLayer::new(Rule::any_certificate()).from_source(elsewhere));
        let mut request = Request::new(Body::empty());
        let info = TlsConnectInfo::new(PeerCertificates::unverified(proxy.clone()));
        request.extensions_mut().insert(info);
        let response = app.oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        assert_eq!((status, read(response).await.body().as_str()), expected);
    }
}

#[test]
fn what_a_source_is_can_be_seen() {
    fn show(source: &impl Debug) -> String {
        format!("{source:?}")
    }
    let source = FromForwarded::<Nginx>::default();
    assert!(show(&source).contains("proxy_verifies: false, verified_by: None"), "{source:?}");
    let by = verifier(ClientAuthPolicy::RequestClientCert).build().unwrap();
    let source = source.proxy_verifies().verified_by(by).clone();
    assert!(
        show(&source).contains("proxy_verifies: true, verified_by: Some(RequestClientCert)"),
        "{source:?}"
    );
}
