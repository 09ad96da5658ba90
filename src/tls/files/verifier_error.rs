//! All that can be wrong with the settings and files of a verifier.

use std::fmt;
use std::path::PathBuf;

use super::fault::PemFault;
use super::origin::Origin;
use crate::policy::ClientAuthPolicy;

/// Explains why a verifier can't be built. Each error names the file, or says that the program passed the value itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifierError {
    /// The policy verifies, and there is no client CA to verify with.
    #[error(
        "{policy} needs the certificate of at least one client CA: add it with `.roots_from_file(\"ca.pem\")`"
    )]
    NoRoots {
        /// The policy that verifies.
        policy: ClientAuthPolicy,
    },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why it could not be read.
        source: std::io::Error,
    },
    /// A file is not PEM, is cut off, or has something in it that may have been meant as PEM.
    #[error("{origin} is not valid PEM: line {line}: {fault}")]
    Pem {
        /// The file.
        origin: Origin,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong, with the cure.
        fault: PemFault,
    },
    /// A file is DER, and is cut off or has something after its end.
    #[error("{origin} is DER, and {problem}: get the file anew, or give PEM")]
    Der {
        /// The file.
        origin: Origin,
        /// What is wrong.
        problem: &'static str,
    },
    /// A file has something in it that does not belong in such a file.
    #[error("{origin}, line {line}: {found} among {expected}: {cure}")]
    Unexpected {
        /// The file.
        origin: Origin,
        /// The line on which it begins, counted from 1.
        line: usize,
        /// What it is.
        found: String,
        /// What the file is for.
        expected: &'static str,
        /// What to do about it.
        cure: String,
    },
    /// A file has a `TRUSTED CERTIFICATE` whose settings say what it is trusted for. Only OpenSSL can honour these.
    #[error(
        "{origin}, line {line}: a `TRUSTED CERTIFICATE` with OpenSSL's own trust settings, which can't be honoured here: \
         write it without them with `{command}`"
    )]
    TrustSettings {
        /// The file.
        origin: Origin,
        /// The line on which it begins, counted from 1.
        line: usize,
        /// The command that writes the certificate without its settings.
        command: String,
    },
    /// A file of certificates has no certificate in it.
    #[error("{origin} has no certificate in it{}", or_else(instead, "BEGIN CERTIFICATE"))]
    NoCertificate {
        /// The file.
        origin: Origin,
        /// What the file has instead, with the cure.
        instead: Option<String>,
    },
    /// A client CA's certificate does not parse. No other certificate of the file is used either.
    #[error("certificate {index} (from 0) of {origin}{} can't be used as a client CA: {reason}", on_line(*line))]
    BadCertificate {
        /// The file.
        origin: Origin,
        /// The position of the certificate, counted from 0.
        index: usize,
        /// The line on which it begins, counted from 1. `None` for DER.
        line: Option<usize>,
        /// The error of webpki.
        reason: String,
    },
    /// A certificate can't be that of an intermediate CA. None of its neighbours is used either.
    #[error("certificate {index} (from 0) of {origin}{} can't be used as an intermediate CA: {reason}", on_line(*line))]
    BadIntermediate {
        /// The file.
        origin: Origin,
        /// Which one, from 0.
        index: usize,
        /// The line it begins on, from 1. `None` in DER.
        line: Option<usize>,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// A file of CRLs has no CRL in it.
    #[error("{origin} has no CRL in it{}", or_else(instead, "BEGIN X509 CRL"))]
    NoCrl {
        /// The file.
        origin: Origin,
        /// What the file has instead, with the cure.
        instead: Option<String>,
    },
    /// A CRL can't be read; or it can't say that a certificate is good, and no other CRL covers its scope.
    #[error("CRL {index} (from 0) of {origin}, the {crl}, can't be used: {reason}")]
    BadCrl {
        /// The file.
        origin: Origin,
        /// The position of the CRL, counted from 0.
        index: usize,
        /// The CRL's issuer, number and date, as far as they can be read: "CRL of CN=client CA, number 7, of 2026-11-25
        /// 04:05:06 UTC".
        crl: String,
        /// Why it can't be used, and what to do about it.
        reason: String,
    },
    /// The names of the client CAs are too long for a `CertificateRequest` that all common clients accept.
    #[error(
        "the names of the client CAs take {bytes} bytes, more than the {max} that every client takes in a \
         CertificateRequest: send none with `.without_root_hints()`"
    )]
    RootHintsTooLarge {
        /// The length of the names, in bytes.
        bytes: usize,
        /// The greatest length that is sent.
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

/// Formats what a file has instead of what it should have.
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
