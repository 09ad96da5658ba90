//! The layer that lets in by rule: at the edge, behind a proxy, per route; and the extractors behind it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::OriginalUri;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Router};
use http::{Extensions, Request, Response, StatusCode};
use rcgen::SanType;
use rustls::version::TLS13;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_client_cert::authorize::{Denied, Evidence, Reason, RequireClientCertLayer, Rule};
use tower_client_cert::identity::IdentityError;
use tower_client_cert::{
    ClientAuthPolicy, ClientIdentity, Identified, PeerCertificates, TlsConnectInfo, UnverifiedReason,
    Verification,
};

use crate::forge::{CN, Forged, UTF8};
use crate::harness::{HttpClient, Server, ServerPki, get as request, read, verifier};
use crate::log::Log;
use crate::pki::{Authority, Identity};

const UNVERIFIED: Verification = Verification::Unverified(UnverifiedReason::UnknownIssuer);

async fn hello(client: ClientIdentity) -> String {
    format!("hello {}", client.common_name().unwrap_or("stranger"))
}

/// Routes with a rule each, on a server that asks everybody and refuses nobody.
fn app(pin: &Rule) -> Router {
    let only = |rule: Rule| RequireClientCertLayer::new(rule);
    Router::new()
        .route("/open", get(|| async { "open" }))
        .route("/any", get(hello).layer(only(Rule::any_certificate())))
        .route("/alice", get(hello).layer(only(Rule::san_dns(["alice.test"]).unwrap())))
        .route("/workload", get(hello).layer(only(Rule::spiffe_trust_domain(["example.org"]).unwrap())))
        .route("/pinned", get(hello).layer(only(Rule::even_unverified(pin.clone()))))
        .route("/identity", get(hello))
        .route("/perhaps", get(|client: Option<ClientIdentity>| async move { client.is_some().to_string() }))
        .route("/shop", get(|Identified(Shop(name)): Identified<Shop>| async move { name }))
}

/// A user's own type.
struct Shop(String);

struct NotAShop;

impl IntoResponse for NotAShop {
    fn into_response(self) -> axum::response::Response {
        (StatusCode::IM_A_TEAPOT, "no shop").into_response()
    }
}

impl TryFrom<ClientIdentity> for Shop {
    type Error = NotAShop;

    fn try_from(client: ClientIdentity) -> Result<Self, Self::Error> {
        let shop = client.dns_names().find_map(|host| host.strip_suffix(".shop.test"));
        shop.map(|name| Self(name.to_owned())).ok_or(NotAShop)
    }
}

#[tokio::test]
async fn each_route_lets_in_whom_its_rule_lets_in() {
    let ca = Authority::root("client CA");
    let pki = ServerPki::new();
    let self_signed = Identity::self_signed("pinned");
    let pin = ClientIdentity::from_der(&self_signed.chain[0]).unwrap().spki_hash();
    let acceptor =
        pki.acceptor(verifier(ClientAuthPolicy::RequestClientCert).roots([ca.der()]).build().unwrap());
    let server = Server::start(acceptor, app(&Rule::spki([pin.to_string()]).unwrap())).await;

    let alice = ca.client("alice");
    let web = ca.issue("web", |params| {
        params.subject_alt_names = vec![
            SanType::URI("spiffe://example.org/web".try_into().unwrap()),
            SanType::DnsName("books.shop.test".try_into().unwrap()),
        ];
    });
    let forged = Authority::root("client CA").client("alice");
    let paths = ["/open", "/any", "/alice", "/workload", "/pinned", "/identity", "/shop", "/perhaps"];
    for (who, identity, statuses) in [
        ("nobody", None, [200, 401, 401, 401, 401, 401, 401, 200]),
        ("alice", Some(&alice), [200, 200, 200, 403, 403, 200, 418, 200]),
        ("web", Some(&web), [200, 200, 403, 200, 403, 200, 200, 200]),
        ("mallory as alice", Some(&forged), [200, 403, 403, 403, 403, 403, 403, 403]),
        ("the pinned one", Some(&self_signed), [200, 403, 403, 403, 200, 403, 403, 403]),
    ] {
        for http2 in [false, true] {
            let client = HttpClient::new(pki.client(identity, &[&TLS13]), http2);
            for (path, status) in paths.iter().zip(statuses) {
                let response = client.send(server.address, request(server.address, path)).await;
                assert_eq!(response.status(), status, "{who} at {path}");
                if matches!(*path, "/any" | "/alice" | "/workload" | "/pinned") && status != 200 {
                    assert_eq!(response.body(), "", "{who} is told why at {path}");
                }
            }
        }
    }
    let client = HttpClient::new(pki.client(Some(&web), &[&TLS13]), true);
    assert_eq!(client.send(server.address, request(server.address, "/shop")).await.body(), "books");
    assert_eq!(client.send(server.address, request(server.address, "/workload")).await.body(), "hello web");
}

/// What a layer that trusts a proxy would put on a request: the client's certificate, and whether it was verified.
#[derive(Clone)]
struct Forwarded(Vec<u8>, Verification);

fn forwarded(extensions: &Extensions) -> Result<Evidence, Reason> {
    let Forwarded(der, verification) = extensions.get().ok_or(Reason::MissingCert)?;
    Ok(Evidence::new(ClientIdentity::from_der(der), *verification))
}

#[tokio::test]
async fn the_same_rule_holds_behind_a_proxy_and_looks_at_nothing_but_what_the_proxy_says() {
    let rule = Rule::common_name(["alice"]).unwrap();
    let layer = RequireClientCertLayer::new(rule).from_source(forwarded);
    let app = Router::new().route("/", get(hello).layer(layer));
    let alice = Forged::subject(&[&[(CN, UTF8, b"alice")]]).der();
    // The proxy's own certificate, on the connection to the backend.
    let proxy = PeerCertificates::unverified(vec![alice.clone().into()]);
    let ask = async |forwarded: Option<Forwarded>| {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(TlsConnectInfo::new(proxy.clone()));
        forwarded.map(|forwarded| request.extensions_mut().insert(forwarded));
        let response = app.clone().oneshot(request).await.unwrap();
        let denied = response.extensions().get::<Denied>().map(|denied| denied.reason());
        (denied, read(response).await.into_body())
    };
    let verified = |der: &[u8]| Some(Forwarded(der.to_vec(), Verification::Verified));
    assert_eq!(ask(verified(&alice)).await, (None, "hello alice".to_owned()));
    assert_eq!(ask(None).await, (Some(Reason::MissingCert), String::new()));
    assert_eq!(ask(verified(&Forged::default().der())).await.0, Some(Reason::WrongCn));
    assert_eq!(ask(verified(b"0")).await.0, Some(Reason::Unreadable(IdentityError::NotACertificate)));
    let unverified = ask(Some(Forwarded(alice.clone(), UNVERIFIED))).await.0;
    assert_eq!(unverified, Some(Reason::Unverified(UnverifiedReason::UnknownIssuer)));
}

#[tokio::test]
async fn the_inner_service_sees_no_request_that_was_denied() {
    let calls = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&calls);
    let service =
        RequireClientCertLayer::new(Rule::any_certificate()).layer(service_fn(move |_: Request<()>| {
            *counted.lock().unwrap() += 1;
            async { Ok::<_, Infallible>(Response::new(String::from("in"))) }
        }));
    let plaintext = service.clone().oneshot(Request::new(())).await.unwrap();
    assert_eq!(plaintext.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(plaintext.extensions().get::<Denied>().unwrap().reason(), Reason::MissingTls);

    let mut anonymous = Request::new(());
    anonymous.extensions_mut().insert(TlsConnectInfo::new(None));
    let anonymous = service.clone().oneshot(anonymous).await.unwrap();
    assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(anonymous.extensions().get::<Denied>().unwrap().reason(), Reason::MissingCert);

    let mut unverified = Request::new(());
    let peer = PeerCertificates::unverified(vec![Forged::default().der().into()]);
    unverified.extensions_mut().insert(TlsConnectInfo::new(peer));
    let unverified = service.oneshot(unverified).await.unwrap();
    assert_eq!(unverified.status(), StatusCode::FORBIDDEN);
    assert_eq!(unverified.extensions().get::<Denied>().unwrap().reason().to_string(), "wrong-auth");
    assert_eq!(*calls.lock().unwrap(), 0);
}

#[tokio::test]
async fn the_response_can_be_replaced_and_still_carries_the_reason() {
    let layer = RequireClientCertLayer::new(Rule::any_certificate()).with_response(|denied: &Denied| {
        (StatusCode::NOT_FOUND, format!("nothing here ({})", denied.status())).into_response()
    });
    let app = Router::new().route("/", get(|| async { "in" })).layer(layer);
    let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.extensions().get::<Denied>().unwrap().reason(), Reason::MissingTls);
    assert_eq!(read(response).await.body(), "nothing here (401 Unauthorized)");
}

#[tokio::test]
async fn what_was_let_in_tells_handlers_who_it_is() {
    let source = |_: &Extensions| {
        let alice = Forged::subject(&[&[(CN, UTF8, b"alice")]]).der();
        Ok(Evidence::new(ClientIdentity::from_der(&alice), Verification::Verified))
    };
    let layer = RequireClientCertLayer::new(Rule::any_certificate()).from_source(source);
    let handler = |Extension(client): Extension<ClientIdentity>, OriginalUri(uri): OriginalUri| async move {
        format!("{} at {uri}", client.common_name().unwrap())
    };
    let app = Router::new().route("/x", get(handler)).layer(layer);
    let response = app.oneshot(Request::get("/x").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(read(response).await.body(), "alice at /x");
}

#[tokio::test]
async fn an_identity_that_nobody_could_have_is_the_servers_fault() {
    let app = Router::new().route("/", get(hello));
    let ask = async |info: Option<TlsConnectInfo>| {
        let mut request = Request::new(Body::empty());
        info.map(|info| request.extensions_mut().insert(info));
        app.clone().oneshot(request).await.unwrap().status()
    };
    assert_eq!(ask(None).await, StatusCode::INTERNAL_SERVER_ERROR);
    let never_asked = TlsConnectInfo::new(None).with_policy(ClientAuthPolicy::NoClientCert);
    assert_eq!(ask(Some(never_asked)).await, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(ask(Some(TlsConnectInfo::new(None))).await, StatusCode::UNAUTHORIZED);
    let unverified = PeerCertificates::unverified(vec![Forged::default().der().into()]);
    assert_eq!(ask(Some(TlsConnectInfo::new(unverified))).await, StatusCode::FORBIDDEN);
}

/// What is logged while it runs.
async fn logged(run: impl Future<Output = ()>) -> String {
    let log = Log::start();
    run.await;
    log.text()
}

#[tokio::test]
async fn the_reason_is_in_the_log_with_the_name_escaped() {
    let source = |_: &Extensions| {
        let evil = Forged::subject(&[&[(CN, UTF8, b"alice\n2026 INFO let in, reason=none")]]).der();
        Ok(Evidence::new(ClientIdentity::from_der(&evil), Verification::Verified))
    };
    let layer = RequireClientCertLayer::new(Rule::common_name(["alice"]).unwrap()).from_source(source);
    let service = layer.layer(service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(()))));
    let log = logged(async {
        service.oneshot(Request::new(())).await.unwrap();
    })
    .await;
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("reason=wrong-cn") && log.contains(r#"subject="CN=alice\\0A2026"#), "{log}");
}

#[tokio::test]
async fn a_layer_that_lets_nobody_in_says_why_once() {
    let service = RequireClientCertLayer::new(Rule::any_certificate())
        .layer(service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(()))));
    let log = logged(async {
        for _ in 0..3 {
            service.clone().oneshot(Request::new(())).await.unwrap();
        }
    })
    .await;
    assert_eq!(log.matches("lets nobody in: the request carries no TlsConnectInfo").count(), 1, "{log}");
    assert_eq!(log.matches("reason=missing-tls").count(), 3, "{log}");
}

#[tokio::test]
async fn a_policy_that_never_asks_is_a_mistake_at_the_edge_and_none_behind_a_proxy() {
    let layer = RequireClientCertLayer::new(Rule::any_certificate());
    let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(())));
    let request = || {
        let mut request = Request::new(());
        let info = TlsConnectInfo::new(None).with_policy(ClientAuthPolicy::NoClientCert);
        request.extensions_mut().insert(info);
        request
    };
    let log = logged(async {
        layer.layer(inner).oneshot(request()).await.unwrap();
    });
    let log = log.await;
    assert!(log.contains("lets nobody in: the policy is NoClientCert"), "{log}");
    let log = logged(async {
        layer.from_source(forwarded).layer(inner).oneshot(request()).await.unwrap();
    });
    let log = log.await;
    assert!(log.contains("missing-cert") && !log.contains("lets nobody in"), "{log}");
}
