//! Which CRL counts, each kind by itself: `crl_sets` has them all at once.

use std::time::Duration;

use rcgen::SerialNumber;
use rustls::pki_types::{CertificateRevocationListDer, UnixTime};
use tower_client_cert::{ClientAuthPolicy, ClientVerifierBuilder, UnverifiedReason, Verification};

use crate::forge_crl::{
    ATTRIBUTE, CA, DELTA, Entry, ForgedCrl, INDIRECT, USER, authority_key, certificate_issuer,
    distribution_points, extension, issuing_point, some_reasons,
};
use crate::harness::verifier;
use crate::log::capture;
use crate::pki::{Authority, Identity, der};

use UnverifiedReason::{CrlNotYetValid, ExpiredCrl, Revoked, UnknownRevocationStatus};
use Verification::{Unverified, Verified};

const DAY: i64 = 86_400;
const ALICE: u64 = 2002;
const A: &str = "http://ca.test/a.crl";
const B: &str = "http://ca.test/b.crl";

type Crl = CertificateRevocationListDer<'static>;

struct World {
    ca: Authority,
    alice: Identity,
    now: i64,
}

impl World {
    fn new() -> Self {
        Self::with_points(&[], false)
    }

    fn with_points(points: &[&str], reasons: bool) -> Self {
        let ca = Authority::root("client CA");
        let alice = ca.issue("alice", |params| {
            params.serial_number = Some(SerialNumber::from(ALICE));
            if !points.is_empty() {
                let value = distribution_points(points, reasons);
                params
                    .custom_extensions
                    .push(rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 31], value));
            }
        });
        Self { ca, alice, now: UnixTime::now().as_secs() as i64 }
    }

    /// One that is valid from and until so many days from now.
    fn crl(&self, from: i64, until: i64) -> ForgedCrl {
        ForgedCrl::new(self.now + from * DAY, self.now + until * DAY)
    }

    fn builder(&self) -> ClientVerifierBuilder {
        verifier(ClientAuthPolicy::RequestClientCert).roots([self.ca.der()])
    }

    fn verdict(&self, crls: &[Crl]) -> Verification {
        self.verdict_in(0, self.builder().crls(crls.to_vec()))
    }

    fn verdict_in(&self, days: i64, builder: ClientVerifierBuilder) -> Verification {
        let now = UnixTime::since_unix_epoch(Duration::from_secs((self.now + days * DAY) as u64));
        let judged = builder.build().unwrap().judge(self.alice.chain.clone(), now);
        judged.unwrap().unwrap().verification()
    }

    fn revokes(&self, from: i64, until: i64) -> Crl {
        self.crl(from, until).entry(Entry::new(ALICE)).of(&self.ca)
    }

    fn clears(&self, from: i64, until: i64) -> Crl {
        self.crl(from, until).entry(Entry::new(1)).of(&self.ca)
    }
}

#[test]
fn the_newest_crl_counts_in_any_order_and_in_one_file_or_two() {
    let world = World::new();
    let pem = |crl: &Crl| pem::encode(&pem::Pem::new("X509 CRL", crl.as_ref()));
    let folder = tempfile::tempdir().unwrap();
    for (old, new, expected) in [
        (world.clears(-9, 9), world.revokes(-1, 9), Unverified(Revoked)),
        (world.revokes(-9, 9), world.clears(-1, 9), Verified),
        (world.revokes(-9, -5), world.clears(-1, 9), Verified),
        // What has expired is not replaced by what is older.
        (world.clears(-9, 9), world.clears(-5, -1), Unverified(ExpiredCrl)),
        (world.clears(-9, 9), world.revokes(-5, -1), Unverified(ExpiredCrl)),
        // As new as each other: both count.
        (world.clears(-1, 9), world.revokes(-1, 9), Unverified(Revoked)),
        (world.clears(-1, 9), world.clears(-1, 0), Unverified(ExpiredCrl)),
        (world.clears(-1, 9), world.clears(-1, 9), Verified),
    ] {
        for crls in [[&old, &new], [&new, &old]] {
            assert_eq!(world.verdict(&crls.map(Clone::clone)), expected);
            let paths = ["one.crl", "other.crl"].map(|name| folder.path().join(name));
            std::fs::write(&paths[0], pem(crls[0])).unwrap();
            std::fs::write(&paths[1], crls[1]).unwrap();
            let builder = world.builder().crls_from_file(&paths[0]).crls_from_file(&paths[1]);
            assert_eq!(world.verdict_in(0, builder), expected);
            std::fs::write(&paths[0], crls.map(pem).concat()).unwrap();
            assert_eq!(world.verdict_in(0, world.builder().crls_from_file(&paths[0])), expected);
        }
    }
    let builder = world.builder().allow_expired_crls();
    let crls = [world.clears(-9, 9), world.revokes(-5, -1)];
    assert_eq!(world.verdict_in(0, builder.crls(crls)), Unverified(Revoked), "the newest, however old");
}

#[test]
fn a_crl_counts_from_its_this_update_on() {
    let world = World::new();
    let crls = [world.clears(-1, 9), world.revokes(2, 9)];
    assert_eq!(world.verdict(&crls), Verified);
    let alone = world.builder().crls([world.clears(2, 9)]);
    for builder in [alone.clone(), alone.clone().allow_unknown_revocation_status()] {
        assert_eq!(world.verdict_in(0, builder), Unverified(CrlNotYetValid));
    }
    assert_eq!(CrlNotYetValid.as_str(), "CRL is not yet valid");
    assert_eq!(world.verdict_in(2, alone), Verified, "to the second");

    // One verifier, asked over and over: a verdict is remembered no longer than until another CRL begins or ends.
    let crls = [world.clears(-1, 9), world.revokes(2, 5), world.clears(4, 6), world.clears(12, 20)];
    let verifier = world.builder().crls(crls).build().unwrap();
    for _ in 0..2 {
        for (seconds, expected) in [
            (0, Verified),
            (2 * DAY - 1, Verified),
            (2 * DAY, Unverified(Revoked)),
            (4 * DAY, Verified),
            (6 * DAY - 1, Verified),
            (6 * DAY, Unverified(ExpiredCrl)),
            (12 * DAY, Verified),
        ] {
            let now = UnixTime::since_unix_epoch(Duration::from_secs((world.now + seconds) as u64));
            let judged = verifier.judge(world.alice.chain.clone(), now).unwrap().unwrap();
            assert_eq!(judged.verification(), expected, "{seconds}");
        }
    }
}

#[test]
fn two_cas_of_one_name_have_a_crl_each() {
    let (old, new) = (World::new(), World::new());
    let roots = [old.ca.der(), new.ca.der()];
    let without_key = |world: &World, crl: ForgedCrl| crl.signed_by(&world.ca);
    for crls in [
        [old.revokes(-1, 9), new.clears(-2, 9)],
        [without_key(&old, old.crl(-1, 9).entry(Entry::new(ALICE))), without_key(&new, new.crl(-2, 9))],
    ] {
        for crls in [crls.clone(), [crls[1].clone(), crls[0].clone()]] {
            let builder = verifier(ClientAuthPolicy::RequestClientCert).roots(roots.clone()).crls(crls);
            assert_eq!(old.verdict_in(0, builder.clone()), Unverified(Revoked));
            assert_eq!(new.verdict_in(0, builder), Verified);
        }
    }
    let builder = verifier(ClientAuthPolicy::RequestClientCert).roots(roots).crls([new.clears(-1, 9)]);
    assert_eq!(old.verdict_in(0, builder), Unverified(UnknownRevocationStatus));
}

#[test]
fn a_crl_of_another_key_is_passed_over_and_says_so() {
    let world = World::new();
    let stranger = Authority::root("client CA");
    let forged = world.crl(-1, 9).entry(Entry::new(ALICE));
    for (crl, expected) in [
        (forged.clone().of(&stranger), "is not signed with the key of the client CA of that name"),
        (forged.clone().with(authority_key(&world.ca)).signed_by(&stranger), "is not signed with the key"),
        (
            forged.clone().with(authority_key(&stranger)).signed_by(&world.ca),
            "authorityKeyIdentifier names another",
        ),
    ] {
        let log = capture(|| assert_eq!(world.verdict(&[crl, world.clears(-9, 9)]), Verified));
        assert!(log.contains(" WARN ") && log.contains(expected), "{log}");
        assert!(log.contains("the CRL of CN=client CA, number 7, of 20"), "{log}");
    }

    let usage = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    let ca = Authority::root_with("client CA", |params| params.key_usages = usage);
    let alice = ca.client("alice");
    let world = World { ca, alice, ..world };
    let log = capture(|| {
        assert_eq!(world.verdict(&[world.clears(-9, 9)]), Unverified(UnknownRevocationStatus));
    });
    assert!(log.contains("does not include cRLSign"), "{log}");
    let log = capture(|| drop(World::new().builder().build()));
    assert_eq!(log, "");
}

#[test]
fn a_crl_with_a_point_is_for_certificates_with_that_point() {
    let nowhere = World::new();
    let at_a = World::with_points(&[A], false);
    let at_both = World::with_points(&[B, A], false);
    let for_reasons = World::with_points(&[A], true);
    let unknown = Unverified(UnknownRevocationStatus);
    for (world, points, flags, expected) in [
        (&nowhere, &[A][..], &[][..], unknown),
        (&nowhere, &[], &[USER], Verified),
        (&nowhere, &[], &[CA], unknown),
        (&nowhere, &[], &[], Verified),
        (&at_a, &[A], &[], Verified),
        (&at_a, &[B, A], &[], Verified),
        (&at_a, &[B], &[], unknown),
        (&at_a, &[A], &[USER], Verified),
        (&at_a, &[A], &[CA], unknown),
        (&at_a, &[], &[USER], Verified),
        (&at_both, &[A], &[], Verified),
        (&for_reasons, &[A], &[], unknown),
        (&for_reasons, &[], &[], unknown),
    ] {
        let crl = world.crl(-1, 9).with(issuing_point(points, flags));
        assert_eq!(world.verdict(&[crl.clone().of(&world.ca)]), expected, "{points:?} {flags:?}");
        let revokes = crl.entry(Entry::new(ALICE)).of(&world.ca);
        let expected = if expected == Verified { Unverified(Revoked) } else { expected };
        assert_eq!(world.verdict(&[revokes]), expected, "{points:?} {flags:?}");
    }
    assert_eq!(at_a.verdict(&[at_a.clears(-1, 9)]), Verified, "without a point it is for all");
    assert_eq!(for_reasons.verdict(&[for_reasons.clears(-1, 9)]), unknown);
}

/// Those that revoke what is on them, and those of which nothing counts.
fn limited(world: &World, entry: &Entry) -> Vec<(Crl, &'static str, bool)> {
    let crl = world.crl(-1, 9).entry(entry.clone());
    let critical = der(0x30, &[der(0x06, &[0x2A, 3]), der(0x01, &[0xFF]), der(0x04, &[5, 0])].concat());
    let odd = Entry { extensions: vec![critical.clone()], ..Entry::new(9) };
    let other = Entry { extensions: vec![certificate_issuer(&Authority::root("x"))], ..Entry::new(9) };
    vec![
        (crl.clone().with(extension(DELTA, true, &der(0x02, &[1]))).of(&world.ca), "it is a delta CRL", true),
        (crl.clone().with(some_reasons()).of(&world.ca), "onlySomeReasons", true),
        (crl.clone().with(issuing_point(&[], &[INDIRECT])).of(&world.ca), "it is an indirect CRL", true),
        (crl.clone().entry(other).of(&world.ca), "it is an indirect CRL", true),
        (crl.clone().with(issuing_point(&[], &[ATTRIBUTE])).of(&world.ca), "attribute certificates", false),
        (crl.clone().with(critical).of(&world.ca), "critical extension that is not supported, 1.2.3", false),
        (crl.entry(odd).of(&world.ca), "an entry in it has a critical extension", false),
    ]
}

#[test]
fn what_cannot_be_judged_is_refused_by_issuer_number_and_date() {
    let world = World::new();
    let delta = extension(DELTA, true, &der(0x02, &[1]));
    for (crl, expected, _) in limited(&world, &Entry::new(1)) {
        let elsewhere = world.crl(-1, 9).with(issuing_point(&[A], &[])).of(&world.ca);
        let users = world.crl(-1, 9).with(issuing_point(&[], &[USER])).of(&world.ca);
        let other_key = world.crl(-1, 9).of(&Authority::root("client CA"));
        let other_delta = world.crl(-2, 9).with(delta.clone()).of(&world.ca);
        for other in [None, Some(elsewhere), Some(users), Some(other_key), Some(other_delta)] {
            let error =
                world.builder().crls(other.into_iter().chain([crl.clone()])).build().unwrap_err().to_string();
            assert!(error.contains(expected) || error.contains("it is a delta CRL"), "{error}");
            assert!(error.contains("CRL of CN=client CA, number 7, of 20"), "{error}");
            assert!(error.contains("give a complete CRL of this CA"), "{error}");
        }
    }
    let mut version_1 = world.crl(-1, 9);
    (version_1.version, version_1.extensions) = (None, vec![]);
    let mut for_ever = world.crl(-1, 9);
    for_ever.next_update = None;
    for (crl, expected) in [
        (version_1.signed_by(&world.ca), "it is version 1"),
        (for_ever.of(&world.ca), "it has no nextUpdate"),
        (
            world.crl(-1, 9).with(issuing_point(&[], &[USER, CA])).of(&world.ca),
            "the issuingDistributionPoint",
        ),
        (world.crl(-1, 9).with(authority_key(&world.ca)).of(&world.ca), "an extension, which is there twice"),
    ] {
        // Another CRL does not help: it could be the one that revokes somebody.
        let error = world.builder().crls([world.clears(-5, 9), crl]).build().unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("CRL 1 (from 0) of "), "{error}");
        assert!(error.contains("the CRL of CN=client CA, "), "{error}");
    }
}

#[test]
fn what_cannot_be_judged_is_passed_over_where_another_crl_covers_it() {
    let world = World::new();
    for (crl, expected, _) in limited(&world, &Entry::new(1)) {
        let log = capture(|| assert_eq!(world.verdict(&[crl, world.clears(-5, 9)]), Verified, "{expected}"));
        assert!(log.contains(" WARN ") && log.contains(expected) && log.contains("is passed over"), "{log}");
        assert!(log.contains("CRL of CN=client CA, number 7, of 20"), "{log}");
    }
    for (crl, expected, revokes) in limited(&world, &Entry::new(ALICE)) {
        let verdict = if revokes { Unverified(Revoked) } else { Verified };
        assert_eq!(world.verdict(&[crl.clone(), world.clears(-5, 9)]), verdict, "{expected}");
        // A complete one that is newer knows better.
        assert_eq!(world.verdict(&[crl, world.clears(0, 9)]), Verified, "{expected}");
    }
}

#[test]
fn reasons_do_not_make_a_certificate_good() {
    let world = World::new();
    let delta = extension(DELTA, true, &der(0x02, &[1]));
    // certificateHold and removeFromCRL
    for reason in [6, 8] {
        let crl = world.crl(-1, 9).entry(Entry::new(ALICE).because(reason));
        assert_eq!(world.verdict(&[crl.clone().of(&world.ca)]), Unverified(Revoked), "{reason}");
        let delta = crl.with(delta.clone()).of(&world.ca);
        let taken_back = if reason == 8 { Verified } else { Unverified(Revoked) };
        assert_eq!(world.verdict(&[delta.clone(), world.clears(-5, 9)]), taken_back, "{reason}");
        // It is the complete CRL that says who is good.
        assert_eq!(world.verdict(&[delta, world.revokes(-5, 9)]), Unverified(Revoked), "{reason}");
    }
}

#[test]
fn the_end_of_a_crl_that_has_a_successor_is_nothing_to_watch_for() {
    let world = World::new();
    let days = |crls: Vec<Crl>| {
        let end = world.builder().crls(crls).build().unwrap().crl_next_update().unwrap();
        (end.as_secs() as i64 - world.now) / DAY
    };
    assert_eq!(days(vec![world.clears(-9, -5), world.clears(-1, 9)]), 9);
    assert_eq!(days(vec![world.clears(-1, 9), world.clears(-9, 5), world.clears(7, 20)]), 20);
    assert_eq!(days(vec![world.clears(-1, 5), world.clears(7, 20)]), 5, "there is a gap");
    assert_eq!(days(vec![world.clears(7, 20)]), 20);
    let shard = world.crl(-1, 3).with(issuing_point(&[A], &[])).of(&world.ca);
    assert_eq!(days(vec![shard, world.clears(-1, 9)]), 3, "of another scope");
}
