//! Notices when a new handshake would no longer accept a connection's client.

use std::time::Duration;

use rustls::pki_types::UnixTime;

use super::endpoint::{Endpoints, Source};
use crate::peer::{PeerCertificates, TlsConnectInfo, Verification};
use crate::policy::ClientAuthPolicy;
use crate::tls::verifier::ChainError;

/// The longest sleep between two checks: the clock may be set, and the machine may be suspended.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

const FOR_EVER: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));

pub(super) async fn wait(mut source: Source, info: TlsConnectInfo) -> TrustLost {
    loop {
        let endpoints = source.current_and_mark_seen();
        let until = match check(&endpoints, info.server_name(), info.peer_certificates()) {
            Ok(until) => until,
            Err(lost) => return lost,
        };
        let now = endpoints.choose(info.server_name()).and_then(|endpoint| endpoint.now().ok());
        let wait = now.map_or(LONGEST_WAIT, |now| after(until, now).min(LONGEST_WAIT));
        drop(endpoints);
        tokio::select! {
            () = source.changed() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Returns the time until the first second after `last`.
fn after(last: UnixTime, now: UnixTime) -> Duration {
    Duration::from_secs(last.as_secs().saturating_sub(now.as_secs()).saturating_add(1))
}

/// Returns the last second in which a new handshake would grant as much as the connection's own did, unless something
/// is reloaded.
///
/// This is cheap enough to be called for every request: while the verdict is remembered, it costs a hash over the
/// chain.
pub(super) fn check(
    endpoints: &Endpoints,
    server_name: Option<&str>,
    peer: Option<&PeerCertificates>,
) -> Result<UnixTime, TrustLost> {
    let endpoint = endpoints.choose(server_name).ok_or(TrustLost::UnknownServerName)?;
    let policy = endpoint.verifier.policy();
    let Some(peer) = peer else {
        return if policy.requires() { Err(TrustLost::NoCertificate { policy }) } else { Ok(FOR_EVER) };
    };
    // Without a clock, dates can't be checked: check again once there is one. New handshakes fail until then.
    let Ok(now) = endpoint.now() else { return Ok(UnixTime::since_unix_epoch(Duration::ZERO)) };
    if !peer.is_verified() && !policy.verifies() {
        endpoint.verifier.takes(peer.presented())?;
        return Ok(FOR_EVER);
    }
    match endpoint.verifier.verifies_until(peer.presented(), now)? {
        Ok(until) => Ok(until),
        Err(reason) => Err(TrustLost::NotVerified { verification: Verification::Unverified(reason) }),
    }
}

/// Explains why a connection's certificate is no longer worth what it was. Returned by
/// [`ClientCertAcceptor::trust_lost`](crate::ClientCertAcceptor::trust_lost).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustLost {
    /// The certificate no longer verifies; or it never did, and the policy has come to require that it does.
    #[error("the client's certificate does not verify any more: {verification}")]
    NotVerified {
        /// Why it does not verify.
        verification: Verification,
    },
    /// The policy has come to require a certificate, and the client has none.
    #[error("{policy} requires a certificate, and the client has none")]
    NoCertificate {
        /// The policy that requires it.
        policy: ClientAuthPolicy,
    },
    /// The server name that the client asked for is not served any more.
    #[error("nothing is served any more under the name that the client asked for")]
    UnknownServerName,
    /// The chain exceeds the limits, which have become tighter.
    #[error(transparent)]
    Chain(#[from] ChainError),
}
