//! Which names of its certificate a proxy is known by.

use rcgen::SanType;
use rcgen::string::Ia5String;
use rustls::pki_types::UnixTime;
use tower_client_cert::dialect::Skipper;
use tower_client_cert::forwarded::{ForwardedClientCertError, ForwardedClientCertLayer, Hop, TrustedProxies};
use tower_client_cert::{ClientAuthPolicy, Fingerprint, PeerCertificates, TlsConnectInfo};

use crate::harness::verifier;
use crate::pki::{Authority, Identity};

fn ia5(text: &str) -> Ia5String {
    text.try_into().unwrap()
}

/// Whether a hop with this certificate is one of these.
fn trusts(trusted: TrustedProxies, peer: Option<PeerCertificates>) -> bool {
    let info = TlsConnectInfo::new(peer);
    let reader = ForwardedClientCertLayer::new(Skipper::new(), trusted);
    let outcome = reader.read(&Hop::unknown().with_tls(&info), &http::HeaderMap::new());
    match outcome.unwrap_err() {
        ForwardedClientCertError::Absent => true,
        ForwardedClientCertError::Untrusted { header: None } => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_proxy_is_known_by_the_names_of_its_own_verified_certificate_and_by_their_kind() {
    let ca = Authority::root("CA");
    let verifier = verifier(ClientAuthPolicy::VerifyClientCertIfGiven).roots([ca.der()]).build().unwrap();
    let seen = |identity: &Identity| verifier.judge(identity.chain.clone(), UnixTime::now()).unwrap();
    let names = vec![
        SanType::DnsName(ia5("edge.example")),
        SanType::URI(ia5("spiffe://example/edge")),
        SanType::DnsName(ia5("*.wild.example")),
    ];
    let edge = ca.issue("common-name.example", |params| params.subject_alt_names = names.clone());
    let nameless = ca.issue("edge.example", |params| params.subject_alt_names.clear());
    let impostor = Authority::root("CA").issue("edge", |params| params.subject_alt_names = names.clone());
    let none = TrustedProxies::none;
    for (is_known, trusted) in [
        (true, none().client_cert_dns_name("edge.example")),
        (true, none().client_cert_dns_name("EDGE.Example")),
        (true, none().client_cert_dns_name("*.wild.example")),
        (true, none().client_cert_uri("spiffe://example/edge")),
        (true, none().client_cert_dns_name("other.example").client_cert_uri("spiffe://example/edge")),
        (true, none().client_cert_fingerprint([0; 32].into()).client_cert_dns_name("edge.example")),
        (
            true,
            none().client_cert_dns_name("nobody").client_cert_fingerprint(Fingerprint::of(&edge.chain[0])),
        ),
        (false, none().client_cert_dns_name("other.example")),
        (false, none().client_cert_dns_name("a.wild.example")),
        (false, none().client_cert_dns_name("sub.edge.example")),
        (false, none().client_cert_dns_name("edge.example.")),
        (false, none().client_cert_dns_name("")),
        (false, none().client_cert_dns_name("common-name.example")),
        (false, none().client_cert_dns_name("spiffe://example/edge")),
        (false, none().client_cert_uri("edge.example")),
        (false, none().client_cert_uri("spiffe://EXAMPLE/edge")),
        (false, none().client_cert_uri("spiffe://example/edge/")),
    ] {
        assert_eq!(trusts(trusted.clone(), seen(&edge)), is_known, "{trusted:?}");
        // By nobody's word but a verified certificate's, and by none that has no such name.
        assert!(!trusts(trusted.clone(), seen(&impostor)), "{trusted:?}");
        assert!(!trusts(trusted.clone(), PeerCertificates::unverified(edge.chain.clone())), "{trusted:?}");
        assert!(!trusts(trusted.clone(), None), "{trusted:?}");
        assert!(!trusts(trusted.clone(), seen(&nameless)), "{trusted:?}");
        // Nor by the name of one that it sent along.
        let along = ca.client("somebody").with(edge.chain.clone());
        assert!(!trusts(trusted.clone(), seen(&along)), "{trusted:?}");
    }
}
