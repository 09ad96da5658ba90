//! Certificate revocation lists: what each option takes back of the strict defaults, seen from the verdict and from
//! the client.

use rcgen::SerialNumber;
use rustls::pki_types::{CertificateRevocationListDer, UnixTime};
use rustls::version::{TLS12, TLS13};
use time::Duration;
use tower_client_cert::{ClientAuthPolicy, ClientVerifierBuilder, UnverifiedReason, Verification};

use crate::harness::{ServerPki, verifier, visit};
use crate::pki::{Authority, Identity};

use ClientAuthPolicy::{RequestClientCert, RequireAndVerifyClientCert};
use UnverifiedReason::{ExpiredCrl, Revoked, UnknownRevocationStatus};
use Verification::{Unverified, Verified};

/// A root, an intermediate and a client of its, of which either may be revoked.
struct Chain {
    root: Authority,
    intermediate: Authority,
    alice: Identity,
}

/// What a CRL says of the one certificate that matters here.
#[derive(Clone, Copy, Debug)]
enum Crl {
    Missing,
    Clear,
    Revokes,
    Stale,
    StaleAndRevokes,
}

use Crl::{Clear, Missing, Revokes, Stale, StaleAndRevokes};

const INTERMEDIATE: u64 = 1001;
const ALICE: u64 = 2002;

impl Chain {
    fn new() -> Self {
        let root = Authority::root("root CA");
        let serial = |serial: u64| Some(SerialNumber::from(serial));
        let intermediate =
            root.intermediate_with("intermediate CA", |params| params.serial_number = serial(INTERMEDIATE));
        let alice = intermediate.issue("alice", |params| params.serial_number = serial(ALICE));
        let alice = alice.with([intermediate.der()]);
        Self { root, intermediate, alice }
    }

    /// The root's list speaks of the intermediate, and the intermediate's of the client.
    fn crls(
        &self,
        of_root: Crl,
        of_intermediate: Crl,
    ) -> impl Iterator<Item = CertificateRevocationListDer<'static>> {
        let make = |issuer: &Authority, serial: u64, crl| {
            let serial = SerialNumber::from(serial);
            let (days, revoked) = match crl {
                Missing => return None,
                Clear => (7, vec![]),
                Revokes => (7, vec![&serial]),
                Stale => (-1, vec![]),
                StaleAndRevokes => (-1, vec![&serial]),
            };
            Some(issuer.crl(&revoked, Duration::days(days)))
        };
        let of_root = make(&self.root, INTERMEDIATE, of_root);
        of_root.into_iter().chain(make(&self.intermediate, ALICE, of_intermediate))
    }
}

type Options = fn(ClientVerifierBuilder) -> ClientVerifierBuilder;

/// The root's CRL, the intermediate's, the option, and the verdict.
const TABLE: [(Crl, Crl, &str, Verification); 24] = [
    (Missing, Missing, "", Verified),
    (Clear, Clear, "", Verified),
    (Clear, Revokes, "", Unverified(Revoked)),
    (Revokes, Clear, "", Unverified(Revoked)),
    // By default: the whole chain, nothing unknown, nothing stale.
    (Missing, Clear, "", Unverified(UnknownRevocationStatus)),
    (Clear, Missing, "", Unverified(UnknownRevocationStatus)),
    (Clear, Stale, "", Unverified(ExpiredCrl)),
    (Stale, Clear, "", Unverified(ExpiredCrl)),
    // Only the client's own certificate.
    (Missing, Clear, "only_check_end_entity_revocation", Verified),
    (Revokes, Clear, "only_check_end_entity_revocation", Verified),
    (Stale, Clear, "only_check_end_entity_revocation", Verified),
    (Clear, Revokes, "only_check_end_entity_revocation", Unverified(Revoked)),
    (Clear, Missing, "only_check_end_entity_revocation", Unverified(UnknownRevocationStatus)),
    (Clear, Stale, "only_check_end_entity_revocation", Unverified(ExpiredCrl)),
    // What no CRL speaks of is good.
    (Missing, Clear, "allow_unknown_revocation_status", Verified),
    (Clear, Missing, "allow_unknown_revocation_status", Verified),
    (Missing, Revokes, "allow_unknown_revocation_status", Unverified(Revoked)),
    (Revokes, Missing, "allow_unknown_revocation_status", Unverified(Revoked)),
    (Stale, Missing, "allow_unknown_revocation_status", Unverified(ExpiredCrl)),
    // A stale CRL speaks too, and of what it always did.
    (Stale, Stale, "allow_expired_crls", Verified),
    (Clear, StaleAndRevokes, "allow_expired_crls", Unverified(Revoked)),
    (StaleAndRevokes, Clear, "allow_expired_crls", Unverified(Revoked)),
    (Stale, Missing, "allow_expired_crls", Unverified(UnknownRevocationStatus)),
    (Clear, StaleAndRevokes, "", Unverified(ExpiredCrl)),
];

fn option(name: &str) -> Options {
    match name {
        "" => |builder| builder,
        "only_check_end_entity_revocation" => ClientVerifierBuilder::only_check_end_entity_revocation,
        "allow_unknown_revocation_status" => ClientVerifierBuilder::allow_unknown_revocation_status,
        "allow_expired_crls" => ClientVerifierBuilder::allow_expired_crls,
        _ => panic!("there is no option {name}"),
    }
}

#[tokio::test]
async fn each_option_takes_back_one_part_of_the_strict_defaults() {
    let chain = Chain::new();
    let pki = ServerPki::new();
    let mut wrong = Vec::new();
    for (of_root, of_intermediate, name, expected) in TABLE {
        let build = |policy| {
            let builder = verifier(policy).roots([chain.root.der()]);
            option(name)(builder.crls(chain.crls(of_root, of_intermediate))).build().unwrap()
        };
        let case = format!("root's {of_root:?}, intermediate's {of_intermediate:?}, {name}");

        let lenient = pki.acceptor(build(RequestClientCert));
        let strict = pki.acceptor(build(RequireAndVerifyClientCert));
        for version in [&TLS12, &TLS13] {
            let client = pki.client(Some(&chain.alice), &[version]);
            let info = visit(&lenient, &client).await.unwrap();
            let verdict = info.peer_certificates().unwrap().verification();
            if verdict != expected {
                wrong.push(format!("{case}: {verdict}, not {expected}"));
            }
            let client = pki.client(Some(&chain.alice), &[version]);
            let let_in = visit(&strict, &client).await.is_ok();
            if let_in != (expected == Verified) {
                wrong.push(format!("{case}: let in: {let_in}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crls_come_from_files_in_pem_and_der_and_add_up() {
    let chain = Chain::new();
    let directory = tempfile::tempdir().unwrap();
    let serial = SerialNumber::from(ALICE);
    let (pem, der) = (directory.path().join("crls.pem"), directory.path().join("crl.der"));
    let both = [
        chain.root.crl_pem(&[], Duration::days(7)),
        chain.intermediate.crl_pem(&[&serial], Duration::days(7)),
    ];
    std::fs::write(&pem, both.concat()).unwrap();
    std::fs::write(&der, chain.intermediate.crl(&[&serial], Duration::days(7))).unwrap();
    let builder = || verifier(RequestClientCert).roots([chain.root.der()]);
    for builder in [
        builder().crls_from_file(&pem),
        builder().crls_from_file(&der).crls_from_pem(both[0].clone()),
        builder().crls(chain.crls(Clear, Missing)).crls_from_file(&der),
    ] {
        let judged = builder.build().unwrap().judge(chain.alice.chain.clone(), UnixTime::now()).unwrap();
        assert_eq!(judged.unwrap().verification(), Unverified(Revoked));
    }
}

/// A CRL of somebody who is not the issuer revokes nothing.
#[test]
fn i3_a_crl_speaks_only_for_its_issuer() {
    let chain = Chain::new();
    let serial = SerialNumber::from(ALICE);
    let stranger = Authority::root("intermediate CA");
    let builder = verifier(RequestClientCert).roots([chain.root.der()]).crls(chain.crls(Clear, Missing));
    let forged = builder.crls([stranger.crl(&[&serial], Duration::days(7))]).build().unwrap();
    let judged = forged.judge(chain.alice.chain.clone(), UnixTime::now()).unwrap();
    // It has the right name and the wrong key: the chain is not vouched for, and not called revoked.
    assert_eq!(judged.unwrap().verification(), Unverified(UnknownRevocationStatus));
}

#[test]
fn i5_a_verdict_falls_when_its_crl_expires() {
    let chain = Chain::new();
    let crls = chain.crls(Clear, Clear);
    let verifier = verifier(RequestClientCert).roots([chain.root.der()]).crls(crls).build().unwrap();
    let expires = verifier.crl_next_update().unwrap().as_secs();
    let at = |seconds| {
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        verifier.judge(chain.alice.chain.clone(), now).unwrap().unwrap().verification()
    };
    // Over and over, since a verdict is remembered as long as it holds.
    for _ in 0..2 {
        assert_eq!(at(expires - 1), Verified);
        assert_eq!(at(expires), Unverified(ExpiredCrl));
    }
}

#[test]
fn i5_a_verdict_falls_with_the_dates_of_every_certificate() {
    let root = Authority::root("root CA");
    let now = UnixTime::now().as_secs() as i64;
    let date = |seconds| time::OffsetDateTime::from_unix_timestamp(now + seconds).unwrap();
    let intermediate = root.intermediate_with("intermediate CA", |params| {
        (params.not_before, params.not_after) = (date(-10), date(20));
    });
    let alice = intermediate.issue("alice", |params| {
        (params.not_before, params.not_after) = (date(-20), date(10));
    });
    let bob =
        intermediate.issue("bob", |params| (params.not_before, params.not_after) = (date(-5), date(30)));
    let verifier = verifier(RequestClientCert).roots([root.der()]).build().unwrap();
    for (identity, first, last) in [(alice, -10, 10), (bob, -5, 20)] {
        let chain = identity.with([intermediate.der()]).chain;
        let at = |seconds: i64| {
            let seconds = std::time::Duration::from_secs((now + seconds) as u64);
            let judged = verifier.judge(chain.clone(), UnixTime::since_unix_epoch(seconds));
            judged.unwrap().unwrap().verification()
        };
        for _ in 0..2 {
            assert_eq!(at(0), Verified);
            assert_eq!(at(first), Verified);
            assert_eq!(at(last), Verified);
            assert_eq!(at(last + 1), Unverified(UnverifiedReason::Expired));
            assert_eq!(at(first - 1), Unverified(UnverifiedReason::NotYetValid));
        }
    }
}

#[test]
fn the_first_crl_to_expire_is_what_an_operator_sees() {
    let chain = Chain::new();
    let builder = || verifier(RequestClientCert).roots([chain.root.der()]);
    assert_eq!(builder().build().unwrap().crl_next_update(), None);
    let crls = [chain.root.crl(&[], Duration::days(9)), chain.intermediate.crl(&[], Duration::days(2))];
    let expires = builder().crls(crls).build().unwrap().crl_next_update().unwrap();
    let days = (expires.as_secs() - UnixTime::now().as_secs()).div_ceil(86_400);
    assert_eq!(days, 2);
}
