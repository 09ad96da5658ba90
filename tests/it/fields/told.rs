//! Without a certificate the headers are what the proxy tells, through the layer and back.

use tower_client_cert::dialect::fields::{
    CertEncoding, Field, ListEncoding, NameEncoding, SerialEncoding, TimeEncoding, Verdict,
};
use tower_client_cert::dialect::{Dialect as _, Fields, VerifyStatus};
use tower_client_cert::forwarded::{ForwardedClientCertError, ForwardedClientCertLayer, Hop, TrustedProxies};

use super::{alice, base64, bob, failed};
use crate::vectors::{encode, map};

#[test]
fn names_without_a_certificate_are_told() {
    let dialect = Fields::builder()
        .header("x-subject", Field::Subject(NameEncoding::Slashes))
        .header("x-issuer", Field::Issuer(NameEncoding::Rfc4514))
        .header("x-serial", Field::SerialNumber(SerialEncoding::Decimal))
        .header("x-uris", Field::Uris(ListEncoding::Commas))
        .header("x-dns", Field::DnsNames(ListEncoding::Commas))
        .header("x-from", Field::NotBefore(TimeEncoding::OpenSsl))
        .header("x-to", Field::NotAfter(TimeEncoding::Rfc3339))
        .build()
        .unwrap();
    let headers = encode(&dialect, &alice(), VerifyStatus::Success);
    let read = dialect.decode(&headers).unwrap().unwrap();
    assert_eq!(read.certificates, []);
    assert_eq!(read.details.subject.as_deref(), Some("/O=mTLS/CN=alice, of wonderland"));
    assert_eq!(read.details.issuer.as_deref(), Some("CN=rootcamtls.com,O=mTLS"));
    assert_eq!(read.details.serial_number.as_deref(), Some("5350096667996093292"));
    // `https://example/a,b` would be two.
    assert_eq!(read.details.uris, ["spiffe://example/alice"]);
    assert_eq!(read.details.dns_names, ["alice.example"]);
    let validity = "NotBefore=2023-09-01T01:50:17Z;NotAfter=2049-12-20T01:50:17Z";
    assert_eq!(read.details.validity.as_deref(), Some(validity));

    let everybody = TrustedProxies::none().trust_whoever_can_connect();
    let client = ForwardedClientCertLayer::new(dialect, everybody).read(&Hop::unknown(), &headers).unwrap();
    assert!(client.end_entity().is_none() && !client.is_verified_by_proxy());
}

#[test]
fn a_header_of_a_forger_is_believed_from_nobody_but_the_proxy() {
    let proxies = TrustedProxies::none().ip_range("192.0.2.7".parse::<std::net::IpAddr>().unwrap());
    let reader = ForwardedClientCertLayer::new(Fields::linkerd().build().unwrap(), proxies);
    let forged = map(&[("l5d-client-id", "admin")]);
    let stranger = Hop::unknown().at("192.0.2.8".parse().unwrap());
    let error = reader.read(&stranger, &forged).unwrap_err();
    assert!(matches!(error, ForwardedClientCertError::Untrusted { header: Some(_) }), "{error}");
    assert!(reader.read(&Hop::unknown().at("192.0.2.7".parse().unwrap()), &forged).is_ok());
}

/// A layer with names of its own strips them, in every spelling.
#[tokio::test]
async fn what_a_client_sends_under_a_name_of_ones_own_is_stripped() {
    use tower::{Layer as _, ServiceExt as _, service_fn};
    let dialect = Fields::builder().header("X-Who", Field::Identity).build().unwrap();
    let layer = tower_client_cert::ClientCertLayer::with_dialect(dialect);
    let service = layer.layer(service_fn(|request: http::Request<_>| async move {
        Ok::<_, std::convert::Infallible>(http::Response::new(request.headers().clone()))
    }));
    let mut request = http::Request::new(axum::body::Body::empty());
    *request.headers_mut() = map(&[("x-who", "admin"), ("x_who", "admin"), ("host", "a")]);
    let seen = service.oneshot(request).await.unwrap().into_body();
    assert_eq!(seen, map(&[("host", "a")]));
}

#[test]
fn haproxys_variant_is_read_like_haproxys_own() {
    let haproxy = Fields::builder()
        .header("x-ssl-client-cert", Field::Certificate(CertEncoding::Base64))
        .header("x-ssl-client-chain", Field::Chain(CertEncoding::ConcatenatedBase64))
        .header("x-ssl-client-verify", Field::Verdict(Verdict::OpenSsl))
        .empty_is_absent()
        .build()
        .unwrap();
    let own = tower_client_cert::dialect::HaProxy::new();
    let chain = [alice(), bob(), bob()].concat();
    let expired = VerifyStatus::Failed("certificate has expired".into());
    for (chain, status) in
        [(&chain[..], VerifyStatus::Success), (&chain[..1], expired), (&[], VerifyStatus::None)]
    {
        let headers = encode(&haproxy, chain, status.clone());
        assert_eq!(headers, encode(&own, chain, status));
        assert_eq!(haproxy.decode(&headers), own.decode(&headers));
    }
    let nothing = [("x-ssl-client-cert", ""), ("x-ssl-client-chain", ""), ("x-ssl-client-verify", "0")];
    assert_eq!(haproxy.decode(&map(&nothing)), own.decode(&map(&nothing)));
}

#[test]
fn the_other_encodings_of_certificates_are_read_as_they_are_written() {
    let chain = [alice(), bob()].concat();
    let spaced =
        Fields::builder().header("x-c", Field::Certificate(CertEncoding::SpacedPem)).build().unwrap();
    let headers = encode(&spaced, &chain, VerifyStatus::Success);
    assert!(headers["x-c"].to_str().unwrap().starts_with("-----BEGIN CERTIFICATE----- MII"));
    assert_eq!(spaced.decode(&headers).unwrap().unwrap().certificates, chain[..1]);

    let list = Fields::builder().header("x-c", Field::FullChain(CertEncoding::Base64)).build().unwrap();
    let headers = encode(&list, &chain, VerifyStatus::Success);
    assert_eq!(headers["x-c"], format!("{},{}", base64(&chain[0]), base64(&chain[1])));
    assert_eq!(list.decode(&headers).unwrap().unwrap().certificates, chain);
}

#[test]
fn a_verdict_in_words_of_ones_own() {
    let words = Verdict::Words { verified: "yes", failed: "no", none: Some("nobody") };
    let dialect = Fields::builder()
        .header("x-c", Field::Certificate(CertEncoding::Base64))
        .header("x-v", Field::Verdict(words))
        .header("x-why", Field::Reason)
        .build()
        .unwrap();
    let headers = encode(&dialect, &alice(), VerifyStatus::Failed("too\nold".into()));
    assert_eq!((&headers["x-v"], &headers["x-why"]), (&"no".parse().unwrap(), &"too?old".parse().unwrap()));
    assert_eq!(dialect.decode(&headers).unwrap().unwrap().status, failed("too?old"));
    let headers = encode(&dialect, &[], VerifyStatus::None);
    assert_eq!(headers, map(&[("x-v", "nobody")]));
    assert_eq!(dialect.decode(&headers).unwrap().unwrap().status, Some(VerifyStatus::None));
}
