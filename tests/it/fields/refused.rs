//! What is not what a preset's proxy writes, and what contradicts itself.

use tower_client_cert::dialect::fields::FieldsBuilder;
use tower_client_cert::dialect::{DecodeErrorKind, Dialect as _, Fields, Limits, VerifyStatus};

use super::{after, alice, base64, bob, percent_pem};
use crate::vectors::{encode, map};

/// The kinds in short.
fn kind(builder: &FieldsBuilder, change: &[(&str, Option<&str>)]) -> &'static str {
    let dialect = builder.clone().build().unwrap();
    let headers = encode(&dialect, &[alice(), bob()].concat(), VerifyStatus::Success);
    match after(&dialect, &headers, change) {
        Ok(None) => "nothing",
        Ok(Some(_)) => "read",
        Err(DecodeErrorKind::Contradiction(_)) => "contradiction",
        Err(DecodeErrorKind::Field(_)) => "field",
        Err(DecodeErrorKind::Empty) => "empty",
        Err(DecodeErrorKind::Null) => "null",
        Err(DecodeErrorKind::Status) => "status",
        Err(DecodeErrorKind::Text) => "text",
        Err(DecodeErrorKind::Base64(_)) => "base64",
        Err(DecodeErrorKind::Pem(_)) => "pem",
        Err(DecodeErrorKind::StructuredField(_)) => "structured",
        Err(_) => "other",
    }
}

#[test]
fn what_does_not_fit_the_certificate_beside_it_is_refused() {
    let (google, cloudfront) = (Fields::google_cloud(), Fields::cloudfront());
    let (kong, nginx) = (Fields::kong(), Fields::nginx_variables());
    let bobs = base64(&crate::forge::name(&[&[(crate::forge::CN, crate::forge::UTF8, b"bob")]]));
    let zeros = base64(&[0; 32]);
    let stranger = base64(b"spiffe://example/admin");
    let bob_and_alice = percent_pem(&[bob(), alice()].concat());
    for (builder, header, value) in [
        (&google, "x-client-cert-subject-dn", bobs.as_str()),
        (&google, "x-client-cert-issuer-dn", &bobs),
        (&google, "x-client-cert-hash", &zeros),
        (&google, "x-client-cert-spiffe", "spiffe://example/admin"),
        (&google, "x-client-cert-uri-sans", &stranger),
        (&google, "x-client-cert-dnsname-sans", &base64(b"bob.example")),
        (&google, "x-client-cert-valid-not-before", "2023-09-01T01:50:18+00:00"),
        (&google, "x-client-cert-valid-not-after", "2050-12-20T01:50:17Z"),
        (&google, "x-client-cert-present", "false"),
        (&cloudfront, "cloudfront-viewer-cert-subject", "CN=bob"),
        (&cloudfront, "cloudfront-viewer-cert-subject", "CN=alice,CN= of wonderland,O=mTLS"),
        (&cloudfront, "cloudfront-viewer-cert-serial-number", "4a:3f"),
        (&cloudfront, "cloudfront-viewer-cert-sha256", &"0".repeat(64)),
        (
            &cloudfront,
            "cloudfront-viewer-cert-validity",
            "NotBefore=2023-09-21T01:50:17Z;NotAfter=2024-09-20T01:50:17Z",
        ),
        (&cloudfront, "cloudfront-viewer-cert-present", "0"),
        (&kong, "x-client-cert-chain", &bob_and_alice),
        (&kong, "x-client-cert-serial", "00"),
        (&nginx, "x-ssl-client-v-end", "Dec 21 01:50:17 2049 GMT"),
        (&nginx, "x-ssl-client-s-dn", "/O=mTLS/CN=bob"),
        (&nginx, "x-ssl-client-verify", "NONE"),
    ] {
        assert_eq!(kind(builder, &[(header, Some(value))]), "contradiction", "{header}: {value}");
    }
    // One of several names, in whatever order, and in whatever case and escapes.
    for (builder, header, value) in [
        (&google, "x-client-cert-uri-sans", base64(b"https://example/a,b")),
        (&cloudfront, "cloudfront-viewer-cert-serial-number", "4A3F5C92D1E87B6C".into()),
        (&cloudfront, "cloudfront-viewer-cert-subject", r"CN=alice\, of wonderland,O=mTLS".into()),
        (&nginx, "x-ssl-client-serial", "4a3f5c92d1e87b6c".into()),
    ] {
        assert_eq!(kind(builder, &[(header, Some(&value))]), "read", "{header}: {value}");
    }
}

#[test]
fn no_certificate_beside_something_of_one_is_refused() {
    let google = Fields::google_cloud().build().unwrap();
    let puppet = Fields::puppet().build().unwrap();
    let nginx = Fields::nginx_variables().build().unwrap();
    let chain = format!(":{}:", base64(&bob()[0]));
    for (dialect, lines) in [
        (&puppet, &[("x-client-verify", "NONE"), ("x-client-dn", "CN=bob")][..]),
        (&nginx, &[("x-ssl-client-verify", "NONE"), ("x-ssl-client-serial", "01")]),
        (&google, &[("x-client-cert-present", "false"), ("x-client-cert-spiffe", "spiffe://a/b")]),
        (&google, &[("x-client-cert-present", "false"), ("x-client-cert-chain-verified", "true")]),
        (
            &google,
            &[("x-client-cert-present", "true"), ("x-client-cert-leaf", ""), ("x-client-cert-chain", &chain)],
        ),
    ] {
        let error = dialect.decode(&map(lines)).unwrap_err();
        assert!(matches!(error.kind(), DecodeErrorKind::Contradiction(_)), "{lines:?}: {error}");
    }
}

#[test]
fn malformed_is_neither_empty_nor_absent() {
    let (google, cloudfront) = (Fields::google_cloud(), Fields::cloudfront());
    let (kong, nginx) = (Fields::kong(), Fields::nginx_variables());
    let (puppet, linkerd) = (Fields::puppet(), Fields::linkerd());
    let control = base64(b"spiffe://a\nb");
    let two = percent_pem(&[alice(), bob()].concat());
    for (builder, header, value, expected) in [
        (&google, "x-client-cert-leaf", "MIIB", "structured"),
        (&google, "x-client-cert-chain", ":MAA=:,", "structured"),
        (&google, "x-client-cert-chain-verified", "TRUE", "field"),
        (&google, "x-client-cert-present", "yes", "field"),
        (&google, "x-client-cert-present", "(null)", "null"),
        (&google, "x-client-cert-hash", "AAAA", "field"),
        (&google, "x-client-cert-subject-dn", "CN=bob", "base64"),
        (&google, "x-client-cert-subject-dn", "AAAA", "field"),
        (&google, "x-client-cert-uri-sans", &control, "field"),
        (&google, "x-client-cert-uri-sans", ",", "field"),
        (&google, "x-client-cert-spiffe", "spiffe://a/b,spiffe://a/c", "field"),
        (&google, "x-client-cert-valid-not-before", "yesterday", "field"),
        (&cloudfront, "cloudfront-viewer-cert-present", "true", "field"),
        (&cloudfront, "cloudfront-viewer-cert-serial-number", "4a::3f", "field"),
        (&cloudfront, "cloudfront-viewer-cert-sha256", "01fb", "field"),
        (&cloudfront, "cloudfront-viewer-cert-validity", "NotBefore=2023-09-21T01:50:17Z", "field"),
        (&cloudfront, "cloudfront-viewer-cert-subject", "CN=\u{e9}", "text"),
        (&cloudfront, "cloudfront-viewer-cert-subject", "", "empty"),
        (&kong, "x-client-cert", &two, "pem"),
        (&kong, "x-client-cert", "", "empty"),
        (&nginx, "x-ssl-client-v-start", "2023-09-01T01:50:17Z", "field"),
        (&nginx, "x-ssl-client-verify", "success", "status"),
        (&puppet, "x-client-verify", "", "empty"),
        (&linkerd, "l5d-client-id", "a b", "field"),
        (&linkerd, "l5d-client-id", "", "empty"),
    ] {
        assert_eq!(kind(builder, &[(header, Some(value))]), expected, "{header}: {value}");
    }
}

#[test]
fn a_header_that_is_there_twice_is_refused_whatever_it_holds() {
    for builder in [
        Fields::google_cloud(),
        Fields::cloudfront(),
        Fields::azure_app_gateway(),
        Fields::puppet(),
        Fields::kong(),
        Fields::linkerd(),
        Fields::nginx_variables(),
        Fields::cloudflare_rfc9440(),
    ] {
        let dialect = builder.build().unwrap();
        let headers = encode(&dialect, &[alice(), bob()].concat(), VerifyStatus::Success);
        for (name, value) in &headers {
            let mut twice = headers.clone();
            twice.append(name, value.clone());
            let error = dialect.decode(&twice).unwrap_err();
            assert_eq!((error.kind(), error.header()), (&DecodeErrorKind::Duplicated, name));
        }
    }
}

#[test]
fn the_limits_hold_for_every_header_and_for_all_certificates_together() {
    let limited = |limits| Fields::google_cloud().limits(limits).build().unwrap();
    let headers = encode(&limited(Limits::new()), &[alice(), bob()].concat(), VerifyStatus::Success);
    let one = limited(Limits::new().max_certificates(1)).decode(&headers).unwrap_err();
    assert_eq!(one.kind(), &DecodeErrorKind::TooManyCertificates { max: 1 });
    assert!(limited(Limits::new().max_certificates(2)).decode(&headers).is_ok());
    let small = limited(Limits::new().max_value_size(30)).decode(&headers).unwrap_err();
    assert_eq!(small.kind(), &DecodeErrorKind::TooLarge { max: 30 });
    // Text too, of which nothing is decoded.
    let linkerd = Fields::linkerd().limits(Limits::new().max_value_size(4)).build().unwrap();
    assert!(linkerd.decode(&map(&[("l5d-client-id", "abcd")])).is_ok());
    let long = linkerd.decode(&map(&[("l5d-client-id", "abcde")])).unwrap_err();
    assert_eq!(long.kind(), &DecodeErrorKind::TooLarge { max: 4 });
    let kong = Fields::kong().limits(Limits::new().max_certificates(1)).build().unwrap();
    let headers = encode(&kong, &[alice(), bob()].concat(), VerifyStatus::Success);
    assert_eq!(kong.decode(&headers).unwrap_err().kind(), &DecodeErrorKind::TooManyCertificates { max: 1 });
}
