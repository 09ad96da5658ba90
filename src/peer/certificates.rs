use std::fmt;
use std::sync::Arc;
#[cfg(feature = "x509")]
use std::sync::OnceLock;

use rustls_pki_types::CertificateDer;

use super::verification::{UnverifiedReason, Verification};
#[cfg(feature = "x509")]
use crate::identity::{ClientIdentity, IdentityError};

/// The certificates that a TLS peer presented, and whether they were verified. There is always at least one.
///
/// There are two chains. The *presented* one is whatever the client sent. The *verified* path leads from the client's
/// certificate to one of the configured roots. An unrelated certificate that a client sends along is in the first and
/// never in the second.
///
/// The client has proven that it holds the private key of [`end_entity`](Self::end_entity), verified or not.
///
/// Cloning is cheap: it copies a reference-counted pointer. In axum handlers this type is an extractor, which takes the
/// certificates from the TLS connection and never from a header. Behind a proxy, the peer is the proxy.
///
/// ```
/// use rustls_pki_types::CertificateDer;
/// use tower_client_cert::{PeerCertificates, Verification};
///
/// // An acceptor other than ours can't say whether the certificates that it passes on are verified.
/// let der = CertificateDer::from(vec![0x30, 0x00]);
/// let peer = PeerCertificates::unverified(vec![der.clone()]).expect("one certificate");
/// assert_eq!(peer.end_entity(), &der);
/// assert!(!peer.is_verified());
/// assert!(matches!(peer.verification(), Verification::Unverified(_)));
/// assert!(PeerCertificates::unverified(vec![]).is_none());
/// ```
#[derive(Clone)]
pub struct PeerCertificates(Arc<Chain>);

struct Chain {
    presented: Vec<CertificateDer<'static>>,
    verification: Verification,
    /// Empty unless verified.
    verified_path: Vec<CertificateDer<'static>>,
    #[cfg(feature = "x509")]
    identity: OnceLock<Result<ClientIdentity, IdentityError>>,
}

impl PeerCertificates {
    /// Makes a value from certificates that nobody has checked, end entity first. `None` if there are none.
    ///
    /// This is for TLS stacks other than this crate's acceptor. There is no public constructor of a *verified* value:
    /// only `ClientVerifier::judge` makes one (feature `tls`).
    #[must_use]
    pub fn unverified(presented: Vec<CertificateDer<'static>>) -> Option<Self> {
        Self::judged(presented, Err(UnverifiedReason::NotChecked))
    }

    /// Makes a value from certificates and a verdict: the verified path, or the reason why there is none.
    pub(crate) fn judged(
        presented: Vec<CertificateDer<'static>>,
        verdict: Result<Vec<CertificateDer<'static>>, UnverifiedReason>,
    ) -> Option<Self> {
        if presented.is_empty() {
            return None;
        }
        let (verification, verified_path) = match verdict {
            Ok(path) => (Verification::Verified, path),
            Err(reason) => (Verification::Unverified(reason), Vec::new()),
        };
        Some(Self(Arc::new(Chain {
            presented,
            verification,
            verified_path,
            #[cfg(feature = "x509")]
            identity: OnceLock::new(),
        })))
    }

    /// Returns the client's own certificate.
    #[must_use]
    #[allow(clippy::indexing_slicing)] // never empty, see `judged`
    pub fn end_entity(&self) -> &CertificateDer<'static> {
        &self.0.presented[0]
    }

    /// Returns the certificates that the client sent after its own. They may have nothing to do with it: see
    /// [`verified_path`](Self::verified_path).
    #[must_use]
    #[allow(clippy::indexing_slicing)] // never empty, see `judged`
    pub fn intermediates(&self) -> &[CertificateDer<'static>] {
        &self.0.presented[1..]
    }

    /// Returns all certificates that the client sent, end entity first, as Go's `PeerCertificates` has them and Skipper
    /// forwards them.
    #[must_use]
    pub fn presented(&self) -> &[CertificateDer<'static>] {
        &self.0.presented
    }

    /// Returns the verified path: the end entity first, then each intermediate, without the root. `None` if the
    /// certificate was not verified.
    #[must_use]
    pub fn verified_path(&self) -> Option<&[CertificateDer<'static>]> {
        self.is_verified().then_some(&self.0.verified_path)
    }

    /// Returns the identity that [`end_entity`](Self::end_entity) claims. It is read on the first call, and then shared
    /// by all requests of the connection.
    ///
    /// Anybody can make a certificate with any name in it: check [`verification`](Self::verification) before you
    /// believe it.
    ///
    /// # Errors
    ///
    /// Returns an error if the end entity can't be read as a certificate.
    #[cfg(feature = "x509")]
    pub fn identity(&self) -> Result<&ClientIdentity, IdentityError> {
        let identity = self.0.identity.get_or_init(|| ClientIdentity::from_der(self.end_entity()));
        identity.as_ref().map_err(|error| *error)
    }

    /// Returns whether [`end_entity`](Self::end_entity) was verified by the configured roots and CRLs, and if not, why.
    #[must_use]
    pub fn verification(&self) -> Verification {
        self.0.verification
    }

    /// Whether [`verification`](Self::verification) is [`Verification::Verified`].
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.0.verification == Verification::Verified
    }
}

/// Shows sizes and the verdict only: certificates are personal data, and logs have many readers.
impl fmt::Debug for PeerCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<usize> = self.0.presented.iter().map(|certificate| certificate.len()).collect();
        f.debug_struct("PeerCertificates")
            .field("presented_bytes", &sizes)
            .field("verification", &self.0.verification)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_certificate_bytes() {
        let peer = PeerCertificates::unverified(vec![CertificateDer::from(vec![0x30, 0x01, 0xAB])]).unwrap();
        let shown = format!("{peer:?}");
        assert!(shown.contains("presented_bytes: [3]") && !shown.contains("171"), "{shown}");
    }
}
