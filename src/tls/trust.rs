//! Roots and CRLs: from files, PEM or DER, into what webpki takes; and all that can be wrong with them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};

use super::crl::{Given, Roots};
use super::file::FileRead;
use crate::policy::ClientAuthPolicy;

/// Where certificates come from; read when the verifier is built.
#[derive(Clone, Debug)]
pub(super) enum RootSource {
    Bytes(Bytes),
    Certificates(Vec<CertificateDer<'static>>),
    Store(Arc<RootCertStore>),
}

/// Where CRLs come from; read when the verifier is built.
#[derive(Clone, Debug)]
pub(super) enum CrlSource {
    Bytes(Bytes),
    Crls(Vec<CertificateRevocationListDer<'static>>),
}

#[derive(Clone, Debug)]
pub(super) enum Bytes {
    File(PathBuf),
    Given(Vec<u8>),
}

impl Bytes {
    fn read(self, files: &mut Vec<FileRead>) -> Result<(Origin, Vec<u8>), VerifierError> {
        match self {
            Self::File(path) => match FileRead::read(&path) {
                Ok((bytes, file)) => {
                    files.push(file);
                    Ok((Origin(Some(path)), bytes))
                }
                Err(source) => Err(VerifierError::Read { path, source }),
            },
            Self::Given(bytes) => Ok((Origin(None), bytes)),
        }
    }
}

impl RootSource {
    pub(super) fn load(self, files: &mut Vec<FileRead>, roots: &mut Roots) -> Result<(), VerifierError> {
        let (origin, certificates) = match self {
            Self::Store(store) => {
                store.roots.iter().for_each(|anchor| roots.add(anchor.clone(), None));
                return Ok(());
            }
            Self::Certificates(certificates) => (Origin(None), certificates),
            Self::Bytes(bytes) => {
                let (origin, bytes) = bytes.read(files)?;
                let certificates = items(&origin, bytes)?;
                if certificates.is_empty() {
                    return Err(VerifierError::NoCertificate { origin });
                }
                (origin, certificates)
            }
        };
        for (index, certificate) in certificates.into_iter().enumerate() {
            let anchor = match webpki::anchor_from_trusted_cert(&certificate) {
                Ok(anchor) => anchor.to_owned(),
                Err(error) => {
                    let reason = error.to_string();
                    return Err(VerifierError::BadCertificate { origin, index, reason });
                }
            };
            roots.add(anchor, Some(certificate));
        }
        Ok(())
    }
}

impl CrlSource {
    pub(super) fn load(self, files: &mut Vec<FileRead>) -> Result<Vec<Given>, VerifierError> {
        let (origin, crls) = match self {
            Self::Crls(crls) => (Origin(None), crls),
            Self::Bytes(bytes) => {
                let (origin, bytes) = bytes.read(files)?;
                let crls = items(&origin, bytes)?;
                if crls.is_empty() {
                    return Err(VerifierError::NoCrl { origin });
                }
                (origin, crls)
            }
        };
        let given = |(index, der)| Given { origin: origin.clone(), index, der };
        Ok(crls.into_iter().enumerate().map(given).collect())
    }
}

/// All items of one kind in a PEM file, or the one that is the whole of a DER file.
///
/// rustls' reader takes half a first line of a block for text between blocks. It is the mark of a file half written.
pub(super) fn items<T: PemObject + From<Vec<u8>>>(
    origin: &Origin,
    bytes: Vec<u8>,
) -> Result<Vec<T>, VerifierError> {
    const SEQUENCE: u8 = 0x30; // and `0` in ASCII, with which no line of a PEM file's armour begins
    if bytes.first() == Some(&SEQUENCE) {
        return Ok(vec![T::from(bytes)]);
    }
    let last_line = bytes.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    if !last_line.is_empty() && b"-----BEGIN ".starts_with(last_line) {
        let source = pem::Error::IllegalSectionStart { line: last_line.to_owned() };
        return Err(VerifierError::Pem { origin: origin.clone(), source });
    }
    T::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|source| VerifierError::Pem { origin: origin.clone(), source })
}

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
    /// A file is not PEM, or is cut off.
    #[error("{origin} is not valid PEM: {source}")]
    Pem {
        /// The file.
        origin: Origin,
        /// Why.
        source: pem::Error,
    },
    /// A file of client CAs has no certificate in it.
    #[error("{origin} has no certificate in it: expected a PEM block `BEGIN CERTIFICATE`, or DER")]
    NoCertificate {
        /// The file.
        origin: Origin,
    },
    /// A client CA's certificate does not parse. None of its neighbours is used either.
    #[error("certificate {index} (from 0) of {origin} can't be used as a client CA: {reason}")]
    BadCertificate {
        /// The file.
        origin: Origin,
        /// Which one, from 0.
        index: usize,
        /// What webpki says.
        reason: String,
    },
    /// A file of CRLs has none in it.
    #[error("{origin} has no CRL in it: expected a PEM block `BEGIN X509 CRL`, or DER")]
    NoCrl {
        /// The file.
        origin: Origin,
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

impl VerifierError {
    pub(super) fn bad_crl(
        origin: Origin,
        index: usize,
        crl: &impl fmt::Display,
        reason: &impl fmt::Display,
    ) -> Self {
        Self::BadCrl { origin, index, crl: crl.to_string(), reason: reason.to_string() }
    }
}

/// The file that certificates or CRLs came from, if they came from one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(pub(super) Option<PathBuf>);

impl Origin {
    /// The file. `None` if the program gave the bytes itself.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.as_deref()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(path) => path.display().fmt(f),
            None => f.write_str("the value given to the builder"),
        }
    }
}
