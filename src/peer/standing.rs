//! Whether what the handshake found out is still true.

use std::fmt;

use super::certificates::PeerCertificates;
use super::verification::UnverifiedReason;

/// Knows whether a new handshake would still grant as much as a connection's own did.
///
/// It is asked for every request. Nothing else behind the acceptor looks at a clock or at a reload.
pub(crate) trait Standing: fmt::Debug + Send + Sync {
    /// # Errors
    ///
    /// Returns what the certificate is worth now, if that is less than before. It is not asked again then: what is lost
    /// stays lost.
    fn check(&self, server_name: Option<&str>, peer: Option<&PeerCertificates>) -> Result<(), Demotion>;
}

/// What has become of a connection whose certificate is no longer worth what it was.
#[cfg_attr(not(feature = "tls"), allow(dead_code))] // only the acceptor can tell
#[derive(Clone, Debug)]
pub(crate) enum Demotion {
    /// A new handshake would end with this verdict.
    Unverified(UnverifiedReason),
    /// A new handshake would be refused, for this reason.
    Refused(String),
}
