//! Whether a handshake would still end as a connection's did: by the clock, and by what a reload has brought.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use super::endpoint::Source;
use super::trust_lost::{self, TrustLost};
use crate::peer::{Fallen, PeerCertificates, Standing, TlsConnectInfo, Verification};

/// The standing of one connection.
#[derive(Debug)]
pub(super) struct ByNow {
    time: Arc<dyn TimeProvider>,
    /// Requests of a connection come one after the other, so nobody waits for it.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    source: Source,
    /// The last second of which the verdict is true, as far as is known.
    until: UnixTime,
}

impl ByNow {
    /// Of a connection that was made under the endpoints which `source` has seen last. `None` if nothing can change.
    pub(super) fn new(
        mut source: Source,
        time: Arc<dyn TimeProvider>,
        info: &TlsConnectInfo,
    ) -> Option<Arc<Self>> {
        let verified = info.peer_certificates().is_some_and(PeerCertificates::is_verified);
        source.settle();
        if !verified && source.is_fixed() {
            return None;
        }
        // To be looked at when the first request comes.
        let until = UnixTime::since_unix_epoch(std::time::Duration::ZERO);
        Some(Arc::new(Self { time, state: Mutex::new(State { source, until }) }))
    }
}

impl Standing for ByNow {
    fn check(&self, server_name: Option<&str>, peer: Option<&PeerCertificates>) -> Result<(), Fallen> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Without a clock nothing can be said of dates. Handshakes fail then, and that is enough.
        let past = self.time.current_time().is_some_and(|now| now > state.until);
        if !past && !state.source.has_changed() {
            return Ok(());
        }
        state.source.settle();
        let endpoints = state.source.current_and_mark_seen();
        match trust_lost::check(&endpoints, server_name, peer) {
            Ok(until) => {
                state.until = until;
                Ok(())
            }
            Err(lost) => {
                let endpoint = endpoints.choose(server_name);
                let verifies = endpoint.is_none_or(|endpoint| endpoint.verifier.policy().verifies());
                Err(match lost {
                    TrustLost::NotVerified { verification: Verification::Unverified(reason) }
                        if !verifies =>
                    {
                        Fallen::Unverified(reason)
                    }
                    lost => Fallen::Refused(lost.to_string()),
                })
            }
        }
    }
}
