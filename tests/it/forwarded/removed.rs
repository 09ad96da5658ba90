//! What does not reach the handler: forged headers, other spellings, and trailers.

use axum::body::Body;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, Full};

use super::{CERT, app, elsewhere, loopback, request, send, serve};
use crate::harness::skipper_value;
use crate::pki::Identity;

/// Security invariant I-23: removed in every spelling, and the extractor says so.
#[tokio::test]
async fn i1_a_forged_header_of_an_untrusted_peer_is_removed_in_every_folding() {
    let value = skipper_value(&Identity::self_signed("mallory").chain);
    let address = serve(app(elsewhere())).await;
    for http2 in [false, true] {
        for byte in "!#$%&'*+-.^_`|~".chars() {
            let name = CERT.replace('-', &byte.to_string());
            let headers = [(name.as_str(), value.as_str()), ("connection", name.as_str())];
            let headers = if http2 { &headers[..1] } else { &headers[..] };
            for path in ["/required", "/optional"] {
                let response = send(address, http2, request(address, path, headers)).await;
                assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name} {path}");
                assert!(response.body().contains("not come from a trusted proxy"), "{}", response.body());
                assert!(response.body().contains(&format!("`{name}`")), "{}", response.body());
            }
            let seen = send(address, http2, request(address, "/headers", headers)).await;
            assert_eq!(seen.body(), " | ", "{name}");
        }
    }
}

/// A proxy may write its own name and let the other spellings of its client through.
#[tokio::test]
async fn a_trusted_proxy_passes_no_other_spelling_on() {
    let value = skipper_value(&Identity::self_signed("alice").chain);
    let address = serve(app(loopback())).await;
    let forged = CERT.replace('-', "_");
    let headers = [(CERT, value.as_str()), (forged.as_str(), "forged"), ("x-other", "1")];
    for http2 in [false, true] {
        let seen = send(address, http2, request(address, "/headers", &headers)).await;
        assert_eq!(seen.body(), &format!("{CERT} x-other | "), "{http2}");
    }
}

/// Whoever sent them: a proxy passes its client's trailers on.
#[tokio::test]
async fn i2_no_trailer_reaches_the_handler_under_an_owned_name() {
    for trusted in [loopback(), elsewhere()] {
        let address = serve(app(trusted)).await;
        for http2 in [false, true] {
            let mut trailers = HeaderMap::new();
            trailers.insert(CERT, "forged".parse().unwrap());
            trailers.insert("x_forwarded_tls_client_cert", "forged".parse().unwrap());
            trailers.insert("x-checksum", "1".parse().unwrap());
            // Over HTTP/1.1 only trailers that are announced are sent, and only with chunks.
            let announced = format!("x-checksum, {CERT}, x_forwarded_tls_client_cert");
            let mut request = request(address, "/headers", &[("trailer", &announced)]);
            *request.method_mut() = http::Method::POST;
            if !http2 {
                request.headers_mut().insert("transfer-encoding", "chunked".parse().unwrap());
            }
            let body = Full::from("body").with_trailers(async { Some(Ok(trailers)) });
            let request = request.map(|_| Body::new(body));
            let seen = send(address, http2, request).await;
            let (_, trailers) = seen.body().split_once(" | ").unwrap();
            assert!(trailers == "x-checksum", "{}", seen.body());
        }
    }
}
