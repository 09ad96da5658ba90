//! Certificates on which verifiers differ: what this crate makes of them, and OpenSSL. What Go makes of them is in the
//! crate's documentation, under "Differences from Go".

use std::process::Command;

use rcgen::{
    CertificateParams, CidrSubnet, CustomExtension, GeneralSubtree, KeyPair, KeyUsagePurpose,
    NameConstraints, RsaKeySize, SanType,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use time::{Date, Month, OffsetDateTime};
use tower_client_cert::{ClientAuthPolicy, UnverifiedReason, Verification};

use crate::forge::{CN, UTF8, name};
use crate::harness::verifier;
use crate::pki::{Authority, Identity, der};

use UnverifiedReason::{
    BadSignature, ConstraintViolated, Invalid, NotForClientAuth, Unsupported, UnsupportedConstraint,
};

/// A certificate, its root, and whether this crate and OpenSSL take it.
struct Case {
    name: &'static str,
    root: CertificateDer<'static>,
    client: Identity,
    here: Result<(), UnverifiedReason>,
    openssl: bool,
}

const YES: Result<(), UnverifiedReason> = Ok(());

/// The extension of a client's certificate or of an issuer's, by the last number of its identifier below `id-ce`.
fn extension(number: u64, critical: bool, value: Vec<u8>) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, number], value);
    extension.set_criticality(critical);
    extension
}

fn key_usages() -> Vec<Case> {
    use KeyUsagePurpose as K;
    let ca = Authority::root("CA");
    let usages = |usages: &[K]| ca.issue("alice", |params| params.key_usages = usages.to_vec());
    // A bit string with no bits; one that is an octet string; one that ends too early.
    let raw = |value: Vec<u8>| {
        ca.issue("alice", |params| {
            params.key_usages = vec![];
            params.custom_extensions = vec![extension(15, true, value)];
        })
    };
    let no = Err(NotForClientAuth);
    let none = der(0x03, &[0]);
    [
        ("keyUsage digitalSignature", usages(&[K::DigitalSignature]), YES, true),
        ("keyUsage digitalSignature and more", usages(&[K::DigitalSignature, K::KeyEncipherment]), YES, true),
        ("keyUsage keyAgreement", usages(&[K::KeyAgreement]), YES, true),
        ("no keyUsage", usages(&[]), YES, true),
        ("keyUsage keyEncipherment", usages(&[K::KeyEncipherment]), no, false),
        ("keyUsage contentCommitment", usages(&[K::ContentCommitment]), no, false),
        ("keyUsage keyCertSign", usages(&[K::KeyCertSign]), no, false),
        ("keyUsage decipherOnly", usages(&[K::DecipherOnly]), no, false),
        ("keyUsage without bits", raw(none), no, false),
        ("keyUsage that is no bit string", raw(der(0x04, &[7, 0x80])), no, false),
        ("keyUsage cut short", raw(vec![0x03, 0x02, 0x07]), no, false),
    ]
    .map(|(name, client, here, openssl)| Case { name, root: ca.der(), client, here, openssl })
    .into()
}

/// An issuer below the root that constrains names, and a client of its.
fn constrained(
    name: &'static str,
    constrain: impl FnOnce(&mut CertificateParams),
    names: Vec<SanType>,
    here: Result<(), UnverifiedReason>,
    openssl: bool,
) -> Case {
    let ca = Authority::root("CA");
    let issuer = ca.intermediate_with("intermediate", constrain);
    let client = issuer.issue("alice", |params| params.subject_alt_names = names).with([issuer.der()]);
    Case { name, root: ca.der(), client, here, openssl }
}

fn permit(subtree: GeneralSubtree) -> impl FnOnce(&mut CertificateParams) {
    let constraints = NameConstraints { permitted_subtrees: vec![subtree], excluded_subtrees: vec![] };
    move |params| params.name_constraints = Some(constraints)
}

fn exclude(subtree: GeneralSubtree) -> impl FnOnce(&mut CertificateParams) {
    let constraints = NameConstraints { permitted_subtrees: vec![], excluded_subtrees: vec![subtree] };
    move |params| params.name_constraints = Some(constraints)
}

const PERMITTED: u8 = 0xA0;
const EXCLUDED: u8 = 0xA1;

/// Names of a kind that rcgen has no constraints for, or none that others can read, by the kind's tag.
fn raw(subtrees: u8, tag: u8, name: &[u8]) -> impl FnOnce(&mut CertificateParams) {
    let subtrees = der(subtrees, &der(0x30, &der(tag, name)));
    let constraints = extension(30, true, der(0x30, &subtrees));
    move |params| params.custom_extensions.push(constraints)
}

fn name_constraints() -> Vec<Case> {
    let dns = |name: &str| vec![SanType::DnsName(name.try_into().unwrap())];
    let email = || vec![SanType::Rfc822Name("alice@a.test".try_into().unwrap())];
    let uri = || vec![SanType::URI("https://a.test/x".try_into().unwrap())];
    let at = || GeneralSubtree::Rfc822Name("a.test".into());
    let below = || GeneralSubtree::DnsName("a.test".into());
    let directory = name(&[&[(CN, UTF8, b"alice")]]);
    let network = || GeneralSubtree::IpAddress(CidrSubnet::V4([10, 0, 0, 0], [255, 0, 0, 0]));
    let ip = |ip: &str| vec![SanType::IpAddress(ip.parse().unwrap())];
    let (violated, unsupported) = (Err(ConstraintViolated), Err(UnsupportedConstraint));
    let both = |params: &mut CertificateParams| {
        let constraints =
            NameConstraints { permitted_subtrees: vec![at(), below()], excluded_subtrees: vec![at()] };
        params.name_constraints = Some(constraints);
    };
    let ca = Authority::root_for("CA", crate::pki::generate(), permit(at()));
    let below_it = ca.intermediate_with("intermediate", permit(at()));
    let twice = below_it.issue("alice", |params| params.subject_alt_names = email()).with([below_it.der()]);
    let by_the_root = ca.issue("alice", |params| params.subject_alt_names = email());
    vec![
        constrained("DNS name permitted", permit(below()), dns("x.a.test"), YES, true),
        constrained("DNS name not permitted", permit(below()), dns("b.test"), violated, false),
        constrained("DNS name excluded", exclude(below()), dns("x.a.test"), violated, false),
        constrained("IP address permitted", permit(network()), ip("10.1.2.3"), YES, true),
        constrained("IP address not permitted", permit(network()), ip("11.1.2.3"), violated, false),
        constrained("e-mail permitted", permit(at()), email(), unsupported, true),
        constrained(
            "another e-mail excluded",
            exclude(GeneralSubtree::Rfc822Name("b.test".into())),
            email(),
            unsupported,
            true,
        ),
        constrained("e-mail excluded", exclude(at()), email(), unsupported, false),
        constrained("e-mail permitted and none there", permit(at()), dns("a.test"), YES, true),
        constrained(
            "directory name permitted",
            raw(PERMITTED, 0xA4, &directory),
            dns("a.test"),
            unsupported,
            true,
        ),
        constrained(
            "directory name excluded",
            raw(EXCLUDED, 0xA4, &directory),
            dns("a.test"),
            unsupported,
            false,
        ),
        constrained("URI permitted", raw(PERMITTED, 0x86, b"a.test"), uri(), unsupported, true),
        constrained(
            "URI permitted and none there",
            raw(PERMITTED, 0x86, b"a.test"),
            dns("a.test"),
            YES,
            true,
        ),
        constrained("two e-mails permitted", permit(at()), [email(), email()].concat(), unsupported, true),
        // It is known of the host, and there is no e-mail address.
        constrained("DNS name not permitted, e-mail constrained", both, dns("b.test"), violated, false),
        Case {
            name: "e-mail permitted by the root and below it",
            root: ca.der(),
            client: twice,
            here: unsupported,
            openssl: true,
        },
        Case {
            name: "e-mail permitted by the root",
            root: ca.der(),
            client: by_the_root,
            here: unsupported,
            openssl: true,
        },
    ]
}

fn dates() -> Vec<Case> {
    let year = |year| {
        OffsetDateTime::new_utc(
            Date::from_calendar_date(year, Month::January, 1).unwrap(),
            time::Time::MIDNIGHT,
        )
    };
    let ca = Authority::root("CA");
    let since = |first| ca.issue("alice", |params| params.not_before = year(first));
    let over = ca.issue("alice", |params| (params.not_before, params.not_after) = (year(1950), year(1960)));
    let issuer = ca.intermediate_with("intermediate", |params| params.not_before = year(1969));
    [
        ("notBefore 1970", since(1970), YES, true),
        ("notBefore 1969", since(1969), Err(Invalid), true),
        ("notBefore 1950", since(1950), Err(Invalid), true),
        ("notAfter 1960", over, Err(Invalid), false),
        ("an intermediate's notBefore 1969", issuer.client("alice").with([issuer.der()]), Err(Invalid), true),
    ]
    .map(|(name, client, here, openssl)| Case { name, root: ca.der(), client, here, openssl })
    .into()
}

/// Parameters of an `AlgorithmIdentifier` where there should be none, and the other way around (RFC 3279, 4055, 5758).
fn null_parameters() -> Vec<Case> {
    const ECDSA: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
    const ED25519: &[u8] = &[0x06, 0x03, 0x2B, 0x65, 0x70];
    const RSA_SHA256: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B];
    const NULL: &[u8] = &[0x05, 0x00];
    let with_null = |oid: &[u8]| der(0x30, &[oid, NULL].concat());
    let without = |oid: &[u8]| der(0x30, oid);
    let ecdsa = Authority::root("CA");
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let ed25519 = Authority::root_for("CA", ed25519, |_| {});
    let rsa = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let rsa = Authority::root_for("CA", rsa, |_| {});
    let swapped = |ca: &Authority, from: &[u8], to: &[u8]| {
        let client = ca.client("alice");
        let swapped = ca.resign(&client, from, to);
        assert_ne!(client.chain, swapped.chain);
        swapped
    };
    let case =
        |name, ca: &Authority, client, here, openssl| Case { name, root: ca.der(), client, here, openssl };
    vec![
        case("signed again as it is", &ecdsa, ecdsa.resign(&ecdsa.client("alice"), ECDSA, ECDSA), YES, true),
        case(
            "an ECDSA signature with NULL parameters",
            &ecdsa,
            swapped(&ecdsa, &without(ECDSA), &with_null(ECDSA)),
            Err(BadSignature),
            true,
        ),
        case(
            "an Ed25519 signature with NULL parameters",
            &ed25519,
            swapped(&ed25519, &without(ED25519), &with_null(ED25519)),
            Err(BadSignature),
            true,
        ),
        case(
            "an RSA signature without NULL parameters",
            &rsa,
            swapped(&rsa, &with_null(RSA_SHA256), &without(RSA_SHA256)),
            YES,
            true,
        ),
    ]
}

fn policies() -> Vec<Case> {
    let any = || der(0x30, &der(0x30, &[0x06, 0x04, 0x55, 0x1D, 0x20, 0x00]));
    let own = || der(0x30, &der(0x30, &[0x06, 0x03, 0x2A, 0x03, 0x04]));
    let ca = Authority::root("CA");
    let with = |number, critical, value: Vec<u8>| {
        ca.issue("alice", |params| params.custom_extensions = vec![extension(number, critical, value)])
    };
    let below = |number, value: Vec<u8>| {
        let issuer = ca.intermediate_with("intermediate", |params| {
            params.custom_extensions = vec![extension(number, true, value)];
        });
        issuer.client("alice").with([issuer.der()])
    };
    let no = Err(Unsupported);
    [
        ("certificatePolicies, anyPolicy", with(32, false, any()), YES, true),
        ("certificatePolicies, anyPolicy, critical", with(32, true, any()), no, true),
        ("certificatePolicies, another, critical", with(32, true, own()), no, true),
        ("an intermediate's certificatePolicies, critical", below(32, any()), no, true),
        (
            "an intermediate's policyConstraints, critical",
            below(36, der(0x30, &[0x81, 0x01, 0x00])),
            no,
            true,
        ),
        ("an intermediate's inhibitAnyPolicy, critical", below(54, der(0x02, &[0])), no, true),
    ]
    .map(|(name, client, here, openssl)| Case { name, root: ca.der(), client, here, openssl })
    .into()
}

/// `openssl verify`, for the purpose that nginx, HAProxy and Apache verify for.
fn openssl_takes(case: &Case) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, certificates: &[CertificateDer<'_>]| {
        let path = dir.path().join(name);
        let pem = certificates.iter().map(|der| pem::encode(&pem::Pem::new("CERTIFICATE", der.as_ref())));
        std::fs::write(&path, pem.collect::<String>()).unwrap();
        path
    };
    let mut command = Command::new("openssl");
    command.args(["verify", "-purpose", "sslclient", "-no-CApath", "-CAfile"]);
    command.arg(file("root.pem", std::slice::from_ref(&case.root)));
    command
        .arg("-untrusted")
        .arg(file("chain.pem", &case.client.chain))
        .arg(file("leaf.pem", &case.client.chain[..1]));
    command.output().expect("the openssl command is needed here").status.success()
}

fn judged(case: &Case) -> Verification {
    let verifier =
        verifier(ClientAuthPolicy::RequireAndVerifyClientCert).roots([case.root.clone()]).build().unwrap();
    verifier.judge(case.client.chain.clone(), UnixTime::now()).unwrap().unwrap().verification()
}

fn check(cases: &[Case]) {
    let mut wrong = Vec::new();
    for case in cases {
        let expected = case.here.map_or_else(Verification::Unverified, |()| Verification::Verified);
        let (here, openssl) = (judged(case), openssl_takes(case));
        if (here, openssl) != (expected, case.openssl) {
            wrong.push(format!(
                "{}: here {here}, OpenSSL {openssl}; not {expected}, {}",
                case.name, case.openssl
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_key_that_must_not_sign_is_no_clients_as_for_openssl() {
    check(&key_usages());
}

#[test]
fn name_constraints_that_cannot_be_judged_are_not_called_violated() {
    check(&name_constraints());
}

#[test]
fn dates_before_1970_are_refused() {
    check(&dates());
}

#[test]
fn algorithms_have_the_parameters_they_should() {
    check(&null_parameters());
}

#[test]
fn critical_policies_are_refused() {
    check(&policies());
}
