use std::fmt;

/// What a certificate is worth: nginx's `$ssl_client_verify` as a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // a third answer would be a change every reader must see
pub enum Verification {
    /// The configured roots and CRLs verified it for this connection.
    Verified,
    /// They did not, and this is why. The client still holds its private key.
    Unverified(UnverifiedReason),
}

/// As nginx prints it: `SUCCESS`, or `FAILED:` and the reason.
impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified => f.write_str("SUCCESS"),
            Self::Unverified(reason) => write!(f, "FAILED:{reason}"),
        }
    }
}

/// Why a certificate is not verified. Prints OpenSSL's words where OpenSSL has them, since operators know those from
/// nginx's and Apache's logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnverifiedReason {
    /// Nothing was configured to verify it with, or a proxy forwarded it without a verdict.
    NotChecked,
    /// The proxy that forwarded it says that it is not verified, for a reason that is none of these.
    FailedAtProxy,
    /// No path to a configured root; self-signed certificates and missing intermediates end here too.
    UnknownIssuer,
    /// Past its `notAfter`, or one of its issuers is.
    Expired,
    /// Before its `notBefore`, or one of its issuers is.
    NotYetValid,
    /// On a CRL.
    Revoked,
    /// CRLs are configured, and none of them speaks for it.
    UnknownRevocationStatus,
    /// A CRL that speaks for its issuer is out of date.
    ExpiredCrl,
    /// The CRLs that speak for its issuer are all from the future.
    CrlNotYetValid,
    /// Its key usage or extended key usage does not allow client authentication.
    NotForClientAuth,
    /// A CA certificate used as the client's own.
    CaUsedAsEndEntity,
    /// A name or path length constraint of an issuer forbids it.
    ConstraintViolated,
    /// An issuer constrains names of a kind that it has and that the verifier can't compare, which are all but DNS names
    /// and IP addresses. Whether it keeps to the constraint is not known.
    UnsupportedConstraint,
    /// A signature in the chain does not fit, or its algorithm is not supported.
    BadSignature,
    /// X.509 version 1, which has no extensions that could say what it is for, or the short-lived version 2.
    UnsupportedVersion,
    /// A critical extension that the verifier does not know.
    Unsupported,
    /// Anything else.
    Invalid,
}

impl UnverifiedReason {
    /// The words, printable ASCII.
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

    /// The reason that a proxy tells in these words.
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

    /// Whoever adds a reason and forgets the list is told here: `as_str` is a match that has them all.
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
