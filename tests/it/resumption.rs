//! Sessions are resumed where nothing has changed, and nowhere else: TLS 1.2 and 1.3, from a cache and from tickets,
//! over real sockets and under a clock of ours.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::UnixTime;
use rustls::server::{
    NoServerSessionStorage, ProducesTickets, ServerSessionMemoryCache, StoresServerSessions,
};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, KeyLog, ServerConfig, SignatureScheme, SupportedCipherSuite, SupportedProtocolVersion,
};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tower_client_cert::{
    AcceptError, ClientAuthPolicy, ClientCertAcceptor, ClientVerifier, RefusalReason, TlsConnectInfo,
    UnverifiedReason, Verification,
};

use crate::forge_crl::{Entry, ForgedCrl};
use crate::harness::{ServerPki, connect, verifier, visit};
use crate::pki::{Authority, Identity, unknown_extension};
use crate::provider::{Provider, provider, ticketer};

use ClientAuthPolicy::{
    NoClientCert, RequestClientCert, RequireAndVerifyClientCert, VerifyClientCertIfGiven,
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Stands still until it is told to go on.
#[derive(Debug)]
struct Clock {
    seconds: AtomicU64,
    /// What it goes on by in the middle of the next handshake.
    jump: AtomicU64,
}

impl Clock {
    fn new() -> Arc<Self> {
        Arc::new(Self { seconds: AtomicU64::new(UnixTime::now().as_secs()), jump: AtomicU64::new(0) })
    }

    fn advance(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    fn advance_within_the_next_handshake(&self, seconds: u64) {
        self.jump.store(seconds, Ordering::SeqCst);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.seconds.load(Ordering::SeqCst))))
    }
}

/// rustls derives keys when it has decided whether to resume.
impl KeyLog for Clock {
    fn log(&self, _: &str, _: &[u8], _: &[u8]) {
        self.advance(self.jump.swap(0, Ordering::SeqCst));
    }
}

/// Where a server keeps its sessions. A clone is shared, as by two servers, or by one before and after a change.
#[derive(Clone)]
struct Sessions {
    storage: Arc<dyn StoresServerSessions>,
    ticketer: Option<Arc<dyn ProducesTickets>>,
}

impl Sessions {
    fn cache() -> Self {
        Self { storage: ServerSessionMemoryCache::new(64), ticketer: None }
    }

    fn tickets() -> Self {
        Self { storage: Arc::new(NoServerSessionStorage {}), ticketer: Some(ticketer()) }
    }

    fn used_in(&self, config: &mut ServerConfig) {
        config.session_storage = Arc::clone(&self.storage);
        if let Some(ticketer) = &self.ticketer {
            config.ticketer = Arc::clone(ticketer);
        }
    }
}

/// One kind of resumption, with the sessions of one server.
struct Mode {
    name: &'static str,
    version: &'static SupportedProtocolVersion,
    sessions: Sessions,
}

/// Each kind, with nothing in it.
fn modes() -> [Mode; 4] {
    [
        Mode { name: "TLS 1.2, cache", version: &TLS12, sessions: Sessions::cache() },
        Mode { name: "TLS 1.2, tickets", version: &TLS12, sessions: Sessions::tickets() },
        Mode { name: "TLS 1.3, cache", version: &TLS13, sessions: Sessions::cache() },
        Mode { name: "TLS 1.3, tickets", version: &TLS13, sessions: Sessions::tickets() },
    ]
}

struct World {
    pki: ServerPki,
    ca: Authority,
    clock: Arc<Clock>,
}

impl World {
    fn new() -> Self {
        Self { pki: ServerPki::new(), ca: Authority::root("client CA"), clock: Clock::new() }
    }

    fn verifier(&self, policy: ClientAuthPolicy) -> Arc<ClientVerifier> {
        verifier(policy).roots([self.ca.der()]).build().unwrap()
    }

    fn acceptor(&self, verifier: &Arc<ClientVerifier>, sessions: &Sessions) -> ClientCertAcceptor {
        let mut config = self.pki.config(verifier);
        config.time_provider = Arc::clone(&self.clock) as Arc<dyn TimeProvider>;
        config.key_log = Arc::clone(&self.clock) as Arc<dyn KeyLog>;
        sessions.used_in(&mut config);
        ClientCertAcceptor::new(config, Arc::clone(verifier))
    }

    /// A client that resumes whenever it can.
    fn client(&self, identity: Option<&Identity>, mode: &Mode) -> ClientConfig {
        self.pki.client(identity, &[mode.version])
    }
}

/// A connection that comes about.
async fn welcome(acceptor: &ClientCertAcceptor, client: &ClientConfig) -> TlsConnectInfo {
    visit(acceptor, client).await.unwrap()
}

fn verification(info: &TlsConnectInfo) -> Option<Verification> {
    info.peer_certificates().map(|peer| peer.verification())
}

/// After a change from one verifier to another, or in the clock, a client comes back to the same sessions. Under a
/// policy that verifies it is refused; under one that does not, the reason is known. Neither resumes.
async fn a_change_is_noticed(
    world: &World,
    identity: &Identity,
    verifiers: impl Fn(ClientAuthPolicy) -> (Arc<ClientVerifier>, Arc<ClientVerifier>),
    pass: u64,
    reason: UnverifiedReason,
) {
    let start = world.clock.seconds.load(Ordering::SeqCst);
    for policy in ClientAuthPolicy::ALL.into_iter().filter(|policy| policy.requests()) {
        let (before, after) = verifiers(policy);
        for mode in modes() {
            world.clock.seconds.store(start, Ordering::SeqCst);
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
    world.clock.seconds.store(start, Ordering::SeqCst);
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
    let same = |policy| {
        let verifier = world.verifier(policy);
        (Arc::clone(&verifier), verifier)
    };
    a_change_is_noticed(&world, &alice, same, 3 * HOUR, UnverifiedReason::Expired).await;
}

#[tokio::test]
async fn i5_a_resumed_session_never_outlives_an_intermediate() {
    let world = World::new();
    let soon = OffsetDateTime::now_utc() + time::Duration::hours(2);
    let intermediate = world.ca.intermediate_with("intermediate", |params| params.not_after = soon);
    let alice = intermediate.client("alice").with([intermediate.der()]);
    let same = |policy| {
        let verifier = world.verifier(policy);
        (Arc::clone(&verifier), verifier)
    };
    a_change_is_noticed(&world, &alice, same, 3 * HOUR, UnverifiedReason::Expired).await;
}

#[tokio::test]
async fn i5_a_resumed_session_never_outlives_a_crl() {
    let world = World::new();
    let alice = world.ca.client("alice");
    let crl = world.ca.crl(&[], time::Duration::hours(2));
    let same = |policy| {
        let verifier = verifier(policy).roots([world.ca.der()]).crls([crl.clone()]).build().unwrap();
        (Arc::clone(&verifier), verifier)
    };
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
    let same = |policy| {
        let verifier = verifier(policy).roots([world.ca.der()]).crls(crls.clone()).build().unwrap();
        (Arc::clone(&verifier), verifier)
    };
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
        world.clock.advance_within_the_next_handshake(3 * HOUR);
        let error = visit(&acceptor, &client).await.unwrap_err();
        let AcceptError::Refused(refusal) = error else { panic!("{}: {error}", mode.name) };
        assert_eq!(*refusal.reason(), RefusalReason::Unverified(UnverifiedReason::Expired), "{}", mode.name);
        assert!(refusal.is_resumption(), "{}", mode.name);
        assert_eq!(refusal.certificate().unwrap().der(), &alice.chain[0], "{}", mode.name);
        world.clock.seconds.fetch_sub(3 * HOUR, Ordering::SeqCst);
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
        world.clock.seconds.fetch_sub(3 * HOUR, Ordering::SeqCst);
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
                world.clock.seconds.fetch_sub(pass, Ordering::SeqCst);
            }
        }
    }
}

/// Sessions that a plain rustls server left in shared storage are of no use here.
#[tokio::test]
async fn i3_a_session_that_is_not_bound_is_not_resumed() {
    let world = World::new();
    let alice = world.ca.client("alice");
    for mode in modes() {
        let verifier = world.verifier(RequireAndVerifyClientCert);
        let mut plain = world.pki.config(&verifier);
        mode.sessions.used_in(&mut plain);
        let client = world.client(Some(&alice), &mode);

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = client.clone();
        let visitor = tokio::spawn(async move {
            let mut stream = connect(address, &config).await.unwrap();
            stream.write_all(b"ping").await.unwrap();
            stream.read_exact(&mut [0; 4]).await.unwrap();
        });
        let (tcp, _) = listener.accept().await.unwrap();
        let mut stream = tokio_rustls::TlsAcceptor::from(Arc::new(plain)).accept(tcp).await.unwrap();
        stream.read_exact(&mut [0; 4]).await.unwrap();
        stream.write_all(b"pong").await.unwrap();
        visitor.await.unwrap();

        let acceptor = world.acceptor(&verifier, &mode.sessions);
        assert!(!welcome(&acceptor, &client).await.resumed(), "{}", mode.name);
        assert!(welcome(&acceptor, &client).await.resumed(), "{}", mode.name);
    }
}

/// A configuration that was not made with the acceptor's verifier leaves no sessions to resume either.
#[tokio::test]
async fn i4_a_foreign_configuration_leaves_no_session() {
    let world = World::new();
    let alice = world.ca.client("alice");
    let (ours, foreign) = (world.verifier(RequestClientCert), world.verifier(RequestClientCert));
    for mode in modes() {
        let mut config = world.pki.config(&foreign);
        mode.sessions.used_in(&mut config);
        let confused = ClientCertAcceptor::new(config, Arc::clone(&ours));
        let client = world.client(Some(&alice), &mode);
        let error = visit(&confused, &client).await.unwrap_err();
        assert!(matches!(error, AcceptError::ForeignConfig { .. }), "{error}");
        let sound = world.acceptor(&ours, &mode.sessions);
        assert!(!welcome(&sound, &client).await.resumed(), "{}", mode.name);
        // Nor does it make use of one.
        let error = visit(&confused, &client).await.unwrap_err();
        assert!(matches!(error, AcceptError::ForeignConfig { .. }), "{}: {error}", mode.name);
    }
}

#[tokio::test]
async fn i6_a_session_with_a_huge_chain_is_not_kept() {
    let world = World::new();
    let huge = |params: &mut rcgen::CertificateParams| {
        params.custom_extensions = vec![unknown_extension(false, 20_000)];
    };
    let alice = world.ca.issue("alice", huge);
    for mode in modes() {
        let acceptor = world.acceptor(&world.verifier(RequireAndVerifyClientCert), &mode.sessions);
        let client = world.client(Some(&alice), &mode);
        for _ in 0..2 {
            assert!(!welcome(&acceptor, &client).await.resumed(), "{}", mode.name);
        }
    }
}

#[tokio::test]
async fn i5_there_is_no_early_data_where_a_certificate_is_asked_for() {
    let world = World::new();
    let alice = world.ca.client("alice");
    let verifier = world.verifier(RequestClientCert);
    let mut config = world.pki.config(&verifier);
    config.max_early_data_size = 1024;
    let acceptor = ClientCertAcceptor::new(config, verifier);
    let mut client = world.pki.client(Some(&alice), &[&TLS13]);
    client.enable_early_data = true;
    welcome(&acceptor, &client).await;

    let server = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut connection = rustls::ClientConnection::new(Arc::new(client.clone()), server).unwrap();
    assert!(connection.early_data().is_none(), "the ticket allows early data");
    assert!(welcome(&acceptor, &client).await.resumed());
}
