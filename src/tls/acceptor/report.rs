//! Logs handshakes that fail: one event for each, at the level that suits its cause.

use std::fmt;

#[cfg(feature = "tracing")]
use tokio::time::Instant;

use super::accept_error::AcceptError;
#[cfg(feature = "tracing")]
use super::refused::{ClaimedCertificate, Refusal};
#[cfg(feature = "tracing")]
use crate::telemetry::limit::Limit;

/// The state that the clones of an acceptor share.
#[derive(Debug, Default)]
pub(in crate::tls) struct Reports {
    #[cfg(feature = "tracing")]
    limit: Limit,
}

impl Reports {
    /// Logs one handshake that failed. `peer` is the client's address, if it is known.
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables, clippy::unused_self))]
    pub(super) fn failed(&self, error: &AcceptError, peer: Option<&dyn fmt::Debug>, names: bool) {
        #[cfg(feature = "tracing")]
        match error {
            AcceptError::Refused(refusal) => self.refused(refusal, peer, names),
            error => {
                tracing::debug!(peer = peer.map(tracing::field::debug), error = %error, "no TLS connection");
            }
        }
    }

    /// Logs one refusal. Anybody can be refused as often as they like, so events over the limit have level `debug`.
    #[cfg(feature = "tracing")]
    fn refused(&self, refusal: &Refusal, peer: Option<&dyn fmt::Debug>, names: bool) {
        macro_rules! event {
            ($level:ident, $suppressed:expr) => {{
                let certificate = refusal.certificate();
                let [subject, issuer, serial] = certificate.map(|it| claims(it, names)).unwrap_or_default();
                tracing::$level!(
                    peer = peer.map(tracing::field::debug),
                    server_name = refusal.server_name().map(crate::telemetry::printable),
                    reason = %refusal.reason(),
                    policy = %refusal.policy(),
                    resumed = refusal.is_resumption().then_some(true),
                    subject,
                    issuer,
                    serial,
                    sha256 = certificate.map(|certificate| tracing::field::display(certificate.fingerprint())),
                    suppressed = $suppressed,
                    "client certificate refused"
                );
            }};
        }
        match self.limit.admit(Instant::now().into_std()) {
            Some(suppressed) => event!(info, Some(suppressed).filter(|count| *count > 0)),
            None => event!(debug, None::<u64>),
        }
    }
}

/// Returns subject, issuer and serial number, if names may be logged.
#[cfg(feature = "tracing")]
fn claims(certificate: &ClaimedCertificate, names: bool) -> [Option<String>; 3] {
    if !names {
        return [None, None, None];
    }
    [certificate.subject(), certificate.issuer(), certificate.serial()]
}

/// Logs an error on this side that makes many or all handshakes fail.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
pub(super) fn at_fault(error: &AcceptError) {
    #[cfg(feature = "tracing")]
    tracing::error!(error = %error, "TLS handshakes fail for a reason on this side; this is said once");
}
