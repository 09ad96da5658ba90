//! What a reviewer found.

use axum::body::Body;
use http::{HeaderMap, Request, Response};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_client_cert::dialect::fields::{Field, NameEncoding, SerialEncoding, TimeEncoding};
use tower_client_cert::dialect::{
    AnyDialect, CertDetails, DecodeErrorKind, Dialect, Fields, Skipper, VerifyStatus,
};
use tower_client_cert::forwarded::{ForwardedClientCertLayer, TrustedProxies};

use super::{alice, base64, percent_pem};
use crate::forge::{CN, DNS, Forged, O, URI, UTF8, alt_names};
use crate::vectors::{encode, map};

/// What the service behind the reader of a trusted proxy's headers sees.
async fn seen<D: Dialect + Send + Sync + 'static>(dialect: D, headers: &[(&str, &str)]) -> HeaderMap {
    let trusted = TrustedProxies::none().trust_whoever_can_connect();
    let echo = service_fn(async |request: Request<_>| {
        let (head, _): (http::request::Parts, tower_client_cert::StripTrailers<Body>) = request.into_parts();
        Ok::<_, std::convert::Infallible>(Response::new(head.headers))
    });
    let mut request = Request::new(Body::empty());
    *request.headers_mut() = map(headers);
    ForwardedClientCertLayer::new(dialect, trusted).layer(echo).oneshot(request).await.unwrap().into_body()
}

#[tokio::test]
async fn i1_a_header_that_a_proxy_does_not_write_reaches_no_handler_behind_its_reader() {
    let pem = percent_pem(&alice());
    let nginx = [
        ("x-ssl-client-cert", pem.as_str()),
        ("x-ssl-client-verify", "SUCCESS"),
        ("x-ssl-client-fingerprint", "bob"),
    ];
    assert_eq!(seen(Fields::nginx_variables().build().unwrap(), &nginx).await, map(&nginx[..2]));
    let der = base64(&alice()[0]);
    let skipper =
        [("x-forwarded-tls-client-cert", der.as_str()), ("x-forwarded-tls-client-cert-verify", "SUCCESS")];
    assert_eq!(seen(Skipper::new(), &skipper).await, map(&skipper[..1]));
    assert_eq!(seen("traefik".parse::<AnyDialect>().unwrap(), &skipper).await, map(&skipper[..1]));
    assert_eq!(seen("tower-client-cert".parse::<AnyDialect>().unwrap(), &skipper).await, map(&skipper));
}

#[test]
fn i7_a_linkerd_identity_is_told_as_the_kind_of_name_that_it_is() {
    let linkerd = Fields::linkerd().build().unwrap();
    let told = |names: &[(u8, &[u8])]| -> Option<CertDetails> {
        let der = Forged::default().with(crate::forge::ALT_NAMES, &alt_names(names)).der();
        let headers = encode(&linkerd, &[der.into()], VerifyStatus::Success);
        linkerd.decode(&headers).unwrap().map(|told| told.details)
    };
    assert_eq!(told(&[(DNS, b"spiffe://cluster.local/ns/admin")]), None);
    assert_eq!(told(&[(URI, b"alice.ns.serviceaccount.identity.linkerd.cluster.local")]), None);
    assert_eq!(told(&[(DNS, b"alice.ns")]).unwrap().dns_names, ["alice.ns"]);
    assert_eq!(told(&[(URI, b"spiffe://test/a")]).unwrap().uris, ["spiffe://test/a"]);
}

#[test]
fn a_name_that_ends_in_a_space_survives_a_header() {
    let forged = Forged::subject(&[&[(O, UTF8, b"Example ")], &[(CN, UTF8, b"a")]]).der();
    for encoding in [NameEncoding::Rfc2253, NameEncoding::Rfc4514] {
        let dialect = Fields::builder()
            .header("x-c", Field::Certificate(tower_client_cert::dialect::fields::CertEncoding::Base64))
            .header("x-s", Field::Subject(encoding))
            .build()
            .unwrap();
        let headers = encode(&dialect, &[forged.clone().into()], VerifyStatus::Success);
        assert_eq!(headers["x-s"], r"CN=a,O=Example\20");
        assert!(dialect.decode(&headers).is_ok());
    }
}

#[test]
fn i11_no_time_that_is_told_is_dropped() {
    let dialect = Fields::builder()
        .header("x-from", Field::NotBefore(TimeEncoding::Rfc3339))
        .header("x-to", Field::NotAfter(TimeEncoding::Rfc3339))
        .header("x-both", Field::Validity)
        .build()
        .unwrap();
    let (from, to) = ("2024-01-01T00:00:00Z", "2049-01-01T00:00:00Z");
    let read =
        |headers: &[(&str, &str)]| dialect.decode(&map(headers)).map(|told| told.unwrap().details.validity);
    let both = format!("NotBefore={from};NotAfter={to}");
    assert_eq!(read(&[("x-to", to)]), Ok(Some(format!("NotAfter={to}"))));
    assert_eq!(read(&[("x-from", from), ("x-to", to)]), Ok(Some(both.clone())));
    assert_eq!(read(&[("x-from", from), ("x-both", &both)]), Ok(Some(both.clone())));
    let kind = read(&[("x-from", to), ("x-both", &both)]).unwrap_err().kind().clone();
    assert!(matches!(kind, DecodeErrorKind::Contradiction(_)), "{kind}");
}

#[test]
fn a_serial_number_is_digits() {
    let dialect =
        Fields::builder().header("x-n", Field::SerialNumber(SerialEncoding::Decimal)).build().unwrap();
    for (value, good) in [("12", true), ("0x0aF", true), ("0x", false), ("0x;x=1", false), ("1;2", false)] {
        assert_eq!(dialect.decode(&map(&[("x-n", value)])).is_ok(), good, "{value}");
    }
}
