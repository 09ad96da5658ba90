//! Certificates that are too large to forward: never is their owner anonymous.

use std::convert::Infallible;

use axum::body::Body;
use http::{HeaderMap, Request, Response, StatusCode};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_client_cert::dialect::{AnyDialect, Skipper};
use tower_client_cert::{ClientAuthPolicy, ClientCertLayer, PeerCertificates, TlsConnectInfo};

use crate::harness::verifier;
use crate::log::capture;
use crate::pki::{Authority, Identity, unknown_extension};
use crate::vectors::WITHOUT_CERTIFICATE;

/// A certificate of so many bytes and a few hundred more, and what a verifier says of it.
fn verified(bytes: usize) -> PeerCertificates {
    let ca = Authority::root("client CA");
    let alice = ca.issue("alice", |params| params.custom_extensions.push(unknown_extension(false, bytes)));
    let verifier = verifier(ClientAuthPolicy::RequireAndVerifyClientCert).roots([ca.der()]).build().unwrap();
    let peer = verifier.judge(alice.chain, rustls::pki_types::UnixTime::now()).unwrap().unwrap();
    assert!(peer.is_verified());
    peer
}

async fn send(layer: ClientCertLayer<AnyDialect>, peer: Option<PeerCertificates>) -> Response<HeaderMap> {
    let service = layer.layer(service_fn(|request: Request<_>| async move {
        Ok::<_, Infallible>(Response::new(request.headers().clone()))
    }));
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(TlsConnectInfo::new(peer));
    service.oneshot(request).await.unwrap()
}

#[tokio::test]
async fn what_is_too_large_is_refused_or_failed_and_never_anonymous() {
    let (large, small) = (verified(20 * 1024), verified(10));
    for name in AnyDialect::NAMES {
        let layer = || ClientCertLayer::with_dialect(name.parse::<AnyDialect>().unwrap());
        let anonymous = send(layer(), None).await;
        assert_eq!(anonymous.status(), StatusCode::OK, "{name}");
        let written = send(layer(), Some(small.clone())).await;
        assert_eq!(written.status(), StatusCode::OK, "{name}");
        assert_ne!(written.body(), anonymous.body(), "{name}");

        let response = send(layer(), Some(large.clone())).await;
        // Names alone are no larger for a larger certificate.
        if WITHOUT_CERTIFICATE.contains(name) {
            assert_eq!(response.status(), StatusCode::OK);
        } else if response.status() == StatusCode::OK {
            let failed = |value: &http::HeaderValue| {
                // HAProxy's is a number, 0 for success.
                value.as_bytes().starts_with(b"FAILED:")
                    || (*name == "haproxy" && value.len() < 4 && value != "0")
                    // Cloudflare's two words are `true` and `false`, CloudFront's `1` says that there is one.
                    || (*name == "cloudfront" && value == "1")
                    || (*name == "google-cloud" && value == "certificate too large to forward")
                    || (*name == "cloudflare-rfc9440" && value == "false")
            };
            assert!(response.body().values().any(failed), "{name}: {:?}", response.body());
            assert!(response.body().values().all(|value| value.len() < 1024), "{name}");
            assert_ne!(response.body(), anonymous.body(), "{name}");
        } else {
            assert_eq!(response.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "{name}");
            assert!(response.body().is_empty(), "the service behind was not asked");
        }
        // It is the limit that says so.
        let larger = send(layer().max_value_size(64 * 1024), Some(large.clone())).await;
        assert_eq!(larger.status(), StatusCode::OK, "{name}");
        assert!(
            larger.body().values().any(|value| value.len() > 20 * 1024) || WITHOUT_CERTIFICATE.contains(name),
            "{name}"
        );
    }
}

/// Without its verdict Skipper's header has no way to say that there is a certificate.
#[tokio::test]
async fn a_dialect_that_can_not_say_failed_refuses() {
    let service = |layer: ClientCertLayer<Skipper>| {
        layer.layer(service_fn(|_: Request<_>| async move { Ok::<_, Infallible>(Response::new(())) }))
    };
    for (layer, status) in [
        (ClientCertLayer::new(), StatusCode::OK),
        (ClientCertLayer::new().without_verify_header(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
    ] {
        // Verified or not: Skipper's forwards both.
        let stranger = Identity::self_signed("stranger").chain;
        let large = PeerCertificates::unverified([stranger, vec![vec![0; 20_000].into()]].concat());
        let peer = PeerCertificates::unverified(vec![vec![0; 20_000].into()]);
        for (peer, expected) in [(peer, status), (large, StatusCode::OK)] {
            let mut request = Request::new(Body::empty());
            request.extensions_mut().insert(TlsConnectInfo::new(peer));
            let response = service(layer.clone()).oneshot(request).await.unwrap();
            assert_eq!(response.status(), expected, "the leaf alone fits where only the chain does not");
        }
    }
}

#[test]
fn a_refusal_is_in_the_log_once_per_connection() {
    let info = TlsConnectInfo::new(Some(verified(20 * 1024)));
    let log = capture(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for _ in 0..3 {
            let layer = ClientCertLayer::with_dialect("rfc9440".parse::<AnyDialect>().unwrap());
            let mut request = Request::new(Body::empty());
            request.extensions_mut().insert(info.clone());
            let service = service_fn(|_: Request<_>| async move { Ok::<_, Infallible>(Response::new(())) });
            let layer = LAYER.get_or_init(|| layer).clone();
            let status = runtime.block_on(layer.layer(service).oneshot(request)).unwrap().status();
            assert_eq!(status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
    });
    assert_eq!(log.matches("refused with 431").count(), 1, "{log}");
}

static LAYER: std::sync::OnceLock<ClientCertLayer<AnyDialect>> = std::sync::OnceLock::new();
