//! Why a chain is refused or does not verify: an alert for the client, a reason for everybody else.

use std::fmt;
use std::sync::Arc;

use rustls::{CertificateError, OtherError};

use crate::peer::UnverifiedReason;
use crate::tls::crl::Refusal;

/// Explains why a client's chain is refused under every policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The chain has more than [`max_certificates`](crate::ClientVerifierBuilder::max_certificates).
    #[error("the client presents {count} certificates, at most {max} are taken")]
    TooManyCertificates {
        /// How many certificates the client presents.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// A certificate is larger than [`max_certificate_size`](crate::ClientVerifierBuilder::max_certificate_size).
    #[error("certificate {index} (from 0) of the client's chain has {bytes} bytes, at most {max} are taken")]
    TooLarge {
        /// The position of the certificate, counted from 0.
        index: usize,
        /// Its size in bytes.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// An element of the chain is not an X.509 certificate.
    #[error("element {index} (from 0) of the client's chain is not an X.509 certificate")]
    NotACertificate {
        /// The position of the element, counted from 0.
        index: usize,
    },
}

impl From<ChainError> for rustls::Error {
    fn from(error: ChainError) -> Self {
        CertificateError::Other(OtherError(Arc::new(error))).into()
    }
}

/// Explains why a client was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The client presents no certificate, and the policy requires one.
    #[error("no client certificate")]
    NoCertificate,
    /// The client's certificate does not verify, and the policy verifies.
    #[error("{0}")]
    Unverified(UnverifiedReason),
    /// The client presents a chain that every policy refuses.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The client did not prove that it holds the certificate's private key: its signature is wrong, or uses a scheme
    /// that this server does not accept.
    #[error("the client did not prove that it holds the certificate's private key")]
    NotProven,
}

impl RefusalReason {
    /// Returns a short, stable name, for the label of a metric.
    pub(in crate::tls) fn label(&self) -> &'static str {
        use UnverifiedReason as R;
        match self {
            Self::NoCertificate => "no_certificate",
            Self::NotProven => "not_proven",
            Self::Chain(ChainError::TooManyCertificates { .. }) => "too_many_certificates",
            Self::Chain(ChainError::TooLarge { .. }) => "too_large",
            Self::Chain(ChainError::NotACertificate { .. }) => "not_a_certificate",
            Self::Unverified(R::NotChecked) => "not_checked",
            Self::Unverified(R::UnknownIssuer) => "unknown_issuer",
            Self::Unverified(R::Expired) => "expired",
            Self::Unverified(R::NotYetValid) => "not_yet_valid",
            Self::Unverified(R::Revoked) => "revoked",
            Self::Unverified(R::UnknownRevocationStatus) => "unknown_revocation_status",
            Self::Unverified(R::ExpiredCrl) => "expired_crl",
            Self::Unverified(R::CrlNotYetValid) => "crl_not_yet_valid",
            Self::Unverified(R::NotForClientAuth) => "not_for_client_auth",
            Self::Unverified(R::CaUsedAsEndEntity) => "ca_used_as_end_entity",
            Self::Unverified(R::ConstraintViolated) => "constraint_violated",
            Self::Unverified(R::BadSignature) => "bad_signature",
            Self::Unverified(R::UnsupportedVersion) => "unsupported_version",
            Self::Unverified(R::Unsupported) => "unsupported",
            Self::Unverified(R::UnsupportedConstraint) => "unsupported_constraint",
            // `FailedAtProxy` never comes from a handshake.
            Self::Unverified(R::Invalid | R::FailedAtProxy) => "invalid",
        }
    }
}

/// Explains why a chain does not verify.
#[derive(Clone, Debug)]
pub(super) enum VerifyError {
    NoRoots,
    /// The certificate's key usage does not allow what a client does with its key.
    KeyUsage,
    /// An issuer constrains names of a kind that webpki can't compare.
    UnsupportedConstraint,
    Webpki(webpki::Error),
    Revocation(Refusal),
}

impl VerifyError {
    /// Combines the error of webpki, which tried all paths, with the refusal of the CRL check.
    pub(super) fn of_paths(error: webpki::Error, refusal: Option<Refusal>) -> Self {
        match refusal {
            // webpki's error only repeats what the CRL check returned to it.
            Some(refusal) if error == PATH_REFUSED => Self::Revocation(refusal),
            _ => Self::Webpki(error),
        }
    }
}

/// The error that webpki gets for every path that the CRL check refuses. webpki ranks it above the errors of other
/// paths.
const PATH_REFUSED: webpki::Error = webpki::Error::CertRevoked;

impl From<Refusal> for webpki::Error {
    fn from(_: Refusal) -> Self {
        PATH_REFUSED
    }
}

impl From<webpki::Error> for VerifyError {
    fn from(error: webpki::Error) -> Self {
        Self::Webpki(error)
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoots => f.write_str("no client CA is configured"),
            Self::KeyUsage => f.write_str("its key usage has neither digitalSignature nor keyAgreement"),
            Self::UnsupportedConstraint => {
                f.write_str("an issuer constrains names of a kind other than DNS names and IP addresses")
            }
            Self::Webpki(error) => error.fmt(f),
            Self::Revocation(_) => reason(self).fmt(f),
        }
    }
}

impl std::error::Error for VerifyError {}

pub(super) fn reason(error: &VerifyError) -> UnverifiedReason {
    use UnverifiedReason as R;
    use webpki::Error as E;
    let error = match error {
        VerifyError::NoRoots => return R::NotChecked,
        VerifyError::KeyUsage => return R::NotForClientAuth,
        VerifyError::UnsupportedConstraint => return R::UnsupportedConstraint,
        VerifyError::Revocation(Refusal::Unknown) => return R::UnknownRevocationStatus,
        VerifyError::Revocation(Refusal::NotYetValid) => return R::CrlNotYetValid,
        VerifyError::Revocation(Refusal::Expired) => return R::ExpiredCrl,
        VerifyError::Revocation(Refusal::Revoked) => return R::Revoked,
        VerifyError::Webpki(error) => error,
    };
    match error {
        E::CertExpired { .. } => R::Expired,
        E::CertNotValidYet { .. } => R::NotYetValid,
        E::UnknownIssuer => R::UnknownIssuer,
        E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => R::NotForClientAuth,
        E::CaUsedAsEndEntity => R::CaUsedAsEndEntity,
        E::NameConstraintViolation | E::PathLenConstraintViolated => R::ConstraintViolated,
        E::InvalidSignatureForPublicKey
        | E::UnsupportedSignatureAlgorithmContext(_)
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => R::BadSignature,
        E::UnsupportedCertVersion => R::UnsupportedVersion,
        E::UnsupportedCriticalExtension => R::Unsupported,
        _ => R::Invalid,
    }
}

/// Chooses the alert that rustls's own verifier would send.
impl From<VerifyError> for rustls::Error {
    fn from(error: VerifyError) -> Self {
        use CertificateError as C;
        use UnverifiedReason as R;
        match reason(&error) {
            R::Expired => C::Expired,
            R::NotYetValid => C::NotValidYet,
            R::Revoked => C::Revoked,
            R::UnknownRevocationStatus | R::CrlNotYetValid => C::UnknownRevocationStatus,
            R::ExpiredCrl => C::ExpiredRevocationList,
            R::UnknownIssuer | R::NotChecked => C::UnknownIssuer,
            R::NotForClientAuth => C::InvalidPurpose,
            R::BadSignature => C::BadSignature,
            _ => C::Other(OtherError(Arc::new(error))),
        }
        .into()
    }
}
