//! A session is resumed while nothing changes, and not after a change in what verifies or in what time it is.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use time::OffsetDateTime;
use tower_client_cert::{AcceptError, ClientAuthPolicy, ClientVerifier, UnverifiedReason, Verification};

use super::{HOUR, MINUTE, World, modes, verification, welcome};
use crate::forge_crl::{Entry, ForgedCrl};
use crate::harness::{verifier, visit};
use crate::pki::{Authority, Identity};
use crate::provider::Provider;

use ClientAuthPolicy::{
    NoClientCert, RequestClientCert, RequireAndVerifyClientCert, VerifyClientCertIfGiven,
};

/// After a change from one verifier to another, or in the clock, a client comes back to the same sessions. Under a
/// policy that verifies it is refused; under one that does not, the reason is known. Neither resumes.
async fn a_change_is_noticed(
    world: &World,
    identity: &Identity,
    verifiers: impl Fn(ClientAuthPolicy) -> (Arc<ClientVerifier>, Arc<ClientVerifier>),
    pass: u64,
    reason: UnverifiedReason,
) {
    let start = world.clock.seconds();
    for policy in ClientAuthPolicy::ALL.into_iter().filter(|policy| policy.requests()) {
        let (before, after) = verifiers(policy);
        for mode in modes() {
            world.clock.set(start);
            let client = world.client(Some(identity), &mode);
            let acceptor = world.acceptor(&before, &mode.sessions);
            assert!(!welcome(&acceptor, &client).await.resumed(), "{policy}, {}", mode.name);
            assert!(welcome(&acceptor, &client).await.resumed(), "{policy}, {}", mode.name);

            world.clock.advance(pass);
            let acceptor = world.acceptor(&after, &mode.sessions);
            let outcome = visit(&acceptor, &client).await;
            if policy.verifies() {
                let error = outcome.unwrap_err();
                assert!(matches!(error, AcceptError::Refused(_)), "{policy}, {}: {error}", mode.name);
            } else {
                let info = outcome.unwrap();
                assert_eq!(
                    verification(&info),
                    Some(Verification::Unverified(reason)),
                    "{policy}, {}",
                    mode.name
                );
                // A policy that takes any certificate goes by no date.
                assert_eq!(info.resumed(), Arc::ptr_eq(&before, &after), "{policy}, {}", mode.name);
            }
        }
    }
    world.clock.set(start);
}

/// The same verifier before and after: what changes is the time.
fn unchanged(
    verifier: impl Fn(ClientAuthPolicy) -> Arc<ClientVerifier>,
) -> impl Fn(ClientAuthPolicy) -> (Arc<ClientVerifier>, Arc<ClientVerifier>) {
    move |policy| {
        let verifier = verifier(policy);
        (Arc::clone(&verifier), verifier)
    }
}

#[tokio::test]
async fn i5_a_session_is_resumed_while_nothing_changes() {
    let world = World::new();
    let intermediate = world.ca.intermediate("intermediate");
    let stray = Authority::root("stray").der();
    let alice = intermediate.client("alice").with([stray, intermediate.der()]);
    for policy in ClientAuthPolicy::ALL {
        for mode in modes() {
            for identity in [Some(&alice), None] {
                if identity.is_none() && policy.requires() {
                    continue;
                }
                let acceptor = world.acceptor(&world.verifier(policy), &mode.sessions);
                let client = world.client(identity, &mode);
                let first = welcome(&acceptor, &client).await;
                assert!(!first.resumed());
                for _ in 0..3 {
                    world.clock.advance(HOUR);
                    let again = welcome(&acceptor, &client).await;
                    assert!(again.resumed(), "{policy}, {}", mode.name);
                    assert_eq!(verification(&again), verification(&first));
                    let (Some(first), Some(again)) = (first.peer_certificates(), again.peer_certificates())
                    else {
                        assert!(identity.is_none() || policy == NoClientCert);
                        continue;
                    };
                    // The stray certificate is in what was presented, and not in what was verified.
                    assert_eq!(again.presented(), alice.chain);
                    assert_eq!(
                        again.verified_path().unwrap(),
                        [&alice.chain[..1], &alice.chain[2..]].concat()
                    );
                    assert_eq!(again.verified_path(), first.verified_path());
                }
            }
        }
    }
}

#[tokio::test]
async fn i5_a_resumed_session_never_outlives_its_certificate() {
    let world = World::new();
    let soon = OffsetDateTime::now_utc() + time::Duration::hours(2);
    let alice = world.ca.issue("alice", |params| params.not_after = soon);
    let same = unchanged(|policy| world.verifier(policy));
    a_change_is_noticed(&world, &alice, same, 3 * HOUR, UnverifiedReason::Expired).await;
}

#[tokio::test]
async fn i5_a_resumed_session_never_outlives_an_intermediate() {
    let world = World::new();
    let soon = OffsetDateTime::now_utc() + time::Duration::hours(2);
    let intermediate = world.ca.intermediate_with("intermediate", |params| params.not_after = soon);
    let alice = intermediate.client("alice").with([intermediate.der()]);
    let same = unchanged(|policy| world.verifier(policy));
    a_change_is_noticed(&world, &alice, same, 3 * HOUR, UnverifiedReason::Expired).await;
}

#[tokio::test]
async fn i5_a_resumed_session_never_outlives_a_crl() {
    let world = World::new();
    let alice = world.ca.client("alice");
    let crl = world.ca.crl(&[], time::Duration::hours(2));
    let same =
        unchanged(|policy| verifier(policy).roots([world.ca.der()]).crls([crl.clone()]).build().unwrap());
    a_change_is_noticed(&world, &alice, same, 3 * HOUR, UnverifiedReason::ExpiredCrl).await;
}

#[tokio::test]
async fn i5_a_resumed_session_never_outlives_the_beginning_of_a_crl() {
    let world = World::new();
    let serial = 4711;
    let alice = world.ca.issue("alice", |params| params.serial_number = Some(serial.into()));
    let now = UnixTime::now().as_secs() as i64;
    let hour = 3600;
    let begins = ForgedCrl::new(now + 2 * hour, now + 99 * hour).entry(Entry::new(serial)).of(&world.ca);
    let crls = [begins, ForgedCrl::new(now - hour, now + 99 * hour).of(&world.ca)];
    let same =
        unchanged(|policy| verifier(policy).roots([world.ca.der()]).crls(crls.clone()).build().unwrap());
    a_change_is_noticed(&world, &alice, same, 3 * HOUR, UnverifiedReason::Revoked).await;
}

#[tokio::test]
async fn i5_a_resumed_session_never_outlives_its_revocation() {
    let world = World::new();
    let serial = rcgen::SerialNumber::from(4711);
    let alice = world.ca.issue("alice", |params| params.serial_number = Some(serial.clone()));
    let crls =
        [world.ca.crl(&[], time::Duration::days(7)), world.ca.crl(&[&serial], time::Duration::days(7))];
    let revoked = |policy| {
        let [before, after] =
            crls.clone().map(|crl| verifier(policy).roots([world.ca.der()]).crls([crl]).build().unwrap());
        (before, after)
    };
    a_change_is_noticed(&world, &alice, revoked, MINUTE, UnverifiedReason::Revoked).await;
}

#[tokio::test]
async fn i5_a_resumed_session_never_outlives_its_ca() {
    let world = World::new();
    let alice = world.ca.client("alice");
    let other = Authority::root("other CA");
    let removed = |policy| {
        let roots = verifier(policy).roots([other.der()]);
        let before = roots.clone().roots([world.ca.der()]).build().unwrap();
        (before, roots.build().unwrap())
    };
    a_change_is_noticed(&world, &alice, removed, MINUTE, UnverifiedReason::UnknownIssuer).await;
}

/// All sessions are offered to all policies, and each answers as if it had never seen the client.
#[tokio::test]
async fn i5_a_resumed_session_never_outlives_a_change_of_policy() {
    let world = World::new();
    let alice = world.ca.client("alice");
    let mallory = Authority::root("stranger").client("mallory");
    for before in ClientAuthPolicy::ALL {
        for after in ClientAuthPolicy::ALL.into_iter().filter(|after| *after != before) {
            for identity in [Some(&alice), Some(&mallory), None] {
                for mode in modes() {
                    let client = world.client(identity, &mode);
                    let old = world.acceptor(&world.verifier(before), &mode.sessions);
                    if visit(&old, &client).await.is_err() {
                        continue;
                    }
                    let new = world.acceptor(&world.verifier(after), &mode.sessions);
                    let returning = visit(&new, &client).await;
                    let fresh = visit(&new, &world.client(identity, &mode)).await;
                    let case = format!("{before} to {after}, {}, {identity:?}", mode.name);
                    assert_eq!(returning.is_ok(), fresh.is_ok(), "{case}");
                    if let (Ok(returning), Ok(fresh)) = (returning, fresh) {
                        assert!(!returning.resumed(), "{case}");
                        assert_eq!(verification(&returning), verification(&fresh), "{case}");
                    }
                }
            }
        }
    }
}

/// Each option that changes what verifies ends the sessions made before it.
#[test]
fn i5_whatever_changes_a_verdict_changes_the_fingerprint() {
    let (ca, other) = (Authority::root("CA"), Authority::root("other CA"));
    let crl = ca.crl(&[], time::Duration::days(1));
    let base = || verifier(RequireAndVerifyClientCert).roots([ca.der()]).crls([crl.clone()]);
    let changed = [
        base(),
        verifier(VerifyClientCertIfGiven).roots([ca.der()]).crls([crl.clone()]),
        base().roots([other.der()]),
        verifier(RequireAndVerifyClientCert).roots([other.der()]).crls([crl.clone()]),
        verifier(RequireAndVerifyClientCert).roots([ca.der()]),
        base().crls([other.crl(&[], time::Duration::days(1))]),
        base().only_check_end_entity_revocation(),
        base().allow_unknown_revocation_status(),
        base().allow_expired_crls(),
        base().max_certificates(4),
        base().max_certificate_size(1000),
        base().session_lifetime(Duration::from_secs(MINUTE)),
        #[cfg(feature = "ring")]
        base().provider(Provider::chosen().other().crypto()),
    ]
    .map(|builder| *builder.build().unwrap().fingerprint());
    for (index, one) in changed.iter().enumerate() {
        assert!(!changed[..index].contains(one), "{index}");
    }

    // Replicas agree, in whatever order their files are.
    let two = |first: &Authority, second: &Authority| {
        let roots = [first.der(), second.der(), first.der()];
        *verifier(RequestClientCert).roots(roots).without_root_hints().build().unwrap().fingerprint()
    };
    assert_eq!(two(&ca, &other), two(&other, &ca));
}
