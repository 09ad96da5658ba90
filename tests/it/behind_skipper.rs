//! A backend behind Skipper or Traefik, which forward what they know and pass on what they do not; and one behind this
//! crate's own layer, under the same names.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use rustls::pki_types::{CertificateDer, UnixTime};
use tower_client_cert::dialect::{
    AnyDialect, DecodeErrorKind, Dialect, Skipper, TowerClientCert, VerifyStatus,
};
use tower_client_cert::forwarded::{
    ForwardedClientCert, ForwardedClientCertError, ForwardedClientCertLayer, Hop, TrustedProxies,
};
use tower_client_cert::{ClientAuthPolicy, Verification};

use crate::harness::{skipper_value, verifier};
use crate::pki::{Authority, Identity};
use crate::vectors::{encode, map};

const CERT: &str = "x-forwarded-tls-client-cert";
const VERIFY: &str = "x-forwarded-tls-client-cert-verify";

/// What Skipper's `tlsPassClientCertificates()` makes of a client's headers: with a certificate it sets one of them, and
/// everything else it passes on.
fn through_skipper(headers: &[(&str, &str)], presented: &[CertificateDer<'static>]) -> HeaderMap {
    let mut passed = map(headers);
    if !presented.is_empty() {
        passed.insert(CERT, HeaderValue::try_from(skipper_value(presented)).unwrap());
    }
    passed
}

/// What a backend that trusts the proxy makes of that.
fn read<D: Dialect>(
    dialect: D,
    mut headers: HeaderMap,
) -> Result<ForwardedClientCert<D>, ForwardedClientCertError> {
    let proxy = std::net::IpAddr::from([127, 0, 0, 1]);
    let layer = ForwardedClientCertLayer::new(dialect, TrustedProxies::none().ip_range(proxy));
    layer.receive(&Hop::unknown().at(proxy), &mut headers)
}

fn behind_skipper() -> impl Iterator<Item = AnyDialect> {
    ["skipper", "traefik", "traefik-2.9.1"].into_iter().map(|name| name.parse().unwrap())
}

#[test]
fn no_client_of_skipper_or_traefik_makes_itself_verified() {
    let ca = Authority::root("CA");
    let judge = verifier(ClientAuthPolicy::VerifyClientCertIfGiven).roots([ca.der()]).build().unwrap();
    let (alice, mallory) = (ca.client("alice"), Identity::self_signed("alice"));
    let forged = skipper_value(&mallory.chain);
    let claims: &[&[(&str, &str)]] = &[
        &[],
        &[(VERIFY, "SUCCESS")],
        &[(VERIFY, "SUCCESS"), (VERIFY, "SUCCESS")],
        &[("X_Forwarded_Tls_Client_Cert_Verify", "SUCCESS")],
        &[(VERIFY, "NONE")],
        &[(VERIFY, "")],
        &[(VERIFY, "nonsense"), ("connection", VERIFY)],
        &[(CERT, &forged), (VERIFY, "SUCCESS")],
    ];
    for dialect in behind_skipper() {
        for claims in claims {
            for (client, verdict) in [(&alice, true), (&mallory, false)] {
                let told = read(dialect.clone(), through_skipper(claims, &client.chain)).unwrap();
                assert_eq!(told.certificates(), client.chain, "{dialect} {claims:?}");
                assert_eq!(told.status(), None, "{dialect} {claims:?}");
                assert!(!told.is_verified_by_proxy());
                // The way to "verified" there.
                let again = told.verify_again(&judge, UnixTime::now()).unwrap().unwrap();
                assert_eq!(again == Verification::Verified, verdict, "{dialect} {claims:?}");
            }
            match read(dialect.clone(), through_skipper(claims, &[])) {
                Err(error) => {
                    assert_eq!(error, ForwardedClientCertError::Absent, "{dialect} {claims:?}");
                }
                // Skipper without `dropRequestHeader` passes a client's own certificate on. It is anybody's.
                Ok(told) => {
                    assert_eq!((told.certificates(), told.status()), (&mallory.chain[..], None));
                    let again = told.verify_again(&judge, UnixTime::now()).unwrap().unwrap();
                    assert_ne!(again, Verification::Verified);
                }
            }
        }
    }
}

#[test]
fn behind_our_own_layer_the_verdict_counts_and_must_be_there() {
    use VerifyStatus::{Failed, None as Nothing, Success};
    let chain = Identity::self_signed("alice").chain;
    let dialect = TowerClientCert::new;
    for status in [Success, Failed("certificate has expired".into())] {
        let told = read(dialect(), encode(&Skipper::new(), &chain, status.clone())).unwrap();
        assert_eq!((told.certificates(), told.status()), (&chain[..], Some(&status)));
        assert_eq!(told.is_verified_by_proxy(), status == Success);
    }
    let error = |headers| read(dialect(), headers).unwrap_err();
    let nobody = error(encode(&Skipper::new(), &[], Nothing));
    assert_eq!(nobody, ForwardedClientCertError::NotPresented);
    let withheld = error(encode(&Skipper::new(), &[], Failed("too large".into())));
    assert_eq!(withheld, ForwardedClientCertError::Withheld { status: Failed("too large".into()) });
    // A health check that went around the proxy.
    assert_eq!(error(HeaderMap::new()), ForwardedClientCertError::Absent);

    let value = skipper_value(&chain);
    let certificate = (CERT, value.as_str());
    for (headers, says) in [
        (&[certificate][..], "their dialect is `skipper`"),
        (&[certificate, (VERIFY, "NONE")], "NONE, but a certificate"),
        (&[(VERIFY, "SUCCESS")], "SUCCESS, but no certificate"),
        (&[certificate, (VERIFY, "FAILED")], "expected SUCCESS"),
        (&[certificate, (VERIFY, "GENEROUS")], "expected SUCCESS"),
        (&[certificate, (VERIFY, "PASSTHROUGH")], "expected SUCCESS"),
    ] {
        let error = error(map(headers));
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
        assert!(error.to_string().contains(&format!("`{VERIFY}`")), "{error}");
        assert!(error.to_string().contains(says), "{error}");
        let ForwardedClientCertError::Malformed(error) = error else { panic!("{error}") };
        assert!(matches!(error.kind(), DecodeErrorKind::Contradiction(_) | DecodeErrorKind::Status));
    }
}

#[test]
fn the_two_readers_differ_by_name_and_write_the_same() {
    let chain = Identity::self_signed("alice").chain;
    let ours: AnyDialect = "tower-client-cert".parse().unwrap();
    let skipper: AnyDialect = "skipper".parse().unwrap();
    assert_ne!(ours, skipper);
    assert_eq!(AnyDialect::default(), skipper);
    let names: Vec<HeaderName> = [CERT, VERIFY].map(|name| name.parse().unwrap()).to_vec();
    for dialect in behind_skipper().chain([ours.clone()]) {
        assert_eq!(dialect.header_names(), names, "{dialect}");
        assert!(dialect.forwards_unverified());
    }
    for (chain, status) in [(&chain[..], VerifyStatus::Success), (&[], VerifyStatus::None)] {
        assert_eq!(encode(&ours, chain, status.clone()), encode(&skipper, chain, status));
    }
}

/// A verdict that could not be written would leave a certificate without one.
#[test]
fn a_reason_that_no_header_may_hold_does_not_cost_the_verdict() {
    let chain = Identity::self_signed("alice").chain;
    let status = VerifyStatus::Failed("a\r\nb: ë".into());
    for name in ["tower-client-cert", "nginx", "ingress-nginx", "apache"] {
        let dialect: AnyDialect = name.parse().unwrap();
        let told = dialect.decode(&encode(&dialect, &chain, status.clone())).unwrap().unwrap();
        assert_eq!(told.status, Some(VerifyStatus::Failed("a??b: ?".into())), "{name}");
    }
}
