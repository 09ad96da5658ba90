use std::io;
use std::time::Duration;

use super::refused::Refusal;
use crate::policy::ClientAuthPolicy;

/// Explains why a client got no connection. Returned by
/// [`ClientCertAcceptor::accept`](crate::ClientCertAcceptor::accept).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The client did not finish the handshake in time.
    #[error("TLS handshake not finished after {after:?}")]
    Timeout {
        /// The time limit for a handshake.
        after: Duration,
    },
    /// The handshake failed. If TLS itself is the reason, the inner error is a [`rustls::Error`].
    #[error("TLS handshake failed: {0}")]
    Handshake(#[source] io::Error),
    /// The client was refused for its certificate, or for having none, either in a full handshake or when it resumed a
    /// session that the policy no longer accepts.
    #[error("client certificate refused: {0}")]
    Refused(Box<Refusal>),
    /// The client asks for a server name that is not served, or for none, and there is no fallback.
    #[error("the client asks for {}, under which nothing is served", name.as_deref().unwrap_or("no server name"))]
    UnknownServerName {
        /// The name that the client asks for, if any.
        name: Option<String>,
    },
    /// The client speaks plain HTTP. It was told so in plain HTTP, with status 400.
    #[error("the client speaks plain HTTP on a port for TLS")]
    PlainHttp,
    /// The configuration uses another verifier than the acceptor's, so nothing is known about the client.
    #[error(
        "the rustls configuration does not carry out {policy}: it was not made with this acceptor's verifier. \
         Start it with `verifier.server_config()`"
    )]
    ForeignConfig {
        /// The policy of the acceptor's verifier.
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

    /// Whether the fault is on this side, in the configuration or in the machine, so that no client could have
    /// succeeded.
    pub(super) fn is_own_fault(&self) -> bool {
        use rustls::Error as E;
        matches!(self, Self::ForeignConfig { .. })
            || matches!(
                self.tls(),
                // rustls returns `General` if it has no certificate to present.
                Some(E::FailedToGetCurrentTime | E::FailedToGetRandomBytes | E::General(_))
            )
    }

    /// Returns a short, stable name, for the label of a metric.
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

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::peer::UnverifiedReason as R;
    use crate::tls::verifier::ChainError;
    use crate::tls::verifier::RefusalReason;

    /// One error for each label.
    fn errors() -> Vec<AcceptError> {
        let tls = |error| AcceptError::Handshake(io::Error::new(io::ErrorKind::InvalidData, error));
        let policy = ClientAuthPolicy::default();
        let unverified = [
            R::NotChecked,
            R::UnknownIssuer,
            R::Expired,
            R::NotYetValid,
            R::Revoked,
            R::UnknownRevocationStatus,
            R::ExpiredCrl,
            R::CrlNotYetValid,
            R::NotForClientAuth,
            R::CaUsedAsEndEntity,
            R::ConstraintViolated,
            R::UnsupportedConstraint,
            R::BadSignature,
            R::UnsupportedVersion,
            R::Unsupported,
            R::Invalid,
        ];
        let reasons = unverified.map(RefusalReason::Unverified).into_iter().chain([
            RefusalReason::NoCertificate,
            RefusalReason::NotProven,
            ChainError::TooManyCertificates { count: 6, max: 5 }.into(),
            ChainError::TooLarge { index: 0, bytes: 2, max: 1 }.into(),
            ChainError::NotACertificate { index: 0 }.into(),
        ]);
        let refused = reasons
            .map(|reason| AcceptError::Refused(Box::new(Refusal::resumed(reason, policy, None, None))));
        refused
            .chain([
                AcceptError::PlainHttp,
                AcceptError::UnknownServerName { name: None },
                AcceptError::Timeout { after: Duration::ZERO },
                tls(rustls::Error::HandshakeNotComplete),
                AcceptError::Handshake(io::ErrorKind::UnexpectedEof.into()),
                AcceptError::ForeignConfig { policy },
            ])
            .collect()
    }

    #[test]
    fn the_documentation_lists_every_label_once_and_no_other() {
        let documentation = include_str!("../../docs/observing.md");
        let (_, table) = documentation.split_once("| `reason` | the client |\n|---|---|\n").unwrap();
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let listed: Vec<&str> = rows
            .flat_map(|row| row.split('|').nth(1).unwrap().split(','))
            .map(|label| label.trim().trim_matches('`'))
            .collect();
        let labels: BTreeSet<&str> = errors().iter().map(AcceptError::label).collect();
        assert_eq!(labels.len(), errors().len(), "each reason has a label of its own");
        assert_eq!(listed.len(), labels.len(), "{listed:?}");
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), labels);
    }

    #[test]
    fn what_is_wrong_on_this_side_is_told_from_what_clients_do() {
        let at_fault = |error| {
            let error = AcceptError::Handshake(io::Error::other(error));
            assert_eq!(error.is_own_fault(), error.label() == "configuration", "{error}");
            error.is_own_fault()
        };
        assert!(at_fault(rustls::Error::FailedToGetCurrentTime));
        assert!(at_fault(rustls::Error::General("no server certificate chain resolved".to_owned())));
        assert!(!at_fault(rustls::Error::PeerIncompatible(rustls::PeerIncompatible::NoCipherSuitesInCommon)));
        assert!(!at_fault(rustls::Error::AlertReceived(rustls::AlertDescription::UnknownCA)));
    }
}
