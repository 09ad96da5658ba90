use std::io;
use std::time::Duration;

use super::refused::Refusal;
use crate::policy::ClientAuthPolicy;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The client took too long.
    #[error("TLS handshake not finished after {after:?}")]
    Timeout {
        /// The limit.
        after: Duration,
    },
    /// The handshake failed. If TLS itself is the reason, the inner error is a [`rustls::Error`].
    #[error("TLS handshake failed: {0}")]
    Handshake(#[source] io::Error),
    /// The client was refused for its certificate, or for having none: in the handshake, or when it came back to a
    /// session that is not good enough any more.
    #[error("client certificate refused: {0}")]
    Refused(Box<Refusal>),
    /// The client asks for a name that nothing is served under, or for none, and there is no fallback.
    #[error("the client asks for {}, under which nothing is served", name.as_deref().unwrap_or("no server name"))]
    UnknownServerName {
        /// The name, if it asks for one.
        name: Option<String>,
    },
    /// The client speaks plain HTTP, and was told so in plain HTTP, with status 400.
    #[error("the client speaks plain HTTP on a port for TLS")]
    PlainHttp,
    /// The configuration uses another verifier than the acceptor was given, so that nothing can be said of the client.
    #[error(
        "the rustls configuration does not carry out {policy}: it was not made with this acceptor's verifier. \
         Start it with `verifier.server_config()`"
    )]
    ForeignConfig {
        /// The policy.
        policy: ClientAuthPolicy,
    },
}

impl AcceptError {
    fn tls(&self) -> Option<&rustls::Error> {
        match self {
            Self::Handshake(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
            _ => None,
        }
    }

    /// Whether no client could have made it succeed: the configuration is at fault, or the machine.
    pub(super) fn is_own_fault(&self) -> bool {
        use rustls::Error as E;
        matches!(self, Self::ForeignConfig { .. })
            || matches!(
                self.tls(),
                // The third is what rustls says if it has no certificate to present.
                Some(E::FailedToGetCurrentTime | E::FailedToGetRandomBytes | E::General(_))
            )
    }

    /// A word for dashboards.
    #[cfg(feature = "metrics")]
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "timeout",
            Self::PlainHttp => "plain_http",
            Self::Refused(refusal) => refusal.reason().label(),
            Self::UnknownServerName { .. } => "server_name",
            Self::ForeignConfig { .. } => "configuration",
            Self::Handshake(_) if self.is_own_fault() => "configuration",
            Self::Handshake(_) if self.tls().is_some() => "tls",
            Self::Handshake(_) => "io",
        }
    }
}
