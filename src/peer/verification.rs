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
    /// Nothing was configured to verify it with.
    NotChecked,
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
    /// Its extended key usage does not allow client authentication.
    NotForClientAuth,
    /// A CA certificate used as the client's own.
    CaUsedAsEndEntity,
    /// A name or path length constraint of an issuer forbids it.
    ConstraintViolated,
    /// A signature in the chain does not fit, or its algorithm is not supported.
    BadSignature,
    /// X.509 v1, or a critical extension that the verifier does not know.
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
            Self::BadSignature => "certificate signature failure",
            Self::Unsupported => "unsupported certificate version or critical extension",
            Self::Invalid => "invalid certificate",
        }
    }
}

impl fmt::Display for UnverifiedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
