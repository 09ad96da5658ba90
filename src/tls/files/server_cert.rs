//! The server's own certificate and key, read from files, and all that can be wrong with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::CertifiedKey;

use super::chain;
use super::contents::{self, Unread};
use super::file::FileRead;
use super::origin::Origin;
use super::role::Role;
use super::verifier_error::{VerifierError, on_line, or_else};
use crate::x509::Certificate;

/// The server's certificate and key, and the files they were read from, if they were.
#[derive(Debug)]
pub(in crate::tls) struct ServerCert {
    pub(in crate::tls) key: Arc<CertifiedKey>,
    pub(in crate::tls) not_after: UnixTime,
    #[cfg_attr(not(feature = "reload"), allow(dead_code))]
    pub(in crate::tls) files: Vec<FileRead>,
}

impl ServerCert {
    /// Reads the files, and checks that every certificate parses and that the key belongs to the first.
    pub(in crate::tls) fn read(
        chain: &Path,
        key: &Path,
        provider: &CryptoProvider,
    ) -> Result<Self, ServerCertError> {
        let (bytes, chain_file) = read(chain)?;
        let origin = Origin(Some(chain.to_owned()));
        let placed = contents::certificates(&origin, Role::Chain, bytes)?;
        for (index, (der, line)) in placed.iter().enumerate() {
            if Certificate::presented(der).is_none() {
                return Err(ServerCertError::NotACertificate { path: chain.to_owned(), index, line: *line });
            }
        }

        let (bytes, key_file) = read(key)?;
        let private = private_key(&Origin(Some(key.to_owned())), bytes)?;
        let private = provider
            .key_provider
            .load_private_key(private)
            .map_err(|source| ServerCertError::BadKey { path: key.to_owned(), source })?;

        // This comes before the check of the key, whose parser accepts version 3 only and would give a worse error.
        let version =
            placed.first().and_then(|(leaf, _)| Certificate::read(leaf).ok()).map(|leaf| leaf.version);
        if let Some(version @ 1..=2) = version {
            return Err(ServerCertError::Version { path: chain.to_owned(), version });
        }
        let is_of = |leaf: &CertificateDer<'static>| {
            CertifiedKey::new(vec![leaf.clone()], Arc::clone(&private)).keys_match()
        };
        let (certificates, lines): (Vec<_>, Vec<_>) = placed.into_iter().unzip();
        let leaf = certificates
            .first()
            .ok_or(VerifierError::NoCertificate { origin: origin.clone(), instead: None })?;
        let not_after = not_after(leaf).ok_or_else(|| ServerCertError::NotACertificate {
            path: chain.to_owned(),
            index: 0,
            line: None,
        })?;
        if let Err(source) = is_of(leaf) {
            return Err(match certificates.iter().position(|certificate| is_of(certificate).is_ok()) {
                Some(leaf) => ServerCertError::WrongOrder {
                    path: chain.to_owned(),
                    right: chain::order(&certificates, leaf)
                        .into_iter()
                        .filter_map(|index| lines.get(index).copied().flatten())
                        .collect(),
                },
                None => ServerCertError::Mismatch { chain: chain.to_owned(), key: key.to_owned(), source },
            });
        }
        chain::warn_of_strangers(&origin, &certificates, &lines);
        let certified = CertifiedKey::new(certificates, private);
        Ok(Self { key: Arc::new(certified), not_after, files: vec![chain_file, key_file] })
    }

    /// Takes a certificate and key that are in memory, and checks that they belong together.
    pub(in crate::tls) fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: &CryptoProvider,
    ) -> Result<Self, ServerCertError> {
        let key = CertifiedKey::from_der(chain, key, provider)
            .map_err(|source| ServerCertError::Unusable { source })?;
        let not_after = key.cert.first().and_then(not_after).ok_or(ServerCertError::Unusable {
            source: rustls::Error::InvalidCertificate(rustls::CertificateError::BadEncoding),
        })?;
        Ok(Self { key: Arc::new(key), not_after, files: Vec::new() })
    }
}

fn not_after(certificate: &CertificateDer<'_>) -> Option<UnixTime> {
    let [_, until] = Certificate::read(certificate).ok()?.validity?;
    Some(until.to_unix())
}

fn read(path: &Path) -> Result<(Vec<u8>, FileRead), VerifierError> {
    FileRead::read(path).map_err(|source| VerifierError::Read { path: path.to_owned(), source })
}

/// Reads the only private key in a file.
fn private_key(origin: &Origin, bytes: Vec<u8>) -> Result<PrivateKeyDer<'static>, ServerCertError> {
    let items = contents::items(origin, Role::Key, bytes).map_err(|unread| match unread {
        Unread::Nothing { instead } => ServerCertError::NoKey { origin: origin.clone(), instead },
        Unread::Refused(error) => error.into(),
    })?;
    let mut items = items.into_iter();
    let (first, second) = (items.next(), items.next());
    if let Some(second) = second {
        let lines = [first.and_then(|first| first.line), second.line].map(Option::unwrap_or_default);
        return Err(ServerCertError::TwoKeys { origin: origin.clone(), lines });
    }
    let key = first.and_then(|first| PrivateKeyDer::try_from(first.der).ok());
    key.ok_or_else(|| ServerCertError::UnreadableKey { origin: origin.clone() })
}

/// Explains why a server's certificate and key can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerCertError {
    /// A file can't be read or is not PEM, the chain's file has no certificate in it, or the crypto provider can't be
    /// used.
    #[error(transparent)]
    Source(#[from] VerifierError),
    /// The chain has something in it that is not a certificate.
    #[error("certificate {index} (from 0) of {}{} is not an X.509 certificate", path.display(), on_line(*line))]
    NotACertificate {
        /// The file.
        path: PathBuf,
        /// The position of the certificate, counted from 0.
        index: usize,
        /// The line on which it begins, counted from 1. `None` for DER.
        line: Option<usize>,
    },
    /// The server's certificate is X.509 version 1 or 2. These have no extensions, and so no names that clients check.
    #[error(
        "the server's certificate in {} is X.509 version {version}, which TLS clients refuse: issue it anew with \
         extensions, as version 3, with `openssl x509 -req -extfile <(echo subjectAltName=DNS:name.example) …`",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version of the certificate: 1 or 2.
        version: u8,
    },
    /// The server's own certificate is not the first.
    #[error(
        "the certificates in {} are in the wrong order, since the private key belongs to the one on line {}: put the \
         server's own first, then its issuers, by the lines they begin on: {}",
        path.display(),
        right.first().copied().unwrap_or_default(),
        right.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    WrongOrder {
        /// The file.
        path: PathBuf,
        /// The lines on which the certificates begin, counted from 1, in the right order.
        right: Vec<usize>,
    },
    /// There is no private key in the file.
    #[error("{origin} has no private key in it{}", or_else(instead, "BEGIN PRIVATE KEY"))]
    NoKey {
        /// The file.
        origin: Origin,
        /// What the file has instead, with the cure.
        instead: Option<String>,
    },
    /// There is more than one private key in the file.
    #[error(
        "{origin} has more than one private key in it, on line {} and on line {}: leave the one that belongs to the \
         server's certificate",
        lines[0],
        lines[1]
    )]
    TwoKeys {
        /// The file.
        origin: Origin,
        /// The lines on which the first two begin, counted from 1.
        lines: [usize; 2],
    },
    /// The private key is in none of the formats that can be read.
    #[error(
        "the private key in {origin} is none: it is neither PKCS#8 nor PKCS#1 nor SEC1, get the file anew"
    )]
    UnreadableKey {
        /// The file.
        origin: Origin,
    },
    /// The crypto provider does not accept the private key.
    #[error("the private key in {} can't be used: {source}", path.display())]
    BadKey {
        /// The file.
        path: PathBuf,
        /// Why it does not.
        source: rustls::Error,
    },
    /// A certificate and key that are in memory are not fit for use, or do not belong together.
    #[error("the server's certificate and private key can't be used: {source}")]
    Unusable {
        /// Why they can't.
        source: rustls::Error,
    },
    /// The private key does not belong to the first certificate, or the provider can't tell whether it does.
    #[error(
        "the private key in {} does not belong to the first certificate in {}: {source}",
        key.display(),
        chain.display()
    )]
    Mismatch {
        /// The file of the certificates.
        chain: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// The error of rustls.
        source: rustls::Error,
    },
}
