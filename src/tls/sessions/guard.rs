//! Resumes a session only where a full handshake would end the same way.
//!
//! rustls keeps the client's chain in the session. On resumption it neither asks the verifier about the chain again nor
//! remembers which verifier accepted it. So each session, stored or in a ticket, carries the fingerprint of the
//! verifier it was made under and the second it ends. A session with another fingerprint, or one that has ended, is
//! reported as not found, and rustls then makes a full handshake, which the client does not notice.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::UnixTime;
use rustls::server::{ProducesTickets, StoresServerSessions};
use rustls::time_provider::TimeProvider;

use crate::tls::verifier::ClientVerifier;
use crate::tls::verifier::handshake;

/// A session holds the chain that the client presented, which may have 64 KiB. A larger session than this is not worth
/// its memory, and few clients send back a ticket of that size.
const MAX_SESSION: usize = 16 * 1024;

/// Binds all sessions of this configuration to `verifier`.
pub(in crate::tls) fn guard(config: &mut ServerConfig, verifier: &Arc<ClientVerifier>) {
    let (verifier, time) = (Arc::clone(verifier), Arc::clone(&config.time_provider));
    config.ticketer = Arc::new(Guard {
        inner: Arc::clone(&config.ticketer),
        verifier: Arc::clone(&verifier),
        time: Arc::clone(&time),
    });
    config.session_storage = Arc::new(Guard { inner: Arc::clone(&config.session_storage), verifier, time });
}

/// Session storage, or a ticketer, whose sessions are bound to a verifier.
struct Guard<T: ?Sized> {
    inner: Arc<T>,
    verifier: Arc<ClientVerifier>,
    time: Arc<dyn TimeProvider>,
}

impl<T: ?Sized> Guard<T> {
    /// Prepends the verifier's fingerprint and the second at which the session ends. `None` if the session must not be
    /// kept.
    fn bind(&self, session: &[u8]) -> Option<Vec<u8>> {
        let now = self.time.current_time()?;
        let until = handshake::note(self.verifier.id(), |observed| {
            observed.session_until(now, self.verifier.session_lifetime())
        })??;
        let until = until.as_secs().to_be_bytes();
        let bound = [self.verifier.fingerprint().as_slice(), &until, session].concat();
        (bound.len() <= MAX_SESSION).then_some(bound)
    }

    fn open(&self, bound: &[u8]) -> Option<Vec<u8>> {
        let rest = bound.strip_prefix(self.verifier.fingerprint())?;
        let (until, session) = rest.split_first_chunk()?;
        let until = UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::from_be_bytes(*until)));
        if self.time.current_time()? > until {
            return None;
        }
        handshake::note(self.verifier.id(), |observed| observed.resumable_until = Some(until))?;
        Some(session.to_vec())
    }

    fn resumes(&self) -> bool {
        !self.verifier.session_lifetime().is_zero()
    }
}

impl StoresServerSessions for Guard<dyn StoresServerSessions> {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.bind(&value).is_some_and(|bound| self.inner.put(key, bound))
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.open(&self.inner.get(key)?)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.open(&self.inner.take(key)?)
    }

    fn can_cache(&self) -> bool {
        self.resumes() && self.inner.can_cache()
    }
}

impl ProducesTickets for Guard<dyn ProducesTickets> {
    fn enabled(&self) -> bool {
        self.resumes() && self.inner.enabled()
    }

    fn lifetime(&self) -> u32 {
        let bound = u32::try_from(self.verifier.session_lifetime().as_secs()).unwrap_or(u32::MAX);
        self.inner.lifetime().min(bound)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.inner.encrypt(&self.bind(plain)?)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.open(&self.inner.decrypt(cipher)?)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Guard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.inner).finish()
    }
}
