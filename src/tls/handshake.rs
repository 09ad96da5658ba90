//! What a verifier finds out in a handshake, carried to the acceptor that runs it.
//!
//! rustls calls a verifier without saying for which connection, and keeps nothing of its answer but yes or no. But it
//! calls from within the task that drives the handshake, so a task-local value is exactly as wide as one handshake.

use std::cell::RefCell;

use rustls::pki_types::CertificateDer;

use super::verifier::ClientVerifier;

tokio::task_local! {
    static CURRENT: RefCell<Observed>;
}

/// What one verifier did in one handshake.
#[derive(Debug)]
pub(super) struct Observed {
    /// Whose handshake it is, by address: another verifier's word does not count.
    verifier: usize,
    /// Whether rustls asked it for its policy. A full handshake that did not was made with another verifier.
    pub(super) consulted: bool,
    /// What it verified, if its policy is to verify and the client presented something.
    pub(super) verified_path: Option<Vec<CertificateDer<'static>>>,
}

/// Runs a handshake, and says what `verifier` did in it.
pub(super) async fn observe<T>(
    verifier: &ClientVerifier,
    handshake: impl Future<Output = T>,
) -> (T, Observed) {
    let nothing = Observed { verifier: address(verifier), consulted: false, verified_path: None };
    CURRENT
        .scope(RefCell::new(nothing), async {
            let result = handshake.await;
            let observed = CURRENT.with(|observed| {
                let observed = &mut *observed.borrow_mut();
                Observed { verified_path: observed.verified_path.take(), ..*observed }
            });
            (result, observed)
        })
        .await
}

/// Notes what `verifier` does, if it is its own acceptor that runs the handshake.
pub(super) fn note(verifier: &ClientVerifier, what: impl FnOnce(&mut Observed)) {
    // An error means that another acceptor than ours runs the handshake, and nobody listens.
    let _ = CURRENT.try_with(|observed| {
        let observed = &mut *observed.borrow_mut();
        if observed.verifier == address(verifier) {
            what(observed);
        }
    });
}

fn address(verifier: &ClientVerifier) -> usize {
    std::ptr::from_ref(verifier).addr()
}
