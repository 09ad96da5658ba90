//! Connections whose client would not be let in any more.

use std::time::Duration;

use rustls::pki_types::UnixTime;

use super::acceptor::ClientCertAcceptor;
use super::endpoint::{Endpoints, Source};
use super::validity;
use super::verifier::ChainError;
use crate::peer::{PeerCertificates, TlsConnectInfo, Verification};
use crate::policy::ClientAuthPolicy;

/// Clocks are set, and machines sleep.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

impl ClientCertAcceptor {
    /// Waits until a connection's certificate is no longer worth what it was: for ever, if that does not happen.
    ///
    /// A certificate is checked when a connection is made, and a connection can live for days. This resolves when a
    /// handshake would now be refused, or a certificate that was verified would not be: since it has expired, or since
    /// a reload brought in a CRL with it on it, removed its CA, or tightened the policy of the name that the client
    /// asked for. It is the moment to drain the connection:
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
    /// connection.await
    /// # }
    /// ```
    ///
    /// `axum::serve` has no way to end one connection.
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
        let holds_for = now.map_or(LONGEST_WAIT, |now| from_to(now, until).min(LONGEST_WAIT));
        tokio::select! {
            () = source.changed() => {}
            () = tokio::time::sleep(holds_for) => {}
        }
    }
}

/// The last second in which the connection is as good as a new one, as far as dates go.
pub(super) fn check(endpoints: &Endpoints, info: &TlsConnectInfo) -> Result<UnixTime, TrustLost> {
    const FOREVER: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let endpoint = endpoints.choose(info.server_name()).ok_or(TrustLost::UnknownServerName)?;
    let policy = endpoint.verifier.policy();
    let Some(peer) = info.peer_certificates() else {
        return if policy.requires() { Err(TrustLost::NoCertificate { policy }) } else { Ok(FOREVER) };
    };
    // Without a clock nothing can be said, and it is asked again when there is one. Handshakes fail until then.
    let Ok(now) = endpoint.now() else { return Ok(UnixTime::since_unix_epoch(Duration::ZERO)) };
    let judged = endpoint.verifier.judge(peer.presented().to_vec(), now)?;
    match judged.as_ref().map(PeerCertificates::verification) {
        Some(verification @ Verification::Unverified(_)) if peer.is_verified() || policy.verifies() => {
            Err(TrustLost::NotVerified { verification })
        }
        _ => Ok(judged.as_ref().and_then(not_after).unwrap_or(FOREVER)),
    }
}

/// The last second of a verified path.
fn not_after(peer: &PeerCertificates) -> Option<UnixTime> {
    peer.verified_path()?.iter().filter_map(|certificate| validity::not_after(certificate)).min()
}

/// To the first second after `end`.
fn from_to(now: UnixTime, end: UnixTime) -> Duration {
    Duration::from_secs(end.as_secs().saturating_sub(now.as_secs()).saturating_add(1))
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
