//! The TLS side, from the arguments to an acceptor; and all that can be wrong with the files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use tower_client_cert::{
    ClientAuthPolicy, ClientCertAcceptor, ClientVerifier, ReloadError, Reloader, ServerCertError,
    VerifierError,
};

use crate::args::Args;
use crate::pki::Pki;

/// Why there is no acceptor. Each names the file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("--client-ca, --client-intermediates or --client-crl: {0}")]
    Verifier(#[from] VerifierError),
    #[error("--cert or --key: {0}")]
    ServerCert(#[from] ServerCertError),
    #[error(transparent)]
    Reload(#[from] ReloadError),
}

/// An acceptor for the policy and the client CAs of the command line, and that of the throw-away PKI if there is one.
pub(crate) fn acceptor(
    provider: Arc<CryptoProvider>,
    args: &Args,
    pki: Option<&Pki>,
    cert: &Path,
    key: &Path,
) -> Result<ClientCertAcceptor, TlsError> {
    let verifier = verifier(provider, args, pki)?;
    let acceptor = ClientCertAcceptor::from_files(cert, key, verifier, |_| {})?;
    Ok(with_log(acceptor, args))
}

/// The same from files alone, again and again.
pub(crate) fn reloader(
    provider: Arc<CryptoProvider>,
    args: Args,
    cert: PathBuf,
    key: PathBuf,
) -> Result<Reloader, TlsError> {
    let load = move || acceptor(Arc::clone(&provider), &args, None, &cert, &key);
    Ok(Reloader::new(load)?)
}

fn with_log(acceptor: ClientCertAcceptor, args: &Args) -> ClientCertAcceptor {
    if args.without_names_in_log { acceptor.without_names_in_log() } else { acceptor }
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
    for file in &args.client_intermediates {
        verifier = verifier.intermediates_from_file(file);
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
