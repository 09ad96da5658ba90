//! What is said of handshakes that fail: one event each, at the level that it is worth.

use std::fmt;
#[cfg(feature = "tracing")]
use std::sync::{Mutex, PoisonError};
#[cfg(feature = "tracing")]
use std::time::Duration;

#[cfg(feature = "tracing")]
use tokio::time::Instant;

use super::accept_error::AcceptError;
#[cfg(feature = "tracing")]
use super::refused::{ClaimedCertificate, Refusal};

/// What the clones of an acceptor share.
#[derive(Debug, Default)]
pub(super) struct Reports {
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
                    server_name = refusal.server_name().map(crate::printable::printable),
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
        match self.limit.admit(Instant::now()) {
            Some(suppressed) => event!(info, Some(suppressed).filter(|count| *count > 0)),
            None => event!(debug, None::<u64>),
        }
    }
}

/// Subject, issuer and serial number, as far as they may be told.
#[cfg(all(feature = "tracing", feature = "x509"))]
fn claims(certificate: &ClaimedCertificate, names: bool) -> [Option<String>; 3] {
    if !names {
        return [None, None, None];
    }
    [certificate.subject(), certificate.issuer(), certificate.serial()]
}

#[cfg(all(feature = "tracing", not(feature = "x509")))]
fn claims(_: &ClaimedCertificate, _: bool) -> [Option<String>; 3] {
    [None, None, None]
}

/// Something on this side keeps handshakes from succeeding, all of them or many: nobody may overlook it.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
pub(super) fn at_fault(error: &AcceptError) {
    #[cfg(feature = "tracing")]
    tracing::error!(error = %error, "TLS handshakes fail for a reason on this side; this is said once");
}

/// So many events at once, and then one for each [`Limit::EACH`].
#[cfg(feature = "tracing")]
#[derive(Debug, Default)]
struct Limit(Mutex<Spent>);

#[cfg(feature = "tracing")]
#[derive(Debug, Default)]
struct Spent {
    /// When all will be forgotten.
    until: Option<Instant>,
    suppressed: u64,
}

#[cfg(feature = "tracing")]
impl Limit {
    const BURST: u32 = 10;
    const EACH: Duration = Duration::from_millis(100);

    /// How many were suppressed before this one, if it is not suppressed itself.
    fn admit(&self, now: Instant) -> Option<u64> {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = spent.until.map_or(now, |until| until.max(now));
        if until.duration_since(now) > Self::EACH * (Self::BURST - 1) {
            spent.suppressed = spent.suppressed.saturating_add(1);
            return None;
        }
        spent.until = Some(until + Self::EACH);
        Some(std::mem::take(&mut spent.suppressed))
    }
}

#[cfg(all(test, feature = "tracing"))]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_told_then_one_at_a_time_and_those_between_are_counted() {
        let limit = Limit::default();
        let start = Instant::now();
        for _ in 0..Limit::BURST {
            assert_eq!(limit.admit(start), Some(0));
        }
        for _ in 0..1_000 {
            assert_eq!(limit.admit(start), None);
        }
        assert_eq!(limit.admit(start + Limit::EACH), Some(1_000));
        assert_eq!(limit.admit(start + Limit::EACH), None);
        assert_eq!(limit.admit(start + Limit::EACH * 2), Some(1));

        let later = start + Duration::from_secs(3_600);
        let told = (0..1_000).filter(|_| limit.admit(later).is_some()).count();
        assert_eq!(told, Limit::BURST as usize, "rest saves up no more than a burst");
        // A clock that goes back does not.
        assert_eq!(limit.admit(start), None);
    }
}
