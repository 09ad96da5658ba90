//! All that can be wrong with what a verifier is built from.

use std::fmt;
use std::path::PathBuf;

use super::fault::PemFault;
use super::origin::Origin;
use crate::policy::ClientAuthPolicy;

/// Why a verifier can't be built. Each names the file, or says that the value came from the program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifierError {
    /// A policy that verifies has nothing to verify with.
    #[error(
        "{policy} needs the certificate of at least one client CA: add it with `.roots_from_file(\"ca.pem\")`"
    )]
    NoRoots {
        /// The policy.
        policy: ClientAuthPolicy,
    },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not PEM, or is cut off, or has something in it that may have been meant as PEM.
    #[error("{origin} is not valid PEM: line {line}: {fault}")]
    Pem {
        /// The file.
        origin: Origin,
        /// Which line, from 1.
        line: usize,
        /// What is wrong, and the cure.
        fault: PemFault,
    },
    /// A file is DER, and not of one piece.
    #[error("{origin} is DER, and {problem}: get the file anew, or give PEM")]
    Der {
        /// The file.
        origin: Origin,
        /// What is wrong.
        problem: &'static str,
    },
    /// A file has something in it that is used for nothing.
    #[error("{origin}, line {line}: {found} among {expected}: {cure}")]
    Unexpected {
        /// The file.
        origin: Origin,
        /// The line it begins on, from 1.
        line: usize,
        /// What it is.
        found: String,
        /// What the file is for.
        expected: &'static str,
        /// What to do.
        cure: String,
    },
    /// OpenSSL's `TRUSTED CERTIFICATE` says what a certificate is to be trusted for, which only OpenSSL honours.
    #[error(
        "{origin}, line {line}: a `TRUSTED CERTIFICATE` with OpenSSL's own trust settings, which can't be honoured here: \
         write it without them with `{command}`"
    )]
    TrustSettings {
        /// The file.
        origin: Origin,
        /// The line it begins on, from 1.
        line: usize,
        /// The command that writes it without.
        command: String,
    },
    /// A file of certificates has none in it.
    #[error("{origin} has no certificate in it{}", or_else(instead, "BEGIN CERTIFICATE"))]
    NoCertificate {
        /// The file.
        origin: Origin,
        /// What it has instead, and the cure.
        instead: Option<String>,
    },
    /// A client CA's certificate does not parse. None of its neighbours is used either.
    #[error("certificate {index} (from 0) of {origin}{} can't be used as a client CA: {reason}", on_line(*line))]
    BadCertificate {
        /// The file.
        origin: Origin,
        /// Which one, from 0.
        index: usize,
        /// The line it begins on, from 1. `None` in DER.
        line: Option<usize>,
        /// What webpki says.
        reason: String,
    },
    /// A file of CRLs has none in it.
    #[error("{origin} has no CRL in it{}", or_else(instead, "BEGIN X509 CRL"))]
    NoCrl {
        /// The file.
        origin: Origin,
        /// What it has instead, and the cure.
        instead: Option<String>,
    },
    /// A CRL can't be read, or can't be judged and no other covers what it is for.
    #[error("CRL {index} (from 0) of {origin}, the {crl}, can't be used: {reason}")]
    BadCrl {
        /// The file.
        origin: Origin,
        /// Which one, from 0.
        index: usize,
        /// Its issuer, number and date, as far as they can be read: "CRL of CN=client CA, number 7, of 2026-11-25
        /// 04:05:06 UTC".
        crl: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The names of the client CAs do not fit into a `CertificateRequest` that clients can be relied on to take.
    #[error(
        "the names of the client CAs take {bytes} bytes, more than the {max} that every client takes in a \
         CertificateRequest: send none with `.without_root_hints()`"
    )]
    RootHintsTooLarge {
        /// Their size.
        bytes: usize,
        /// The largest that is sent.
        max: usize,
    },
    /// The process has no default crypto provider, and none was given.
    #[error(
        "no crypto provider: give one with `.provider(..)`, or install one for the process with \
         `rustls::crypto::aws_lc_rs::default_provider().install_default()`, or ring's"
    )]
    NoProvider,
    /// rustls cannot work with the provider.
    #[error("the crypto provider can't be used: {0}")]
    UnusableProvider(rustls::Error),
}

/// What a file has in place of what it should have.
pub(super) fn or_else(instead: &Option<String>, expected: &str) -> String {
    match instead {
        Some(instead) => format!(", but {instead}"),
        None => format!(": expected a PEM block `{expected}`, or DER"),
    }
}

pub(super) fn on_line(line: Option<usize>) -> String {
    line.map(|line| format!(", line {line},")).unwrap_or_default()
}

impl VerifierError {
    pub(in crate::tls) fn bad_crl(
        origin: Origin,
        index: usize,
        crl: &impl fmt::Display,
        reason: &impl fmt::Display,
    ) -> Self {
        Self::BadCrl { origin, index, crl: crl.to_string(), reason: reason.to_string() }
    }
}
