//! Sessions are resumed where nothing has changed, and nowhere else: TLS 1.2 and 1.3, from a cache and from tickets,
//! over real sockets and under a clock of ours.

mod changes;
mod clients;
mod lifetimes;
mod storage;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::server::{
    NoServerSessionStorage, ProducesTickets, ServerSessionMemoryCache, StoresServerSessions,
};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, KeyLog, ServerConfig, SupportedProtocolVersion};
use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor, ClientVerifier, TlsConnectInfo, Verification};

use crate::clock::Clock;
use crate::harness::{ServerPki, verifier, visit};
use crate::pki::{Authority, Identity};
use crate::provider::ticketer;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Lets the clock jump in the middle of the next handshake: rustls derives keys when it has decided whether to resume.
#[derive(Debug)]
struct Jump {
    clock: Arc<Clock>,
    seconds: AtomicU64,
}

impl KeyLog for Jump {
    fn log(&self, _: &str, _: &[u8], _: &[u8]) {
        self.clock.advance(self.seconds.swap(0, Ordering::SeqCst));
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
    jump: Arc<Jump>,
}

impl World {
    fn new() -> Self {
        let clock = Clock::now();
        let jump = Arc::new(Jump { clock: Arc::clone(&clock), seconds: AtomicU64::new(0) });
        Self { pki: ServerPki::new(), ca: Authority::root("client CA"), clock, jump }
    }

    fn advance_within_the_next_handshake(&self, seconds: u64) {
        self.jump.seconds.store(seconds, Ordering::SeqCst);
    }

    fn verifier(&self, policy: ClientAuthPolicy) -> Arc<ClientVerifier> {
        verifier(policy).roots([self.ca.der()]).build().unwrap()
    }

    fn acceptor(&self, verifier: &Arc<ClientVerifier>, sessions: &Sessions) -> ClientCertAcceptor {
        let mut config = self.pki.config(verifier);
        self.clock.used_in(&mut config);
        config.key_log = Arc::clone(&self.jump) as Arc<dyn KeyLog>;
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
