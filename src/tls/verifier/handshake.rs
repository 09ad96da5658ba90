//! What a verifier finds out in a handshake, carried to the acceptor that runs it.
//!
//! rustls calls a verifier without saying for which connection, and keeps nothing of its answer but yes or no. But it
//! calls from within the task that drives the handshake, so a task-local value is exactly as wide as one handshake.

use std::cell::RefCell;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};

use super::refusal::RefusalReason;

tokio::task_local! {
    static CURRENT: RefCell<Observed>;
}

/// Tells a verifier from every other that there is at the same time: its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tls) struct VerifierId(usize);

impl VerifierId {
    pub(in crate::tls) fn of<V>(verifier: &V) -> Self {
        Self(std::ptr::from_ref(verifier).addr())
    }
}

/// What one verifier did in one handshake.
#[derive(Debug)]
pub(in crate::tls) struct Observed {
    /// Whose handshake it is: another verifier's word does not count.
    verifier: VerifierId,
    /// Whether rustls asked it for its policy. A connection that did not was made with another verifier.
    pub(in crate::tls) consulted: bool,
    /// What it verified, if its policy is to verify and the client presented something.
    pub(in crate::tls) verified: Option<Verified>,
    /// When the session ends that is being resumed.
    pub(in crate::tls) resumable_until: Option<UnixTime>,
    /// What the client presented as its own certificate. rustls tells of none that it refused.
    pub(in crate::tls) presented: Option<CertificateDer<'static>>,
    /// Why it did not take that.
    pub(in crate::tls) refused: Option<RefusalReason>,
}

/// A path that was verified: end entity first, without the root.
#[derive(Debug)]
pub(in crate::tls) struct Verified {
    pub(in crate::tls) path: Vec<CertificateDer<'static>>,
    /// The last second of which this is true.
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

    /// rustls asks the verifier for its policy when it begins a connection, and again when it decides to make a full
    /// handshake, whatever session the client offered.
    pub(in crate::tls) fn consult(&mut self) {
        self.consulted = true;
        self.resumable_until = None;
    }

    /// The last second in which the session that this handshake makes can be resumed. However often it is resumed, it
    /// ends when the first one would have ended. `None` if it must not be.
    pub(in crate::tls) fn session_until(&self, now: UnixTime, lifetime: Duration) -> Option<UnixTime> {
        if !self.consulted || lifetime.is_zero() {
            return None;
        }
        let end = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()).saturating_add(lifetime));
        let verified = self.verified.as_ref().map(|verified| verified.until);
        Some(self.resumable_until.or(verified).map_or(end, |until| until.min(end)))
    }
}

/// Runs a handshake, and says what `verifier` did in it. The connection must be made in there too: that is when rustls
/// asks it first.
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

/// Notes what `verifier` does, if it is its own acceptor that runs the handshake. `None` if not: nobody listens.
pub(in crate::tls) fn note<T>(verifier: VerifierId, what: impl FnOnce(&mut Observed) -> T) -> Option<T> {
    let noted = CURRENT.try_with(|observed| {
        let observed = &mut *observed.borrow_mut();
        (observed.verifier == verifier).then(|| what(observed))
    });
    noted.ok().flatten()
}
