//! The matrix: every policy, every kind of client certificate, TLS 1.2 and 1.3, over real sockets.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyPair, KeyUsagePurpose, NameConstraints, RsaKeySize, SanType,
};
use rustls::version::{TLS12, TLS13};
use time::{Duration, OffsetDateTime};
use tower_client_cert::{ClientAuthPolicy, TlsVersion};

use crate::harness::{ServerPki, verifier, visit};
use crate::pki::{Authority, Identity, der, unknown_extension};
use crate::provider::Provider;

/// The table of the crate's documentation: a name for what the client presents, then a cell for each policy that asks.
const TABLE: &str = include_str!("../../src/docs/policies.md");

const P521: &str = "a key of P-521 (aws-lc-rs; ring does not know it)";

/// A server on ring does not offer to verify such a key's signatures, and the client presents nothing.
const P521_ON_RING: [&str; 5] = ["NONE", "NONE", "refused", "NONE", "refused"];

fn table() -> impl Iterator<Item = (&'static str, [&'static str; 5])> {
    TABLE.lines().filter(|line| line.starts_with('|')).skip(2).map(|row| {
        let cells: Vec<_> =
            row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [name, request, require_any, verify_if_given, require_and_verify] = cells[..] else {
            panic!("{row}")
        };
        (name, ["NONE", request, require_any, verify_if_given, require_and_verify])
    })
}

/// What the clients of the table present.
fn present(name: &str, ca: &Authority) -> Option<Identity> {
    let now = OffsetDateTime::now_utc();
    let intermediate = ca.intermediate("intermediate");
    let with_key = |key: KeyPair| ca.issue_for("alice", &key, |_| {});
    let curve = |algorithm| with_key(KeyPair::generate_for(algorithm).unwrap());
    let rsa = |size| with_key(KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap());
    Some(match name {
        "no certificate" => return None,
        "one of the CA's" => ca.client("alice"),
        "one of the CA's, with its intermediate" => intermediate.client("alice").with([intermediate.der()]),
        "one of the CA's, without its intermediate" => intermediate.client("alice"),
        "one of another CA" => Authority::root("stranger").client("mallory"),
        "a self-signed one" => Identity::self_signed("mallory"),
        "an expired one" => ca.issue("old", |params| params.not_after = now - Duration::hours(1)),
        "one that is not yet valid" => ca.issue("new", |params| params.not_before = now + Duration::hours(1)),
        "one with extended key usage serverAuth only" => ca
            .issue("server", |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
        "one without extended key usage" => ca.issue("alice", |params| params.extended_key_usages.clear()),
        "one with key usage keyEncipherment only" => {
            ca.issue("alice", |params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment])
        }
        "one with key usage keyAgreement only" => {
            ca.issue("alice", |params| params.key_usages = vec![KeyUsagePurpose::KeyAgreement])
        }
        "one without key usage" => ca.issue("alice", |params| params.key_usages.clear()),
        "a CA certificate as its own" => {
            ca.issue("ca", |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))
        }
        "an X.509 v1 certificate" => ca.issue_v1("v1"),
        "one with an unknown critical extension" => {
            ca.issue("critical", |params| params.custom_extensions = vec![unknown_extension(true, 1)])
        }
        "one with `certificatePolicies` marked critical" => ca.issue("alice", |params| {
            // anyPolicy
            let policies = der(0x30, &der(0x30, &[0x06, 0x04, 0x55, 0x1D, 0x20, 0x00]));
            let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 32], policies);
            extension.set_criticality(true);
            params.custom_extensions = vec![extension];
        }),
        "one with a host that its CA's name constraint does not permit" => {
            constrained(ca, GeneralSubtree::DnsName("other.test".into()), |_| {})
        }
        "one with an e-mail address, its CA's name constraint being about e-mail" => {
            constrained(ca, GeneralSubtree::Rfc822Name("a.test".into()), |params| {
                params.subject_alt_names = vec![SanType::Rfc822Name("alice@a.test".try_into().unwrap())];
            })
        }
        "one that is valid since 1969" => ca.issue("alice", |params| {
            params.not_before = OffsetDateTime::UNIX_EPOCH - Duration::days(1);
        }),
        "a key of P-384" => curve(&rcgen::PKCS_ECDSA_P384_SHA384),
        P521 => curve(&rcgen::PKCS_ECDSA_P521_SHA512),
        "a key of Ed25519" => curve(&rcgen::PKCS_ED25519),
        "a key of RSA-2048" => rsa(RsaKeySize::_2048),
        "a key of RSA-4096" => rsa(RsaKeySize::_4096),
        "a certificate of 30 KB" => {
            ca.issue("large", |params| params.custom_extensions = vec![unknown_extension(false, 30_000)])
        }
        "a certificate whose key it does not have" => ca.client("alice").stolen(),
        _ => panic!("nobody presents {name:?}"),
    })
}

/// A client of an intermediate that permits these names only.
fn constrained(
    ca: &Authority,
    permitted: GeneralSubtree,
    change: impl FnOnce(&mut CertificateParams),
) -> Identity {
    let issuer = ca.intermediate_with("intermediate", |params| {
        let constraints = NameConstraints { permitted_subtrees: vec![permitted], excluded_subtrees: vec![] };
        params.name_constraints = Some(constraints);
    });
    issuer.issue("alice", change).with([issuer.der()])
}

#[tokio::test]
async fn i9_every_policy_treats_every_certificate_as_the_table_says() {
    let ca = Authority::root("client CA");
    let pki = ServerPki::new();
    let acceptors = ClientAuthPolicy::ALL
        .map(|policy| (policy, pki.acceptor(verifier(policy).roots([ca.der()]).build().unwrap())));
    let mut wrong = Vec::new();
    let mut rows = 0;
    for (name, cells) in table() {
        rows += 1;
        let identity = present(name, &ca);
        let cells = if name == P521 && !Provider::chosen().knows_p521() { P521_ON_RING } else { cells };
        for ((policy, acceptor), expected) in acceptors.iter().zip(cells) {
            for (version, negotiated) in [(&TLS12, TlsVersion::Tls12), (&TLS13, TlsVersion::Tls13)] {
                let outcome = match visit(acceptor, &pki.client(identity.as_ref(), &[version])).await {
                    Err(_) => "refused".to_owned(),
                    Ok(info) => {
                        assert_eq!(info.policy(), Some(*policy));
                        assert_eq!(info.protocol_version(), Some(negotiated));
                        assert!(!info.resumed());
                        info.peer_certificates().map_or("NONE".to_owned(), |peer| {
                            assert_eq!(peer.presented(), identity.as_ref().unwrap().chain);
                            peer.verification().to_string()
                        })
                    }
                };
                if outcome != expected {
                    wrong.push(format!("{policy}, {negotiated:?}, {name}: {outcome}, not {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(rows, 27);
}
