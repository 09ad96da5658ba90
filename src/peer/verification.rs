use std::fmt;

/// Whether a certificate was verified: nginx's `$ssl_client_verify` as a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Not `non_exhaustive`: a third answer would be a change every reader must see
pub enum Verification {
    /// The configured roots and CRLs verified the certificate. If a proxy forwarded it, the proxy says so.
    Verified,
    /// The certificate was not verified, for this reason. The client still holds its private key.
    Unverified(UnverifiedReason),
}

/// Displays as nginx does: `SUCCESS`, or `FAILED:` and the reason.
impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified => f.write_str("SUCCESS"),
            Self::Unverified(reason) => write!(f, "FAILED:{reason}"),
        }
    }
}

/// Explains why a certificate is not verified. Displays OpenSSL's words where OpenSSL has them, since operators know
/// those from the logs of nginx and Apache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnverifiedReason {
    /// There was no client CA to verify the certificate with, or a proxy or another TLS stack gave no verdict on it.
    NotChecked,
    /// The proxy that forwarded the certificate says that it is not verified, for a reason that is not in this list.
    FailedAtProxy,
    /// There is no path to a configured root. Self-signed certificates and missing intermediates end here too.
    UnknownIssuer,
    /// The certificate, or one of its issuers, is past its `notAfter`.
    Expired,
    /// The certificate, or one of its issuers, is before its `notBefore`.
    NotYetValid,
    /// The certificate, or one of its issuers, is on a CRL.
    Revoked,
    /// CRLs are configured, and none of them covers the certificate or one of its issuers.
    UnknownRevocationStatus,
    /// The CRL that covers the certificate, or one of its issuers, is past its `nextUpdate`.
    ExpiredCrl,
    /// The CRLs that cover the certificate, or one of its issuers, are all before their `thisUpdate`.
    CrlNotYetValid,
    /// The certificate's key usage or extended key usage does not allow client authentication.
    NotForClientAuth,
    /// The client's own certificate is a CA certificate.
    CaUsedAsEndEntity,
    /// A name constraint or path length constraint of an issuer is violated.
    ConstraintViolated,
    /// An issuer constrains names of a kind that the chain has and that the verifier can't compare, which is any kind
    /// but DNS names and IP addresses. Whether the constraint is violated is not known.
    UnsupportedConstraint,
    /// A signature in the chain is wrong, or its algorithm is not supported.
    BadSignature,
    /// The certificate is X.509 version 1 or 2, which have no extensions that could say what it is for.
    UnsupportedVersion,
    /// The certificate, or one of its issuers, has a critical extension that the verifier does not know.
    Unsupported,
    /// Any other reason, such as a certificate that is malformed.
    Invalid,
}

impl UnverifiedReason {
    /// Returns the reason in words, in printable ASCII.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotChecked => "not checked",
            Self::FailedAtProxy => "verification failed at the proxy",
            Self::UnknownIssuer => "unable to get local issuer certificate",
            Self::Expired => "certificate has expired",
            Self::NotYetValid => "certificate is not yet valid",
            Self::Revoked => "certificate revoked",
            Self::UnknownRevocationStatus => "unable to get certificate CRL",
            Self::ExpiredCrl => "CRL has expired",
            Self::CrlNotYetValid => "CRL is not yet valid",
            Self::NotForClientAuth => "unsuitable certificate purpose",
            Self::CaUsedAsEndEntity => "CA certificate used as end entity",
            Self::ConstraintViolated => "issuer constraint violated",
            Self::UnsupportedConstraint => "unsupported name constraint type",
            Self::BadSignature => "certificate signature failure",
            Self::UnsupportedVersion => "X.509 version 1 or 2 instead of version 3",
            Self::Unsupported => "unhandled critical extension",
            Self::Invalid => "invalid certificate",
        }
    }
}

#[cfg(feature = "x509")]
impl UnverifiedReason {
    const ALL: [Self; 17] = [
        Self::NotChecked,
        Self::FailedAtProxy,
        Self::UnknownIssuer,
        Self::Expired,
        Self::NotYetValid,
        Self::Revoked,
        Self::UnknownRevocationStatus,
        Self::ExpiredCrl,
        Self::CrlNotYetValid,
        Self::NotForClientAuth,
        Self::CaUsedAsEndEntity,
        Self::ConstraintViolated,
        Self::UnsupportedConstraint,
        Self::BadSignature,
        Self::UnsupportedVersion,
        Self::Unsupported,
        Self::Invalid,
    ];

    /// Returns the reason that a proxy gives in these words.
    pub(crate) fn from_words(words: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == words)
    }
}

impl fmt::Display for UnverifiedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(all(test, feature = "x509"))]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_known_by_its_words_alone() {
        for (at, reason) in UnverifiedReason::ALL.into_iter().enumerate() {
            assert_eq!(UnverifiedReason::from_words(reason.as_str()), Some(reason));
            assert!(!UnverifiedReason::ALL[..at].contains(&reason), "{reason:?} is there twice");
        }
        for words in ["", "SUCCESS", "certificate has expired ", "self-signed certificate"] {
            assert_eq!(UnverifiedReason::from_words(words), None, "{words:?}");
        }
    }

    /// Fails if a reason is added to `as_str`, which is a complete match, and not to the list.
    #[test]
    fn a_proxys_word_for_any_reason_is_that_reason() {
        let arms = include_str!("verification.rs").lines().filter_map(|line| {
            let (name, words) = line.trim().strip_prefix("Self::")?.split_once(" => \"")?;
            Some((name, words.strip_suffix("\",")?))
        });
        let mut known = 0;
        for (name, words) in arms {
            let reason = UnverifiedReason::from_words(words).map(|reason| format!("{reason:?}"));
            assert_eq!(reason.as_deref(), Some(name), "{words:?}");
            known += 1;
        }
        assert_eq!(known, UnverifiedReason::ALL.len());
    }
}
