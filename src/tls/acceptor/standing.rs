//! Whether a new handshake would still grant as much as the connection's own did, given the time and what was reloaded.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use super::endpoint::Source;
use super::trust_lost::{self, TrustLost};
use crate::peer::{Demotion, PeerCertificates, Standing, TlsConnectInfo, Verification};

/// Checks the standing of one connection.
#[derive(Debug)]
pub(super) struct ConnectionStanding {
    time: Arc<dyn TimeProvider>,
    /// The requests of one connection are checked one after the other, so nobody waits for this lock.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    source: Source,
    /// The last second in which the verdict is known to hold.
    until: UnixTime,
}

impl ConnectionStanding {
    /// Makes the check for a connection that was made under the endpoints that `source` saw last. `None` if its
    /// standing can never change.
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
        // In the past, so that the first request is checked.
        let until = UnixTime::since_unix_epoch(std::time::Duration::ZERO);
        Some(Arc::new(Self { time, state: Mutex::new(State { source, until }) }))
    }
}

impl Standing for ConnectionStanding {
    fn check(&self, server_name: Option<&str>, peer: Option<&PeerCertificates>) -> Result<(), Demotion> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Without a clock, dates can't be checked. New handshakes fail in that case, which is enough.
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
                        Demotion::Unverified(reason)
                    }
                    lost => Demotion::Refused(lost.to_string()),
                })
            }
        }
    }
}
