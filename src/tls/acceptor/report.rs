//! What is said of handshakes that fail: one event each, at the level that it is worth.

use std::fmt;

#[cfg(feature = "tracing")]
use tokio::time::Instant;

use super::accept_error::AcceptError;
#[cfg(feature = "tracing")]
use super::refused::{ClaimedCertificate, Refusal};
#[cfg(feature = "tracing")]
use crate::telemetry::limit::Limit;

/// What the clones of an acceptor share.
#[derive(Debug, Default)]
pub(in crate::tls) struct Reports {
    #[cfg(feature = "tracing")]
    limit: Limit,
}

impl Reports {
    /// One event for a handshake that failed. `peer` is the client's address, if it is known.
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

    /// Anybody can be refused as often as they like, so what is over the limit is for level `debug`.
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

/// Subject, issuer and serial number, as far as they may be told.
#[cfg(feature = "tracing")]
fn claims(certificate: &ClaimedCertificate, names: bool) -> [Option<String>; 3] {
    if !names {
        return [None, None, None];
    }
    [certificate.subject(), certificate.issuer(), certificate.serial()]
}

/// Something on this side keeps handshakes from succeeding, all of them or many: nobody may overlook it.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
pub(super) fn at_fault(error: &AcceptError) {
    #[cfg(feature = "tracing")]
    tracing::error!(error = %error, "TLS handshakes fail for a reason on this side; this is said once");
}
