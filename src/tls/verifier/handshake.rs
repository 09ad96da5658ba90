//! Carries what a verifier finds out in a handshake to the acceptor that runs the handshake.
//!
//! rustls calls a verifier without saying for which connection, and keeps only whether the verifier accepted the chain.
//! But it makes the call within the task that drives the handshake, so a task-local value belongs to exactly one
//! handshake.

use std::cell::RefCell;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};

use super::refusal::RefusalReason;

tokio::task_local! {
    static CURRENT: RefCell<Observed>;
}

/// Identifies a verifier, by its address, among all that exist at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tls) struct VerifierId(usize);

impl VerifierId {
    pub(in crate::tls) fn of<V>(verifier: &V) -> Self {
        Self(std::ptr::from_ref(verifier).addr())
    }
}

/// Records what one verifier did in one handshake.
#[derive(Debug)]
pub(in crate::tls) struct Observed {
    /// The verifier of this handshake's acceptor. Notes by any other verifier are ignored.
    verifier: VerifierId,
    /// Whether rustls asked the verifier for its policy. If not, the connection was made with another verifier.
    pub(in crate::tls) consulted: bool,
    /// The verified path, if the policy is to verify and the client presented a certificate.
    pub(in crate::tls) verified: Option<Verified>,
    /// When the session that is being resumed ends.
    pub(in crate::tls) resumable_until: Option<UnixTime>,
    /// The certificate that the client presented as its own. rustls does not expose one that was refused.
    pub(in crate::tls) presented: Option<CertificateDer<'static>>,
    /// Why the verifier refused that certificate.
    pub(in crate::tls) refused: Option<RefusalReason>,
}

/// A verified path: the end entity first, without the root.
#[derive(Debug)]
pub(in crate::tls) struct Verified {
    pub(in crate::tls) path: Vec<CertificateDer<'static>>,
    /// The last second in which the path verifies.
    pub(in crate::tls) until: UnixTime,
}

impl Observed {
    fn of(verifier: VerifierId) -> Self {
        Self {
            verifier,
            consulted: false,
            verified: None,
            resumable_until: None,
            presented: None,
            refused: None,
        }
    }

    /// Notes that rustls asked the verifier for its policy. rustls asks when it begins a connection, and again when it
    /// decides to make a full handshake, whatever session the client offered.
    pub(in crate::tls) fn consult(&mut self) {
        self.consulted = true;
        self.resumable_until = None;
    }

    /// Returns the last second in which the session that this handshake makes can be resumed. `None` if it must not be
    /// resumed at all.
    ///
    /// However often a session is resumed, it ends when the session of the full handshake would have ended.
    pub(in crate::tls) fn session_until(&self, now: UnixTime, lifetime: Duration) -> Option<UnixTime> {
        if !self.consulted || lifetime.is_zero() {
            return None;
        }
        let end = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()).saturating_add(lifetime));
        let verified = self.verified.as_ref().map(|verified| verified.until);
        Some(self.resumable_until.or(verified).map_or(end, |until| until.min(end)))
    }
}

/// Runs a handshake, and returns what `verifier` did in it. The future must create the connection too, since that is
/// when rustls first asks the verifier.
pub(in crate::tls) async fn observe<T>(
    verifier: VerifierId,
    handshake: impl Future<Output = T>,
) -> (T, Observed) {
    let nothing = Observed::of(verifier);
    CURRENT
        .scope(RefCell::new(nothing), async {
            let result = handshake.await;
            let observed = CURRENT.with(|observed| observed.replace(Observed::of(VerifierId(0))));
            (result, observed)
        })
        .await
}

/// Notes what `verifier` does. `None` if the handshake is not run by the verifier's own acceptor, so that nobody
/// listens.
pub(in crate::tls) fn note<T>(verifier: VerifierId, what: impl FnOnce(&mut Observed) -> T) -> Option<T> {
    let noted = CURRENT.try_with(|observed| {
        let observed = &mut *observed.borrow_mut();
        (observed.verifier == verifier).then(|| what(observed))
    });
    noted.ok().flatten()
}
