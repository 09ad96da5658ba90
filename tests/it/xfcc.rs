//! Envoy's header: what each mode does with one that is there already, and whether anybody can forge a field.

use std::convert::Infallible;

use axum::body::Body;
use http::{HeaderMap, Request, Response};
use rustls::pki_types::{CertificateDer, UnixTime};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_client_cert::dialect::{DecodeErrorKind, Dialect, Envoy, Limits, VerifyStatus, XfccMode};
use tower_client_cert::{ClientAuthPolicy, ClientCertLayer, PeerCertificates, TlsConnectInfo};

use crate::harness::verifier;
use crate::pki::{Authority, Identity};
use crate::vectors::{chain, encode, map, value};

const XFCC: &str = "x-forwarded-client-cert";
/// Of the leaf in `rfc9440-chain.pem`.
const HASH: &str = "bfaf1f7e070f9fa8dd62905f158da73f84a1136624fbafcc9393c8f7287a69eb";

fn plain() -> Envoy {
    let envoy = Envoy::new().cert(false);
    envoy.subject(false).uri(false).dns(false)
}

fn decode(
    envoy: &Envoy,
    value: &str,
) -> Result<tower_client_cert::dialect::ForwardedCert, (usize, DecodeErrorKind)> {
    let read = envoy.decode(&map(&[(XFCC, value)]));
    read.map(Option::unwrap).map_err(|error| (error.offset(), error.kind().clone()))
}

fn refused(envoy: &Envoy, value: &str) -> String {
    match decode(envoy, value) {
        Err((_, DecodeErrorKind::Xfcc(what) | DecodeErrorKind::Contradiction(what))) => what.to_owned(),
        other => panic!("{value}: {other:?}"),
    }
}

#[test]
fn cert_and_chain_are_envoys_bytes() {
    let certificates = chain("rfc9440-chain.pem");
    let headers = encode(
        &plain().cert(true).chain(true).by("spiffe://test/edge"),
        &certificates[..2],
        VerifyStatus::Success,
    );
    let (cert, both) = (value("envoy.Cert"), value("envoy.Chain.leaf+intermediate"));
    assert_eq!(headers[XFCC], format!("By=spiffe://test/edge;Hash={HASH};Cert=\"{cert}\";Chain=\"{both}\""));
    let read = Envoy::new().decode(&headers).unwrap().unwrap();
    assert_eq!(read.certificates, certificates[..2]);
    assert_eq!(read.details.by, ["spiffe://test/edge"]);
}

#[test]
fn the_examples_of_envoys_documentation_are_read() {
    let one = decode(&Envoy::new(), &value("envoy-doc-example-1")).unwrap();
    assert_eq!(one.certificates, []);
    assert_eq!(one.details.subject.unwrap(), "/C=US/ST=CA/L=San Francisco/OU=Lyft/CN=Test Client");
    assert_eq!(one.details.uris, ["http://testclient.lyft.com"]);
    assert_eq!(one.details.by, ["http://frontend.lyft.com"]);
    assert_eq!(one.details.hash.unwrap().as_bytes()[..3], [0x46, 0x8e, 0xd3]);

    let three = decode(&Envoy::new(), &value("envoy-doc-example-3")).unwrap();
    assert_eq!(three.details.dns_names, ["lyft.com", "www.lyft.com"]);
}

#[test]
fn i7_nobody_forges_a_field() {
    let hash = format!("Hash={HASH}");
    let subject = |subject: &str| format!("{hash};Subject=\"{subject}\"");
    // In quotes, delimiters are text, and `\\"` does not close.
    let read = decode(&Envoy::new(), &subject(r#"CN=a\;Hash=b\,\"\\,C=DE"#)).unwrap();
    assert_eq!(read.details.subject.unwrap(), r#"CN=a\;Hash=b\,\"\\,C=DE"#);
    for (bad, what) in [
        (subject("CN=a\";Cert=\"x"), "out of order"),
        (subject(r#"CN=a\\";Subject="CN=b"#), "twice"),
        (subject("CN=a\"b"), "after a quoted value"),
        (format!("{hash};Subject=\"CN=a"), "does not close"),
        (format!("{hash};Subject=\"CN=a\\"), "escapes nothing"),
        (format!("{hash};URI=a\"b"), "in the middle"),
        (format!("{hash};URI=a b"), "space"),
        (format!("{hash};URI=a;b"), "key=value"),
        (format!("{hash};URI=a;"), "key=value"),
        (format!("{hash};"), "key=value"),
        (format!(";{hash}"), "key=value"),
        (format!("{hash};=a"), "key=value"),
        (format!("{hash};{hash}"), "twice"),
        (format!("URI=a;{hash}"), "out of order"),
        (format!("{hash};URI=a;Role=admin"), "unknown field"),
        (format!("{hash};DNS=a;Role=\"admin\""), "unknown field"),
        ("By=spiffe://test/a".to_owned(), "neither Hash nor URI"),
        ("URI=".to_owned(), "neither Hash nor URI"),
        (format!("Cert=\"{}\"", value("envoy.Cert")), "no Hash"),
        (format!("Hash={}", HASH.to_uppercase()), "not SHA-256"),
        (format!("{hash}0"), "not SHA-256"),
        (format!("Hash=00{};Cert=\"{}\"", &HASH[2..], value("envoy.Cert")), "does not fit"),
    ] {
        let refused = refused(&Envoy::new(), &bad);
        assert!(refused.contains(what), "{bad}: {refused}");
    }
}

#[test]
fn what_a_waypoint_of_istio_says_is_a_name_and_no_certificate() {
    let told = decode(&Envoy::new(), "By=spiffe://a/waypoint;URI=spiffe://a/alice").unwrap();
    assert_eq!((told.certificates, told.status), (vec![], None));
    assert_eq!((told.details.hash, told.details.uris), (None, vec!["spiffe://a/alice".to_owned()]));
    assert_eq!(told.details.by, ["spiffe://a/waypoint"]);
}

#[test]
fn cert_and_chain_must_be_of_one_client() {
    let certificates = chain("rfc9440-chain.pem");
    let field = |chain: &[CertificateDer<'static>]| {
        let headers = encode(&plain().chain(true), chain, VerifyStatus::Success);
        headers[XFCC].to_str().unwrap().split_once(';').unwrap().1.to_owned()
    };
    let cert = value("envoy.Cert");
    let chain = field(&certificates[1..]);
    assert!(
        refused(&Envoy::new(), &format!("Hash={HASH};Cert=\"{cert}\";{chain}")).contains("begin with Cert")
    );
    assert!(refused(&Envoy::new(), &format!("Hash={HASH};{chain}")).contains("does not fit"));
    assert!(refused(&Envoy::new(), &format!("Hash={HASH};Cert=\"{cert}{cert}\"")).contains("more than one"));

    let limits = Limits::new().max_certificates(2);
    let many = decode(&Envoy::new().with_limits(limits), &format!("Hash={HASH};{}", field(&certificates)));
    let (offset, kind) = many.unwrap_err();
    assert_eq!(kind, DecodeErrorKind::TooManyCertificates { max: 2 });
    assert_eq!(offset, format!("Hash={HASH};Chain=\"{}", value("envoy.Chain.leaf+intermediate")).len());
}

/// What leaves a layer of this mode for a request with these values.
async fn after(mode: XfccMode, peer: Option<PeerCertificates>, received: &[&str]) -> Vec<String> {
    let layer = ClientCertLayer::with_dialect(plain().mode(mode));
    layered(layer, Some(TlsConnectInfo::new(peer)), received).await
}

async fn layered(
    layer: ClientCertLayer<Envoy>,
    info: Option<TlsConnectInfo>,
    received: &[&str],
) -> Vec<String> {
    let service = layer.layer(service_fn(|request: Request<_>| async move {
        Ok::<_, Infallible>(Response::new(request.headers().clone()))
    }));
    let mut request = Request::get("/").header("X_Forwarded_Client_Cert", format!("Hash={HASH}"));
    for value in received {
        request = request.header(XFCC, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().extend(
        info.map(|info| {
            let mut extensions = http::Extensions::new();
            extensions.insert(info);
            extensions
        })
        .unwrap_or_default(),
    );
    let headers: HeaderMap = service.oneshot(request).await.unwrap().into_body();
    assert!(headers.keys().all(|name| name == XFCC), "no other spelling: {headers:?}");
    headers.get_all(XFCC).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

fn judged(ca: &Authority, identity: &Identity) -> PeerCertificates {
    let verifier = verifier(ClientAuthPolicy::RequestClientCert).roots([ca.der()]).build().unwrap();
    verifier.judge(identity.chain.clone(), UnixTime::now()).unwrap().unwrap()
}

#[tokio::test]
async fn i1_each_mode_keeps_what_envoy_keeps_and_only_then() {
    use XfccMode::{AlwaysForwardOnly, AppendForward, ForwardOnly, Sanitize, SanitizeSet};
    let ca = Authority::root("client CA");
    let peer = judged(&ca, &ca.client("alice"));
    let own = after(SanitizeSet, Some(peer.clone()), &[]).await.pop().unwrap();
    assert!(own.starts_with("Hash="), "{own}");
    let earlier = format!("By=spiffe://test/a;Hash={HASH};Subject=\"CN=a,O=b\"");

    let (kept, nothing): (&[String], &[String]) = (std::slice::from_ref(&earlier), &[]);
    for (mode, with, without) in [
        (Sanitize, nothing, nothing),
        (ForwardOnly, kept, nothing),
        (AppendForward, &[format!("{earlier},{own}")], nothing),
        (SanitizeSet, std::slice::from_ref(&own), nothing),
        (AlwaysForwardOnly, kept, kept),
    ] {
        assert_eq!(after(mode, Some(peer.clone()), &[&earlier]).await, with, "{mode:?}, a certificate");
        assert_eq!(after(mode, None, &[&earlier]).await, without, "{mode:?}, none");
        // A certificate that anybody can make is none.
        let stranger = judged(&ca, &Identity::self_signed("mallory"));
        assert_eq!(after(mode, Some(stranger), &[&earlier]).await, without, "{mode:?}, unverified");
        let layer = ClientCertLayer::with_dialect(plain().mode(mode));
        assert_eq!(layered(layer, None, &[&earlier]).await, without, "{mode:?}, plaintext");
    }
    // Several lines become one, in their order.
    let two = after(AppendForward, Some(peer.clone()), &["Hash=1", "Hash=2"]).await;
    assert_eq!(two, [format!("Hash=1,Hash=2,{own}")]);
}

#[tokio::test]
async fn i7_what_would_swallow_the_next_element_is_not_kept() {
    let ca = Authority::root("client CA");
    let peer = judged(&ca, &ca.client("alice"));
    let own = after(XfccMode::SanitizeSet, Some(peer.clone()), &[]).await;
    for bad in ["Hash=1;Subject=\"", "Hash=1;Subject=\"a\\", "Hash=1,", "", "a", "[{\"hash\":1}]"] {
        assert_eq!(after(XfccMode::AppendForward, Some(peer.clone()), &[bad]).await, own, "{bad}");
        assert_eq!(after(XfccMode::AlwaysForwardOnly, Some(peer.clone()), &[bad]).await, [""; 0], "{bad}");
    }
    // Two halves of a quote in two lines are no quote either.
    let halves = ["Hash=1;Subject=\"a", "b\""];
    let kept = after(XfccMode::AppendForward, Some(peer.clone()), &halves).await;
    assert_eq!(kept, [format!("Hash=1;Subject=\"a,b\",{}", own[0])]);

    // What is too large together is this hop's alone.
    let layer = ClientCertLayer::with_dialect(plain().mode(XfccMode::AppendForward)).max_value_size(100);
    let long = format!("Hash={HASH}");
    assert_eq!(layered(layer, Some(TlsConnectInfo::new(Some(peer))), &[&long]).await, own);
}

mod names {
    use super::*;
    use rcgen::string::Ia5String;
    use rcgen::{DnType, SanType};

    fn leaf(change: impl FnOnce(&mut rcgen::CertificateParams)) -> Vec<CertificateDer<'static>> {
        Authority::root("CA").issue("alice", change).chain
    }

    fn text(headers: &HeaderMap) -> &str {
        headers[XFCC].to_str().unwrap()
    }

    #[test]
    fn subject_uri_and_dns_are_envoys_bytes() {
        let uri = |uri: &str| SanType::URI(Ia5String::try_from(uri).unwrap());
        let chain = leaf(|params| {
            params.distinguished_name.push(DnType::OrganizationName, "A, \"B\"; ë");
            params.subject_alt_names.push(uri("spiffe://test/alice"));
            params.subject_alt_names.push(SanType::DnsName(Ia5String::try_from("www.test").unwrap()));
        });
        let headers = encode(&Envoy::new().cert(false), &chain, VerifyStatus::Success);
        let (_, names) = text(&headers).split_once(';').unwrap();
        assert_eq!(
            names,
            r#"Subject="O=A\2C \22B\22\3B \C3\AB,CN=alice";URI=spiffe://test/alice;DNS=alice.test;DNS=www.test"#
        );
        let read = Envoy::new().decode(&headers).unwrap().unwrap().details;
        assert_eq!(read.subject.unwrap(), r"O=A\2C \22B\22\3B \C3\AB,CN=alice");
        assert_eq!(
            (read.uris, read.dns_names),
            (vec!["spiffe://test/alice".to_owned()], vec!["alice.test".to_owned(), "www.test".to_owned()])
        );

        let bare = leaf(|params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.subject_alt_names.clear();
        });
        let headers = encode(&Envoy::new().cert(false), &bare, VerifyStatus::Success);
        assert!(text(&headers).ends_with(";Subject=\"\";URI="), "{headers:?}");
        assert_eq!(Envoy::new().decode(&headers).unwrap().unwrap().details.uris, [""; 0]);
    }

    #[test]
    fn i7_a_name_with_delimiters_or_controls_is_left_out_and_read_from_the_certificate() {
        let evil = "spiffe://a,By=x;Hash=0;URI=spiffe://admin";
        let chain = leaf(|params| {
            params.subject_alt_names = [evil, "spiffe://b\r\nx-admin: 1", "http://c/\"\\", ""]
                .map(|uri| SanType::URI(Ia5String::try_from(uri).unwrap()))
                .to_vec();
        });
        let headers = encode(&Envoy::new(), &chain, VerifyStatus::Success);
        assert!(text(&headers).ends_with(";Subject=\"CN=alice\";URI="), "{headers:?}");
        let read = Envoy::new().decode(&headers).unwrap().unwrap();
        assert_eq!(read.certificates, chain);
        assert_eq!(read.details.uris, [evil, "http://c/\"\\"]);
    }

    #[test]
    fn traefiks_info_is_its_own_tests_value_and_is_never_read() {
        use tower_client_cert::dialect::TraefikInfo;
        let headers = encode(
            &TraefikInfo::new(),
            &chain("dialects/traefik.minimalCheeseCrt.pem"),
            VerifyStatus::Success,
        );
        let header = "x-forwarded-tls-client-cert-info";
        assert_eq!(headers[header], value("traefik.info-minimalCheeseCrt"));
        assert_eq!(TraefikInfo::new().decode(&headers).unwrap_err().kind(), &DecodeErrorKind::WriteOnly);
        assert_eq!(encode(&TraefikInfo::new(), &[], VerifyStatus::None), HeaderMap::new());
    }

    #[test]
    fn traefiks_info_lists_names_by_kind_as_go_prints_them() {
        use std::net::IpAddr;
        use tower_client_cert::dialect::TraefikInfo;
        let ia5 = |text: &str| Ia5String::try_from(text).unwrap();
        let chain = leaf(|params| {
            let ip = |ip: &str| SanType::IpAddress(ip.parse::<IpAddr>().unwrap());
            params.subject_alt_names = vec![
                SanType::URI(ia5("spiffe://test/a")),
                ip("10.0.0.1"),
                ip("2001:db8::1"),
                ip("::ffff:10.0.0.2"),
                SanType::Rfc822Name(ia5("a@b.test")),
                SanType::DnsName(ia5("a.test")),
            ];
        });
        let headers = encode(&TraefikInfo::new(), &chain, VerifyStatus::Success);
        let value = headers["x-forwarded-tls-client-cert-info"].to_str().unwrap();
        let san = "%3BSAN%3D%22a.test%2Ca%40b.test%2C10.0.0.1%2C2001%3Adb8%3A%3A1%2C10.0.0.2%2Cspiffe%3A%2F%2Ftest%2Fa%22";
        assert!(value.ends_with(san), "{value}");
    }

    #[test]
    fn aws_and_ingress_nginx_spell_out_what_the_certificate_says() {
        use time::macros::datetime;
        use tower_client_cert::dialect::{AwsAlb, Nginx};
        let chain = leaf(|params| {
            params.serial_number = Some(rcgen::SerialNumber::from_slice(&[0x00, 0x83, 0xA5, 0xB1]));
            params.not_before = datetime!(2023-09-21 01:50:17 UTC);
            params.not_after = datetime!(2124-09-20 01:50:17 UTC);
        });
        let headers = encode(&AwsAlb::verify(), &chain, VerifyStatus::Success);
        for (name, value) in [
            ("serial-number", "83A5B1"),
            ("issuer", "CN=CA"),
            ("subject", "CN=alice"),
            ("validity", "NotBefore=2023-09-21T01:50:17Z;NotAfter=2124-09-20T01:50:17Z"),
        ] {
            assert_eq!(headers[format!("x-amzn-mtls-clientcert-{name}")], value);
        }
        let details = AwsAlb::verify().decode(&headers).unwrap().unwrap().details;
        assert_eq!(details.serial_number.as_deref(), Some("83A5B1"));
        assert_eq!(details.issuer.as_deref(), Some("CN=CA"));
        assert_eq!(
            details.validity.as_deref(),
            Some("NotBefore=2023-09-21T01:50:17Z;NotAfter=2124-09-20T01:50:17Z")
        );

        // SPIFFE's certificates have no subject: nginx sends no empty header.
        let nameless = leaf(|params| params.distinguished_name = rcgen::DistinguishedName::new());
        for (dialect, subject) in [
            (&Nginx::ingress() as &dyn Dialect, "ssl-client-subject-dn"),
            (&AwsAlb::verify(), "x-amzn-mtls-clientcert-subject"),
        ] {
            let headers = encode(dialect, &nameless, VerifyStatus::Success);
            assert!(!headers.contains_key(subject), "{headers:?}");
            assert_eq!(dialect.decode(&headers).unwrap().unwrap().details.subject, None);
        }

        let headers = encode(&Nginx::ingress(), &chain, VerifyStatus::Success);
        assert_eq!(headers["ssl-client-subject-dn"], "CN=alice");
        let details = Nginx::ingress().decode(&headers).unwrap().unwrap().details;
        assert_eq!(
            (details.subject.as_deref(), details.issuer.as_deref()),
            (Some("CN=alice"), Some("CN=CA"))
        );
    }
}
