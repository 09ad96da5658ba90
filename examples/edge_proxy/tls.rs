//! The TLS side, from the arguments to an acceptor; and all that can be wrong with the files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tower_client_cert::{
    ClientAuthPolicy, ClientCertAcceptor, ClientVerifier, ReloadError, Reloader, ServerCertError,
    VerifierError,
};

use crate::args::Args;
use crate::pki::Pki;

/// Why there is no acceptor. Each names the file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("--cert {}: {}", file.display(), reason(source, "certificate"))]
    Cert { file: PathBuf, source: pem::Error },
    #[error("--key {}: {}", file.display(), reason(source, "private key, or only an encrypted one"))]
    Key { file: PathBuf, source: pem::Error },
    #[error("--key {} does not belong to --cert {}", key.display(), cert.display())]
    Mismatch { cert: PathBuf, key: PathBuf },
    #[error("the server's certificate and key can't be used: {0}")]
    Unusable(#[source] rustls::Error),
    #[error("--client-ca or --client-crl: {0}")]
    Verifier(#[from] VerifierError),
    #[error(transparent)]
    ServerCert(#[from] ServerCertError),
    #[error(transparent)]
    Reload(#[from] ReloadError),
}

fn reason(error: &pem::Error, what: &str) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => format!("there is no {what} in it"),
        other => format!("not PEM: {other}"),
    }
}

/// A server's certificate with its issuers, and its key.
pub(crate) struct ServerIdentity {
    /// Never empty.
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ServerIdentity {
    pub(crate) fn from_files(provider: &CryptoProvider, cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = read_chain(cert).map_err(|source| TlsError::Cert { file: cert.to_owned(), source })?;
        let der = PrivateKeyDer::from_pem_file(key)
            .map_err(|source| TlsError::Key { file: key.to_owned(), source })?;
        match rustls::sign::CertifiedKey::from_der(chain.clone(), der.clone_key(), provider) {
            Ok(_) => Ok(Self { chain, key: der }),
            Err(rustls::Error::InconsistentKeys(_)) => {
                Err(TlsError::Mismatch { cert: cert.to_owned(), key: key.to_owned() })
            }
            Err(error) => Err(TlsError::Unusable(error)),
        }
    }

    pub(crate) fn of(pki: &Pki) -> Self {
        Self { chain: vec![pki.server.certificate.clone()], key: pki.server.key.clone_key() }
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.chain[0]
    }
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(file)?.collect::<Result<_, _>>()?;
    if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) }
}

/// An acceptor for the policy and the client CAs of the command line, and that of the throw-away PKI if there is one.
pub(crate) fn acceptor(
    provider: Arc<CryptoProvider>,
    args: &Args,
    pki: Option<&Pki>,
    server: ServerIdentity,
) -> Result<ClientCertAcceptor, TlsError> {
    let verifier = verifier(provider, args, pki)?;
    let mut config =
        verifier.server_config()?.with_single_cert(server.chain, server.key).map_err(TlsError::Unusable)?;
    offer_both_versions_of_http(&mut config);
    Ok(with_log(ClientCertAcceptor::new(config, verifier), args))
}

/// The same from files alone, again and again.
pub(crate) fn reloader(
    provider: Arc<CryptoProvider>,
    args: Args,
    cert: PathBuf,
    key: PathBuf,
) -> Result<Reloader, TlsError> {
    let load = move || -> Result<_, TlsError> {
        let verifier = verifier(Arc::clone(&provider), &args, None)?;
        let acceptor = ClientCertAcceptor::from_files(&cert, &key, verifier, offer_both_versions_of_http)?;
        Ok(with_log(acceptor, &args))
    };
    Ok(Reloader::new(load)?)
}

fn with_log(acceptor: ClientCertAcceptor, args: &Args) -> ClientCertAcceptor {
    if args.without_names_in_log { acceptor.without_names_in_log() } else { acceptor }
}

fn offer_both_versions_of_http(config: &mut ServerConfig) {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
}

fn verifier(
    provider: Arc<CryptoProvider>,
    args: &Args,
    pki: Option<&Pki>,
) -> Result<Arc<ClientVerifier>, VerifierError> {
    let policy: ClientAuthPolicy = args.client_auth;
    let mut verifier = policy.verifier().provider(provider);
    if let Some(max) = args.max_certificates {
        verifier = verifier.max_certificates(max.get());
    }
    if let Some(bytes) = args.max_certificate_size {
        verifier = verifier.max_certificate_size(bytes.get());
    }
    if args.without_root_hints {
        verifier = verifier.without_root_hints();
    }
    for file in &args.client_ca {
        verifier = verifier.roots_from_file(file);
    }
    for file in &args.client_crl {
        verifier = verifier.crls_from_file(file);
    }
    if let Some(pki) = pki {
        verifier = verifier.roots([pki.ca.clone()]);
        // Where there are CRLs, each CA needs one.
        if !args.client_crl.is_empty() {
            verifier = verifier.crls([pki.crl.clone()]);
        }
    }
    verifier.build()
}
