//! What a request without a certificate to read is answered with, and what a mistake in mounting the layer is.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use tower::ServiceExt as _;
use tower_client_cert::dialect::Skipper;
use tower_client_cert::forwarded::{ForwardedClientCert, ForwardedClientCertLayer};

use super::{CERT, VERIFY, app, elsewhere, loopback, request, send, serve};
use crate::harness::{read, skipper_value};
use crate::log::Log;
use crate::pki::Identity;

/// Invariant I8, security invariants I-23 and I-24: each answer has its status and its text.
#[tokio::test]
async fn i8_absent_empty_malformed_duplicated_and_untrusted_are_distinct() {
    let one = Identity::self_signed("alice").chain;
    let four: Vec<_> = one.iter().cycle().take(4).cloned().collect();
    let good = skipper_value(&one);
    let too_many = skipper_value(&four);
    let too_large = "A".repeat(8 * 1024 + 4);
    let broken = format!("{good},MII?");
    let at = format!("byte {}:", good.len() + 4);
    let rfc9440 = format!(":{good}:");

    // Name, headers, status, what the text says, and whether `Option` takes it for nobody.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], u16, &'a [&'a str], bool);
    const ANONYMOUS: &str = "anonymous";
    let cases: &[Case<'_>] = &[
        ("absent", &[], 401, &["the proxy forwarded none"], true),
        ("not presented", &[(VERIFY, "NONE")], 401, &["the client presented none"], true),
        ("withheld", &[(VERIFY, "FAILED:certificate has expired")], 401, &["certificate has expired"], true),
        ("empty", &[(CERT, "")], 400, &[CERT, "byte 0:", "empty"], false),
        ("duplicated", &[(CERT, &good), (CERT, &good)], 400, &[CERT, "more than once"], false),
        ("malformed", &[(CERT, &broken)], 400, &[CERT, &at, "not base64"], false),
        ("another dialect's", &[(CERT, &rfc9440)], 400, &[CERT, "byte 0:", "looks like", "rfc9440"], false),
        ("Apache's nothing", &[(CERT, "(null)")], 400, &[CERT, "byte 0:", "(null)", "Apache"], false),
        (
            "contradictory",
            &[(CERT, &good), (VERIFY, "NONE")],
            400,
            &[VERIFY, "NONE, but a certificate"],
            false,
        ),
        ("no status", &[(CERT, &good), (VERIFY, "success")], 400, &[VERIFY, "expected SUCCESS"], false),
        ("too many", &[(CERT, &too_many)], 400, &[CERT, "more than the 3 certificates allowed"], false),
        (
            "too large",
            &[(CERT, &too_large)],
            431,
            &[CERT, "byte 8192:", "more than the 8192 bytes allowed"],
            false,
        ),
    ];
    let address = serve(app(loopback())).await;
    for http2 in [false, true] {
        for (case, headers, status, texts, anonymous) in cases {
            let required = send(address, http2, request(address, "/required", headers)).await;
            assert_eq!(required.status(), *status, "{case}: {}", required.body());
            for text in *texts {
                assert!(required.body().contains(text), "{case}: {text:?} is not in {:?}", required.body());
            }
            let optional = send(address, http2, request(address, "/optional", headers)).await;
            if *anonymous {
                assert_eq!(
                    (optional.status(), optional.body().as_str()),
                    (StatusCode::OK, ANONYMOUS),
                    "{case}"
                );
            } else {
                assert_eq!(
                    (optional.status(), optional.body()),
                    (required.status(), required.body()),
                    "{case}"
                );
            }
        }
    }

    let address = serve(app(elsewhere())).await;
    let required = send(address, false, request(address, "/required", &[])).await;
    assert_eq!(required.status(), StatusCode::FORBIDDEN);
    assert_eq!(required.body(), "this request does not come from a trusted proxy");
    let optional = send(address, false, request(address, "/optional", &[])).await;
    assert_eq!((optional.status(), optional.body().as_str()), (StatusCode::OK, ANONYMOUS));
}

/// Security invariant I-29.
#[tokio::test]
async fn mounting_mistakes_are_500_with_the_line_to_write_in_the_log() {
    // At every level, since other tests may have used the limit up for a moment.
    let log = Log::with_filter("tower_client_cert=debug");
    // No layer at all.
    let bare = Router::new().route("/", get(|_: ForwardedClientCert| async {}));
    let response = bare.oneshot(Request::<Body>::default()).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(read(response).await.body(), "");
    let text = log.text();
    assert!(text.contains("Skipper") && text.contains(".layer(ForwardedClientCertLayer::new("), "{text}");

    // A layer for another dialect is no layer.
    let other = std::sync::Arc::new(Skipper::new());
    let other = Router::new()
        .route("/", get(|_: ForwardedClientCert| async {}))
        .layer(ForwardedClientCertLayer::new(other, loopback()));
    assert_eq!(
        other.oneshot(Request::<Body>::default()).await.unwrap().status(),
        StatusCode::INTERNAL_SERVER_ERROR
    );

    // Served without `ConnectInfo`: nobody knows the peer's address, so nobody is believed, not even without headers.
    for path in ["/required", "/optional"] {
        let forged = Request::get(path).header(CERT, "MAA=").body(Body::empty()).unwrap();
        for request in [forged, Request::get(path).body(Body::empty()).unwrap()] {
            let log = Log::with_filter("tower_client_cert=debug");
            let response = app(loopback()).oneshot(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(read(response).await.body(), "");
            let text = log.text();
            assert!(text.contains("into_make_service_with_connect_info"), "{text}");
        }
    }
    let forged = Request::get("/headers").header(CERT, "MAA=").body(Body::empty()).unwrap();
    assert_eq!(read(app(loopback()).oneshot(forged).await.unwrap()).await.body(), " | ");
}
