//! Why a CRL can't be used, or only in part, in words that include the cure.

use std::fmt;

use crate::telemetry::printable;
use crate::x509::oid::dotted;

/// Explains why a list is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The list is not a CRL as RFC 5280 defines it. The text says which part of it is wrong.
    Malformed(&'static str),
    Version1,
    NoNextUpdate,
    SignatureAlgorithm(Vec<u8>),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "it is damaged, or no CRL as RFC 5280 has it: {what}"),
            Self::Version1 => f.write_str(
                "it is version 1, which says neither what key it is signed with nor what it covers: have the CA write \
                 version 2 (with OpenSSL, `crl_extensions` in the CA's section of the configuration)",
            ),
            Self::NoNextUpdate => f.write_str(
                "it has no nextUpdate, so nobody can tell when it is out of date: have the CA write one (with OpenSSL, \
                 `default_crl_days`)",
            ),
            Self::SignatureAlgorithm(oid) => write!(
                f,
                "the crypto provider does not know the algorithm of its signature, {}: have the CA sign with SHA-256 \
                 or better",
                printable(dotted(oid))
            ),
        }
    }
}

/// Explains why a list can't say that a certificate is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Delta,
    SomeReasons,
    Indirect,
    AttributeCertificates,
    CriticalExtension(Vec<u8>),
    CriticalEntryExtension(Vec<u8>),
}

impl Limit {
    /// Returns the one of two limits that restricts a list more.
    pub(super) fn worse(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (&one, &other) {
            (Some(limit), Some(_)) if !limit.still_revokes() => one,
            (_, Some(_)) => other,
            (_, None) => one,
        }
    }

    /// Whether the certificates on the list count as revoked all the same. RFC 5280 sections 5.2 and 5.3: a list with a
    /// critical extension that is not processed must not be used to determine the status of any certificate.
    pub(super) fn still_revokes(&self) -> bool {
        matches!(self, Self::Delta | Self::SomeReasons | Self::Indirect)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delta => f.write_str("it is a delta CRL, which has changes to a complete one only"),
            Self::SomeReasons => f.write_str("it covers some reasons of revocation only (onlySomeReasons)"),
            Self::Indirect => f.write_str("it is an indirect CRL, for certificates of other issuers too"),
            Self::AttributeCertificates => {
                f.write_str("it is for attribute certificates, which no TLS client presents")
            }
            Self::CriticalExtension(oid) => {
                write!(f, "it has a critical extension that is not supported, {}", printable(dotted(oid)))
            }
            Self::CriticalEntryExtension(oid) => {
                write!(
                    f,
                    "an entry in it has a critical extension that is not supported, {}",
                    printable(dotted(oid))
                )
            }
        }
    }
}
