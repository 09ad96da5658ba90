//! The server's own certificate and key, from files; and all that can be wrong with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::CertifiedKey;

use super::file::FileRead;
use super::trust::{Origin, VerifierError, items};
use super::{certificate, validity};

/// What a server presents, and what it was read from.
#[derive(Debug)]
pub(super) struct ServerCert {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) not_after: UnixTime,
    #[cfg_attr(not(feature = "reload"), allow(dead_code))]
    pub(super) files: [FileRead; 2],
}

impl ServerCert {
    /// Takes nothing that is not whole: every certificate parses, and the key is that of the first.
    pub(super) fn read(chain: &Path, key: &Path, provider: &CryptoProvider) -> Result<Self, ServerCertError> {
        let (bytes, chain_file) = read(chain)?;
        let origin = Origin(Some(chain.to_owned()));
        let certificates: Vec<CertificateDer<'static>> = items(&origin, bytes)?;
        for (index, der) in certificates.iter().enumerate() {
            if certificate::public_key(der).is_none() {
                return Err(ServerCertError::NotACertificate { path: chain.to_owned(), index });
            }
        }
        let not_after = certificates.first().ok_or(VerifierError::NoCertificate { origin })?;
        let not_after = validity::not_after(not_after)
            .ok_or_else(|| ServerCertError::NotACertificate { path: chain.to_owned(), index: 0 })?;

        let (bytes, key_file) = read(key)?;
        let private = PrivateKeyDer::from_pem_slice(&bytes)
            .map_err(|source| ServerCertError::NoKey { path: key.to_owned(), source })?;
        let private = provider
            .key_provider
            .load_private_key(private)
            .map_err(|source| ServerCertError::BadKey { path: key.to_owned(), source })?;
        let certified = CertifiedKey::new(certificates, private);
        certified.keys_match().map_err(|source| ServerCertError::Mismatch {
            chain: chain.to_owned(),
            key: key.to_owned(),
            source,
        })?;
        Ok(Self { key: Arc::new(certified), not_after, files: [chain_file, key_file] })
    }
}

fn read(path: &Path) -> Result<(Vec<u8>, FileRead), VerifierError> {
    FileRead::read(path).map_err(|source| VerifierError::Read { path: path.to_owned(), source })
}

/// Why a server's certificate and key can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerCertError {
    /// A file can't be read or is not PEM, the chain's has no certificate in it, or the crypto provider can't be used.
    #[error(transparent)]
    Source(#[from] VerifierError),
    /// The chain has something else in it than certificates.
    #[error("certificate {index} (from 0) of {} is not an X.509 certificate", path.display())]
    NotACertificate {
        /// The file.
        path: PathBuf,
        /// Which one, from 0.
        index: usize,
    },
    /// There is no private key.
    #[error("{} has no private key in it: {source}; expected a PEM block `BEGIN PRIVATE KEY`", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// The crypto provider does not take the private key.
    #[error("the private key in {} can't be used: {source}", path.display())]
    BadKey {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The key is not that of the first certificate, or the provider can't tell, which is no reason to hope.
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
        /// What rustls says.
        source: rustls::Error,
    },
}
