//! Which peer is believed, by its address or by its certificate, and what its word is worth.

use axum::body::Body;
use axum::response::IntoResponse;
use http::{HeaderMap, Request, StatusCode};
use rustls::version::TLS13;
use tower::ServiceExt as _;
use tower_client_cert::dialect::{DecodeErrorKind, Skipper, TowerClientCert};
use tower_client_cert::forwarded::{
    ForwardedClientCert, ForwardedClientCertError, ForwardedClientCertLayer, Hop, TrustedProxies,
};
use tower_client_cert::{ClientAuthPolicy, Fingerprint, UnverifiedReason, Verification};

use super::{CERT, VERIFY, app, elsewhere, loopback, request, send, serve};
use crate::harness::{self, HttpClient, Server, ServerPki, skipper_value};
use crate::pki::{Authority, Identity};

#[tokio::test]
async fn a_trusted_proxy_is_believed_on_both_protocols() {
    let ca = Authority::root("CA");
    let chain = [ca.client("alice").chain, vec![ca.der()]].concat();
    let value = skipper_value(&chain);
    let address = serve(app(loopback())).await;
    for http2 in [false, true] {
        for path in ["/required", "/optional"] {
            let headers = [(CERT, value.as_str()), (VERIFY, "FAILED:certificate has expired")];
            let response = send(address, http2, request(address, path, &headers)).await;
            assert_eq!(response.status(), StatusCode::OK);
            let fingerprint = Fingerprint::of(&chain[0]);
            assert_eq!(response.body(), &format!("{fingerprint} of 2, FAILED:certificate has expired"));
        }
    }
}

/// The proxy's own client certificate, over TLS: by fingerprint and by name, and only if it was verified.
#[tokio::test]
async fn a_proxy_is_known_by_its_verified_certificate() {
    let pki = ServerPki::new();
    let ca = Authority::root("proxies");
    let proxy = ca.issue("edge", |params| {
        params.subject_alt_names.push(rcgen::SanType::URI("spiffe://example.org/edge".try_into().unwrap()));
    });
    let other = ca.client("other");
    let impostor = Authority::root("nobody").issue("edge", |params| {
        params.subject_alt_names.push(rcgen::SanType::URI("spiffe://example.org/edge".try_into().unwrap()));
    });
    let alice = Identity::self_signed("alice").chain;
    let value = skipper_value(&alice);

    let none = TrustedProxies::none;
    let mut by = vec![none().client_cert_fingerprint(Fingerprint::of(&proxy.chain[0]))];
    // An impostor's certificate of the right bytes is impossible; one that nobody verified is not.
    by.push(elsewhere().client_cert_fingerprint(Fingerprint::of(&proxy.chain[0])));
    by.extend([
        none().client_cert_dns_name("EDGE.test"),
        none().client_cert_dns_name("nosuch").client_cert_uri("spiffe://example.org/edge"),
    ]);
    for trusted in by {
        let policy = ClientAuthPolicy::RequestClientCert;
        let verifier = harness::verifier(policy).roots([ca.der()]).build().unwrap();
        let server = Server::start(pki.acceptor(verifier), app(trusted)).await;
        for http2 in [false, true] {
            for (identity, status) in [
                (Some(&proxy), StatusCode::OK),
                (Some(&other), StatusCode::FORBIDDEN),
                (Some(&impostor), StatusCode::FORBIDDEN),
                (None, StatusCode::FORBIDDEN),
            ] {
                let client = HttpClient::new(pki.client(identity, &[&TLS13]), http2);
                let mut request = harness::get(server.address, "/required");
                request.headers_mut().insert(CERT, value.parse().unwrap());
                request.headers_mut().insert(VERIFY, "SUCCESS".parse().unwrap());
                let response = client.send(server.address, request).await;
                assert_eq!(response.status(), status, "{}", response.body());
                if status == StatusCode::OK {
                    // The client's certificate, not the proxy's.
                    assert_eq!(response.body(), &format!("{} of 1, SUCCESS", Fingerprint::of(&alice[0])));
                }
            }
        }
        server.shut_down().await;
    }

    // The right certificate, on a server that has nothing to verify it with.
    let verifier = harness::verifier(ClientAuthPolicy::RequestClientCert).build().unwrap();
    let trusted = none().client_cert_fingerprint(Fingerprint::of(&proxy.chain[0]));
    let server = Server::start(pki.acceptor(verifier), app(trusted)).await;
    let client = HttpClient::new(pki.client(Some(&proxy), &[&TLS13]), true);
    let response = client.send(server.address, harness::get(server.address, "/required")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    server.shut_down().await;
}

/// Security invariant I-25: the backend may check for itself, and what comes out is a verdict.
#[tokio::test]
async fn a_forwarded_certificate_can_be_verified_again() {
    let ca = Authority::root("CA");
    let verifier =
        harness::verifier(ClientAuthPolicy::VerifyClientCertIfGiven).roots([ca.der()]).build().unwrap();
    let reader = ForwardedClientCertLayer::new(TowerClientCert::new(), loopback());
    let told = |chain: &[_]| {
        let mut headers = HeaderMap::new();
        headers.insert(CERT, skipper_value(chain).parse().unwrap());
        headers.insert(VERIFY, "SUCCESS".parse().unwrap());
        reader.read(&Hop::unknown().at("127.0.0.1".parse().unwrap()), &headers).unwrap()
    };
    let now = rustls::pki_types::UnixTime::now();
    let alice = told(&ca.client("alice").chain);
    assert_eq!(alice.verify_again(&verifier, now).unwrap(), Some(Verification::Verified));
    // The proxy says SUCCESS, and these roots say otherwise.
    let stranger = told(&Identity::self_signed("mallory").chain);
    assert!(stranger.is_verified_by_proxy());
    assert_eq!(
        stranger.verify_again(&verifier, now).unwrap(),
        Some(Verification::Unverified(UnverifiedReason::UnknownIssuer))
    );
    assert!(told(&[vec![0x30, 0x00].into()]).verify_again(&verifier, now).is_err());
}

/// Without axum's `ConnectInfo`, as a tower service and as a function.
#[tokio::test]
async fn servers_without_axum_name_the_peer_themselves() {
    let service = tower::service_fn(|request: Request<_>| async move {
        let client = ForwardedClientCert::<Skipper>::from_extensions(request.extensions());
        let _: tower_client_cert::StripTrailers<Body> = request.into_body();
        Ok::<_, std::convert::Infallible>(client)
    });
    let layer = ForwardedClientCertLayer::new(Skipper::new(), loopback());
    let ask = |ip: &str| {
        let request = Request::get("/").header(CERT, "MAA=").body(Body::empty()).unwrap();
        let layer = layer.clone().with_peer_ip(ip.parse().unwrap());
        tower::Layer::layer(&layer, service).oneshot(request)
    };
    assert_eq!(ask("127.0.0.2").await.unwrap().unwrap().end_entity().unwrap().as_ref(), [0x30, 0x00]);
    assert_eq!(
        ask("192.0.2.1").await.unwrap().unwrap_err(),
        ForwardedClientCertError::Untrusted { header: Some(CERT.parse().unwrap()) }
    );

    let mut headers = HeaderMap::new();
    headers.insert(CERT, "".parse().unwrap());
    let trusted = Hop::unknown().at("::ffff:127.0.0.1".parse().unwrap());
    let error = layer.receive(&trusted, &mut headers).unwrap_err();
    let ForwardedClientCertError::Malformed(error) = error else { panic!("{error:?}") };
    assert_eq!((error.kind(), error.offset()), (&DecodeErrorKind::Empty, 0));
    assert!(headers.contains_key(CERT));
    let error = layer.receive(&Hop::unknown(), &mut headers).unwrap_err();
    assert_eq!(error, ForwardedClientCertError::HopUnknown);
    assert_eq!(error.into_response().status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(headers.is_empty());
}
