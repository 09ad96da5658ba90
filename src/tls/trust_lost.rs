//! Connections whose client would not be let in any more.

use std::time::Duration;

use rustls::pki_types::UnixTime;

use super::acceptor::ClientCertAcceptor;
use super::endpoint::{Endpoints, Source};
use super::verifier::ChainError;
use crate::peer::{TlsConnectInfo, Verification};
use crate::policy::ClientAuthPolicy;

/// Clocks are set, and machines sleep.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

const FOR_EVER: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));

impl ClientCertAcceptor {
    /// Waits until a connection's certificate is no longer worth what it was: for ever, if that does not happen.
    ///
    /// A certificate is checked when a connection is made, and a connection can live for days. This resolves when a
    /// handshake would now be refused, or a certificate that was verified would not be: since it has expired, a CRL that
    /// speaks for it has, or a CRL with it on it has begun; or since a reload brought in such a CRL, removed its CA, or
    /// tightened the policy of the name that the client asked for. It is the moment to drain the connection, for a
    /// while: a request can take as long as the client likes.
    ///
    /// ```no_run
    /// use hyper_util::rt::{TokioExecutor, TokioIo};
    /// use hyper_util::server::conn::auto;
    /// use hyper_util::service::TowerToHyperService;
    /// use tower::Layer;
    /// use tower_client_cert::ClientCertAcceptor;
    ///
    /// # async fn serve(acceptor: ClientCertAcceptor, app: axum::Router, tcp: tokio::net::TcpStream)
    /// # -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let (stream, info) = acceptor.accept(tcp).await?;
    /// let service = TowerToHyperService::new(info.layer(app));
    /// let server = auto::Builder::new(TokioExecutor::new());
    /// let mut connection = std::pin::pin!(server.serve_connection_with_upgrades(TokioIo::new(stream), service));
    /// tokio::select! {
    ///     result = connection.as_mut() => return result,
    ///     lost = acceptor.trust_lost(&info) => println!("draining a connection: {lost}"),
    /// }
    /// connection.as_mut().graceful_shutdown();
    /// tokio::time::timeout(std::time::Duration::from_secs(10), connection).await?
    /// # }
    /// ```
    ///
    /// A connection that was upgraded, to WebSocket for example, is out of hyper's hands: wait for this in the task that
    /// has it, too. `axum::serve` has no way to end one connection.
    pub fn trust_lost(&self, info: &TlsConnectInfo) -> impl Future<Output = TrustLost> + Send + 'static {
        wait(self.source.clone(), info.clone())
    }
}

async fn wait(mut source: Source, info: TlsConnectInfo) -> TrustLost {
    loop {
        let endpoints = source.current_and_mark_seen();
        let until = match check(&endpoints, &info) {
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

/// To the first second after `last`.
fn after(last: UnixTime, now: UnixTime) -> Duration {
    Duration::from_secs(last.as_secs().saturating_sub(now.as_secs()).saturating_add(1))
}

/// The last second in which the connection is as good as a new one, unless something is reloaded.
///
/// Cheap enough to be called for every request: while the verdict is remembered, it costs a hash over the chain. Where
/// there is nothing to lose, it costs nothing.
pub(super) fn check(endpoints: &Endpoints, info: &TlsConnectInfo) -> Result<UnixTime, TrustLost> {
    let endpoint = endpoints.choose(info.server_name()).ok_or(TrustLost::UnknownServerName)?;
    let policy = endpoint.verifier.policy();
    let Some(peer) = info.peer_certificates() else {
        return if policy.requires() { Err(TrustLost::NoCertificate { policy }) } else { Ok(FOR_EVER) };
    };
    // Without a clock nothing can be said, and it is asked again when there is one. Handshakes fail until then.
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

/// Why a connection's certificate is no longer worth what it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustLost {
    /// It was verified, or would have to be, and is not.
    #[error("the client's certificate does not verify any more: {verification}")]
    NotVerified {
        /// Why not.
        verification: Verification,
    },
    /// The policy has come to require one, and there is none.
    #[error("{policy} requires a certificate, and the client has none")]
    NoCertificate {
        /// The policy.
        policy: ClientAuthPolicy,
    },
    /// Nothing is served any more under the name that the client asked for.
    #[error("nothing is served any more under the name that the client asked for")]
    UnknownServerName,
    /// The limits on what a client may present have become tighter.
    #[error(transparent)]
    Chain(#[from] ChainError),
}
