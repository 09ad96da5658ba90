//! Where a certificate arrives, its own names count, whatever the proxy says beside it.

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use rcgen::SanType;
use rcgen::string::Ia5String;
use rustls::pki_types::CertificateDer;
use tower_client_cert::Fingerprint;
use tower_client_cert::dialect::{
    AnyDialect, AwsAlb, CertDetails, DecodeErrorKind, Dialect, Envoy, ForwardedCert, Nginx, VerifyStatus,
    XfccMode,
};

use crate::pki::Authority;
use crate::vectors::{encode, map};

const XFCC: &str = "x-forwarded-client-cert";

fn uri(uri: &str) -> SanType {
    SanType::URI(Ia5String::try_from(uri).unwrap())
}

/// A certificate with these URIs, and what Envoy writes for it in front of the names.
fn client(name: &str, uris: &[&str]) -> (CertificateDer<'static>, String) {
    let uris: Vec<_> = uris.iter().map(|text| uri(text)).collect();
    let chain = Authority::root("CA").issue(name, |params| params.subject_alt_names = uris).chain;
    let bare = Envoy::new().subject(false).uri(false).dns(false);
    let headers = encode(&bare, &chain, VerifyStatus::Success);
    (chain[0].clone(), headers[XFCC].to_str().unwrap().to_owned())
}

fn read(dialect: &Envoy, value: &str) -> Result<ForwardedCert, String> {
    let mut headers = HeaderMap::new();
    headers.insert(XFCC, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    let read = dialect.decode(&headers).map_err(|error| {
        assert!(!matches!(error.kind(), DecodeErrorKind::WriteOnly));
        error.to_string()
    });
    read.map(Option::unwrap)
}

/// `CN=admin` beside alice's certificate, and one URI that Envoy's missing quotes made into two.
#[test]
fn what_envoy_says_beside_a_certificate_is_not_read() {
    let split = "spiffe://x/a;URI=spiffe://x/admin";
    let (alice, element) = client("alice", &[split]);
    for names in [
        String::new(),
        ";Subject=\"CN=admin\";URI=spiffe://x/admin;DNS=admin".to_owned(),
        format!(";Subject=\"CN=alice\";URI={split}"),
        ";Subject=\"CN=alice\";URI=spiffe://x/a;Subject=\"CN=admin\";Issuer=\"CN=admin\"".to_owned(),
        ";DNS=admin;URI=spiffe://x/admin;Issuer=\"CN=admin\"".to_owned(),
    ] {
        let told = read(&Envoy::new(), &format!("By=spiffe://x/edge;{element}{names}")).unwrap();
        assert_eq!(told.certificates, std::slice::from_ref(&alice));
        let CertDetails { hash, subject, issuer, uris, dns_names, by, .. } = told.details;
        assert_eq!((subject.as_deref(), issuer.as_deref()), (Some("CN=alice"), Some("CN=CA")), "{names}");
        assert_eq!((uris, dns_names), (vec![split.to_owned()], vec![]), "{names}");
        assert_eq!(hash, Some(Fingerprint::of(&alice)));
        assert_eq!(by, ["spiffe://x/edge"]);
    }
}

#[test]
fn an_odd_name_beside_a_certificate_is_no_error_and_makes_no_field_and_no_element() {
    let (_, element) = client("alice", &[]);
    let (_, bobs) = client("bob", &[]);
    let bob = |field: &str| bobs.split(';').find(|pair| pair.starts_with(field)).unwrap();
    let append = Envoy::new().mode(XfccMode::AppendForward).hops(1);

    // Text that Envoy writes as it is.
    for odd in ["a;b", "a b", "a\"b", "a;", "a;Role=admin", "a;=b", "a\u{e9}", "\"a\"", ";", "a;b=\"c\""] {
        for name in ["URI", "DNS"] {
            let names = format!("Subject=\"CN=alice\";{name}={odd}");
            let told = read(&Envoy::new(), &format!("{element};{names}")).unwrap();
            assert_eq!(told.details.subject.as_deref(), Some("CN=alice"), "{odd}");
            // Without the certificate there is nothing to go by.
            let hash = element.split(';').next().unwrap();
            let refused = read(&Envoy::new(), &format!("{hash};{names}"));
            assert!(refused.is_err() || odd == "\"a\"", "{odd}: {refused:?}");
            // In another hop's element, of which nothing is read, text that is no pair is an error as ever.
            let behind = read(&append, &format!("{element};{names},{element}"));
            let pairs = ["\"a\"", "a;Role=admin", "a;b=\"c\""].contains(&odd);
            assert_eq!(behind.is_ok(), pairs, "{odd}: {behind:?}");
        }
    }

    for (forged, what) in [
        (format!("a;{}", bob("Cert")), "out of order"),
        (format!("a;{}", bob("Cert").replace("Cert", "Chain")), "out of order"),
        (format!("a;{}", bob("Hash")), "out of order"),
        ("a;By=b".to_owned(), "out of order"),
        ("a;bY=b".to_owned(), "out of order"),
        (format!("a,{bobs}"), "second element"),
        ("a,b".to_owned(), "second element"),
        ("a,".to_owned(), "second element"),
        ("\"a".to_owned(), "does not close"),
        ("\"a\"b".to_owned(), "after a quoted value"),
    ] {
        let error = read(&Envoy::new(), &format!("{element};URI={forged}")).unwrap_err();
        assert!(error.contains(what), "{forged}: {error}");
    }
    // Before any name has begun, what is not Envoy's is an error as ever.
    for (odd, what) in [("a", "key=value"), ("Role=a b", "space"), ("Subject=\"a\";b=\"", "does not close")] {
        let error = read(&Envoy::new(), &format!("{element};{odd}")).unwrap_err();
        assert!(error.contains(what), "{odd}: {error}");
    }
    // The hash is the one word that is read, and it must fit.
    let error = read(&Envoy::new(), &format!("{};{}", bob("Hash"), element.split_once(';').unwrap().1));
    assert!(error.unwrap_err().contains("Hash does not fit"));
}

#[test]
fn what_is_told_without_a_certificate_is_read_in_envoys_order() {
    let hash = "0".repeat(64);
    let told =
        format!("Hash={hash};Subject=\"CN=a\";URI=spiffe://x/a;DNS=a.test;DNS=b.test;Issuer=\"CN=CA\"");
    let told = read(&Envoy::new(), &told).unwrap().details;
    assert_eq!((told.subject.as_deref(), told.issuer.as_deref()), (Some("CN=a"), Some("CN=CA")));
    assert_eq!((told.uris, told.dns_names.len()), (vec!["spiffe://x/a".to_owned()], 2));
    let error = read(&Envoy::new(), &format!("Hash={hash};Issuer=\"CN=CA\";URI=a")).unwrap_err();
    assert!(error.contains("out of order"), "{error}");
}

#[test]
fn what_ingress_nginx_and_aws_say_beside_a_certificate_is_not_read() {
    let (alice, _) = client("alice", &["spiffe://x/alice"]);
    let chain = [alice];
    for (dialect, names) in [
        (&Nginx::ingress() as &dyn Dialect, &["ssl-client-subject-dn", "ssl-client-issuer-dn"][..]),
        (
            &AwsAlb::verify(),
            &["subject", "issuer", "serial-number", "validity"].map(|name| match name {
                "subject" => "x-amzn-mtls-clientcert-subject",
                "issuer" => "x-amzn-mtls-clientcert-issuer",
                "serial-number" => "x-amzn-mtls-clientcert-serial-number",
                _ => "x-amzn-mtls-clientcert-validity",
            }),
        ),
    ] {
        let honest = encode(dialect, &chain, VerifyStatus::Success);
        let own = dialect.decode(&honest).unwrap().unwrap();
        assert_eq!(own.details.subject.as_deref(), Some("CN=alice"));
        assert_eq!(own.details.issuer.as_deref(), Some("CN=CA"));
        assert_eq!(own.details.uris, ["spiffe://x/alice"]);
        for name in names {
            for values in [&["CN=admin"][..], &["CN=admin", "CN=root"], &[""], &["(null)"], &["CN=\u{e9}"]] {
                let mut headers = honest.clone();
                headers.remove(*name);
                for value in values {
                    headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
                }
                assert_eq!(dialect.decode(&headers).unwrap().unwrap(), own, "{name}: {values:?}");
            }
        }
    }

    // Without it, ingress-nginx tells, and AWS, which always sends the certificate, does not.
    let told = [("ssl-client-verify", "SUCCESS"), ("ssl-client-subject-dn", "CN=alice")];
    let told = Nginx::ingress().decode(&map(&told)).unwrap().unwrap();
    assert_eq!((told.certificates.len(), told.details.subject.as_deref()), (0, Some("CN=alice")));
    let odd = [("ssl-client-verify", "SUCCESS"), ("ssl-client-subject-dn", "")];
    assert_eq!(Nginx::ingress().decode(&map(&odd)).unwrap_err().kind(), &DecodeErrorKind::Empty);
    let aws = [("x-amzn-mtls-clientcert-subject", "CN=alice")];
    assert_eq!(AwsAlb::verify().decode(&map(&aws)), Ok(None));
}

/// What has the outline of a certificate is accepted without feature `x509`, and so it is with it.
#[test]
fn a_certificate_that_cannot_be_read_has_no_names_and_is_no_error() {
    let chain: [CertificateDer<'static>; 1] = [vec![0x30, 0x00].into()];
    for name in ["envoy", "ingress-nginx", "aws-alb-verify"] {
        let dialect: AnyDialect = name.parse().unwrap();
        let told = dialect.decode(&encode(&dialect, &chain, VerifyStatus::Success)).unwrap().unwrap();
        assert_eq!(told.certificates, chain);
        let mut nothing = CertDetails::default();
        nothing.hash = told.details.hash;
        assert_eq!(told.details, nothing, "{name}");
    }
}

/// What may follow a certificate in a name that Envoy writes as it is: pieces of fields, some of them another client's.
fn tail() -> impl Strategy<Value = Vec<&'static str>> {
    const PIECES: [&str; 22] = [
        ";",
        ",",
        "=",
        "\"",
        "\\",
        " ",
        "a",
        "URI",
        "DNS",
        "Subject=",
        ";URI=spiffe://x/admin",
        ";Subject=\"CN=admin\"",
        ";Hash=",
        ";Cert=",
        ";Chain=",
        ";By=",
        ",By=x",
        "{hash}",
        "{cert}",
        ",{element}",
        ";{element}",
        ";Issuer=\"",
    ];
    proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    /// Either the value is refused, or it is alice's, all of it.
    #[test]
    fn nothing_behind_a_certificate_changes_who_it_is(tail in tail()) {
        use std::sync::LazyLock;
        type Client = (CertificateDer<'static>, String);
        static CLIENTS: LazyLock<[Client; 2]> = LazyLock::new(|| [client("alice", &["spiffe://x/alice"]), client("bob", &[])]);
        let [(alice, element), (_, bobs)] = &*CLIENTS;
        let bob = |field: &str| bobs.split(';').find_map(|pair| pair.strip_prefix(field)).unwrap().to_owned();
        let tail = tail.concat().replace("{hash}", &bob("Hash=")).replace("{cert}", &bob("Cert=")).replace("{element}", bobs);
        let own = read(&Envoy::new(), element).unwrap();
        for told in [format!("{element};URI={tail}"), format!("{element};Subject=\"CN=alice\";URI={tail}")] {
            if let Ok(told) = read(&Envoy::new(), &told) {
                prop_assert_eq!(&told.certificates, std::slice::from_ref(alice));
                prop_assert_eq!(told, own.clone());
            }
        }
    }
}
