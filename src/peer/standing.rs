//! Whether what the handshake found out is still true.

use std::fmt;

use super::certificates::PeerCertificates;
use super::verification::UnverifiedReason;

/// Knows whether a handshake would still end as a connection's did.
///
/// It is asked for every request. It is the only thing behind the acceptor that looks at a clock or at a reload.
pub(crate) trait Standing: fmt::Debug + Send + Sync {
    /// # Errors
    ///
    /// What has become of it. It is not asked again then: what is lost stays lost.
    fn check(&self, server_name: Option<&str>, peer: Option<&PeerCertificates>) -> Result<(), Fallen>;
}

/// What a connection's certificate is worth when it is no longer worth what it was.
#[cfg_attr(not(feature = "tls"), allow(dead_code))] // only the acceptor can tell
#[derive(Clone, Debug)]
pub(crate) enum Fallen {
    /// A handshake would end with this verdict.
    Unverified(UnverifiedReason),
    /// A handshake would be refused, for this reason.
    Refused(String),
}
