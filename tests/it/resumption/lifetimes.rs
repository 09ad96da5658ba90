//! How long sessions live, and those that are made from them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{SignatureScheme, SupportedCipherSuite};
use time::OffsetDateTime;
use tower_client_cert::{AcceptError, ClientAuthPolicy, RefusalReason, UnverifiedReason};

use super::{DAY, HOUR, MINUTE, World, modes, welcome};
use crate::harness::{verifier, visit};
use crate::pki::Identity;
use crate::provider::provider;

use ClientAuthPolicy::RequireAndVerifyClientCert;

/// The wrapper round the sessions looks at the clock first. What it lets through is judged once more.
#[tokio::test]
async fn i3_a_resumed_chain_is_judged_again() {
    let world = World::new();
    let soon = OffsetDateTime::now_utc() + time::Duration::hours(2);
    let alice = world.ca.issue("alice", |params| params.not_after = soon);
    for mode in modes() {
        let acceptor = world.acceptor(&world.verifier(RequireAndVerifyClientCert), &mode.sessions);
        let client = world.client(Some(&alice), &mode);
        welcome(&acceptor, &client).await;
        world.advance_within_the_next_handshake(3 * HOUR);
        let error = visit(&acceptor, &client).await.unwrap_err();
        let AcceptError::Refused(refusal) = error else { panic!("{}: {error}", mode.name) };
        assert_eq!(*refusal.reason(), RefusalReason::Unverified(UnverifiedReason::Expired), "{}", mode.name);
        assert!(refusal.is_resumption(), "{}", mode.name);
        assert_eq!(refusal.certificate().unwrap().der(), &alice.chain[0], "{}", mode.name);
        world.clock.turn_back(3 * HOUR);
    }
}

/// Presents whichever certificate it has at the time.
#[derive(Debug)]
struct Renewed(Mutex<Arc<CertifiedKey>>);

impl ResolvesClientCert for Renewed {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.lock().unwrap()))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn i5_a_client_with_a_new_certificate_does_not_suffer_for_its_old_session() {
    let world = World::new();
    let certified = |identity: &Identity| {
        let key = provider().key_provider.load_private_key(identity.key.clone_key()).unwrap();
        Arc::new(CertifiedKey::new(identity.chain.clone(), key))
    };
    let soon = OffsetDateTime::now_utc() + time::Duration::hours(2);
    let old = world.ca.issue("alice", |params| params.not_after = soon);
    let new = world.ca.client("alice");
    for mode in modes() {
        let acceptor = world.acceptor(&world.verifier(RequireAndVerifyClientCert), &mode.sessions);
        let resolver = Arc::new(Renewed(Mutex::new(certified(&old))));
        let mut client = world.client(None, &mode);
        client.client_auth_cert_resolver = Arc::clone(&resolver) as Arc<dyn ResolvesClientCert>;
        welcome(&acceptor, &client).await;
        assert!(welcome(&acceptor, &client).await.resumed());

        *resolver.0.lock().unwrap() = certified(&new);
        world.clock.advance(3 * HOUR);
        let info = welcome(&acceptor, &client).await;
        assert!(!info.resumed(), "{}", mode.name);
        assert_eq!(info.peer_certificates().unwrap().end_entity(), &new.chain[0], "{}", mode.name);
        assert!(welcome(&acceptor, &client).await.resumed(), "{}", mode.name);
        world.clock.turn_back(3 * HOUR);
    }
}

#[tokio::test]
async fn i5_a_lineage_of_sessions_ends_when_its_first_would() {
    let world = World::new();
    let alice = world.ca.client("alice");
    for mode in modes() {
        let hour = verifier(RequireAndVerifyClientCert)
            .roots([world.ca.der()])
            .session_lifetime(Duration::from_secs(HOUR))
            .build()
            .unwrap();
        let acceptor = world.acceptor(&hour, &mode.sessions);
        let client = world.client(Some(&alice), &mode);
        // The clock stands at 0, 20, 40, 60, 80 minutes, and TLS 1.3 makes new sessions each time.
        let mut resumed = Vec::new();
        for _ in 0..5 {
            resumed.push(welcome(&acceptor, &client).await.resumed());
            world.clock.advance(20 * MINUTE);
        }
        assert_eq!(resumed, [false, true, true, true, false], "{}", mode.name);
    }
}

/// rustls may find a session and not use it, for its cipher suite for example. What comes of the full handshake is a
/// session of its own.
#[tokio::test]
async fn a_full_handshake_begins_a_new_lineage_whatever_was_offered() {
    let world = World::new();
    let alice = world.ca.client("alice");
    for mode in modes() {
        let [many, one] = [false, true].map(|only_one| {
            let mut provider = (*provider()).clone();
            if only_one {
                // The one that is liked least. The server has no RSA key.
                let usable = |suite: &&SupportedCipherSuite| {
                    suite.version() == mode.version && !format!("{:?}", suite.suite()).contains("RSA")
                };
                provider.cipher_suites =
                    provider.cipher_suites.iter().rfind(usable).copied().into_iter().collect();
            }
            let builder = RequireAndVerifyClientCert.verifier().provider(provider).roots([world.ca.der()]);
            builder.session_lifetime(Duration::from_secs(HOUR)).build().unwrap()
        });
        assert_eq!(many.fingerprint(), one.fingerprint());
        let client = world.client(Some(&alice), &mode);
        welcome(&world.acceptor(&many, &mode.sessions), &client).await;
        world.clock.advance(50 * MINUTE);
        let acceptor = world.acceptor(&one, &mode.sessions);
        assert!(!welcome(&acceptor, &client).await.resumed(), "{}", mode.name);
        world.clock.advance(50 * MINUTE);
        assert!(welcome(&acceptor, &client).await.resumed(), "{}", mode.name);
    }
}

#[tokio::test]
async fn i5_no_session_lives_for_longer_than_a_week() {
    let world = World::new();
    let alice = world.ca.client("alice");
    for (lifetime, within, beyond) in
        [(None, DAY, DAY + 1), (Some(Duration::MAX), 7 * DAY, 7 * DAY + 1), (Some(Duration::ZERO), 0, 0)]
    {
        for mode in modes() {
            let builder = verifier(RequireAndVerifyClientCert).roots([world.ca.der()]);
            let builder = match lifetime {
                Some(lifetime) => builder.session_lifetime(lifetime),
                None => builder,
            };
            let acceptor = world.acceptor(&builder.build().unwrap(), &mode.sessions);
            for (pass, resumes) in [(within, lifetime != Some(Duration::ZERO)), (beyond, false)] {
                let client = world.client(Some(&alice), &mode);
                welcome(&acceptor, &client).await;
                world.clock.advance(pass);
                let info = welcome(&acceptor, &client).await;
                assert_eq!(info.resumed(), resumes, "{lifetime:?}, {pass}, {}", mode.name);
                world.clock.turn_back(pass);
            }
        }
    }
}
