//! Where an acceptor comes from: a certificate in files or in memory, or a configuration that has one.

use std::path::Path;
use std::sync::{Arc, Once};

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SingleCertAndKey;

use super::{ClientCertAcceptor, Endpoint, Endpoints};
use crate::host::HostMap;
use crate::tls::files::{ServerCert, ServerCertError};
use crate::tls::sessions;
use crate::tls::verifier::ClientVerifier;

impl ClientCertAcceptor {
    /// Makes an acceptor for a configuration that was started with
    /// [`verifier.server_config()`](ClientVerifier::server_config), and its verifier.
    ///
    /// rustls does not tell which verifier a configuration has. So if the two do not belong together, this is no error:
    /// every handshake fails, with [`AcceptError::ForeignConfig`](crate::AcceptError::ForeignConfig). With [`from_files`](Self::from_files) and
    /// [`from_der`](Self::from_der) that can't happen. The configuration's ALPN is left as it is.
    ///
    /// The configuration's `session_storage` and `ticketer` are wrapped, and the sessions in them are bound to the
    /// verifier. Both may be shared with other configurations, whatever the verifiers of those.
    #[must_use]
    pub fn new(config: impl Into<Arc<ServerConfig>>, verifier: Arc<ClientVerifier>) -> Self {
        Self::with_cert(Arc::unwrap_or_clone(config.into()), verifier, None)
    }

    /// Makes an acceptor that presents a certificate from files.
    ///
    /// `chain` holds the certificate chain in PEM, the server's own certificate first, or that certificate alone in
    /// DER; `key` holds its private key in PEM or DER. Both may be the same file. `configure` changes anything else in
    /// the configuration, which starts as rustls's default, with HTTP in `alpn_protocols`.
    ///
    /// The files may also hold what such files customarily do. Anything else in them is an error, and nothing is
    /// ignored silently: see the [crate's documentation](crate#files).
    ///
    /// Unlike one from [`new`](Self::new), this acceptor knows its certificate: it can tell [when the certificate
    /// expires](Self::server_cert_not_after), and `Reloader::watch` notices when the files change (feature `reload`).
    ///
    /// ```no_run
    /// use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor};
    ///
    /// let verifier = ClientAuthPolicy::VerifyClientCertIfGiven.verifier().roots_from_file("ca.pem").build()?;
    /// let acceptor = ClientCertAcceptor::from_files("tls.crt", "tls.key", verifier, |config| {
    ///     config.session_storage = rustls::server::ServerSessionMemoryCache::new(10_000);
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if a file can't be read or is incomplete, or if the key is not the certificate's. See
    /// [`ServerCertError`].
    pub fn from_files(
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
        verifier: Arc<ClientVerifier>,
        configure: impl FnOnce(&mut ServerConfig),
    ) -> Result<Self, ServerCertError> {
        let cert = ServerCert::read(chain.as_ref(), key.as_ref(), verifier.provider())?;
        Self::presenting(cert, verifier, configure)
    }

    /// Makes an acceptor that presents a certificate in memory: the chain, with the server's own certificate first, and
    /// its private key.
    ///
    /// `configure` changes anything else in the configuration, as with [`from_files`](Self::from_files).
    ///
    /// ```no_run
    /// use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    /// use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor};
    ///
    /// # fn from_env() -> Result<ClientCertAcceptor, Box<dyn std::error::Error>> {
    /// let pem = std::env::var("SERVER_PEM")?;
    /// let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>()?;
    /// let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())?;
    /// let verifier = ClientAuthPolicy::VerifyClientCertIfGiven.verifier().roots_from_file("ca.pem").build()?;
    /// let acceptor = ClientCertAcceptor::from_der(chain, key, verifier, |_| {})?;
    /// # Ok(acceptor)
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ServerCertError::Unusable`] if there is no certificate, if the first is not fit for use, or if the key
    /// is not the first certificate's.
    pub fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        verifier: Arc<ClientVerifier>,
        configure: impl FnOnce(&mut ServerConfig),
    ) -> Result<Self, ServerCertError> {
        let cert = ServerCert::from_der(chain, key, verifier.provider())?;
        Self::presenting(cert, verifier, configure)
    }

    fn presenting(
        cert: ServerCert,
        verifier: Arc<ClientVerifier>,
        configure: impl FnOnce(&mut ServerConfig),
    ) -> Result<Self, ServerCertError> {
        let resolver = Arc::new(SingleCertAndKey::from(Arc::clone(&cert.key)));
        let mut config = verifier.server_config()?.with_cert_resolver(resolver);
        if cfg!(feature = "http2") {
            config.alpn_protocols.push(b"h2".to_vec());
        }
        config.alpn_protocols.push(b"http/1.1".to_vec());
        configure(&mut config);
        Ok(Self::with_cert(config, verifier, Some(cert)))
    }

    fn with_cert(
        mut config: ServerConfig,
        verifier: Arc<ClientVerifier>,
        server_cert: Option<ServerCert>,
    ) -> Self {
        sessions::guard(&mut config, &verifier);
        if verifier.policy().requests() {
            config.max_early_data_size = 0;
            config.send_half_rtt_data = false;
        }
        let endpoint =
            Endpoint { config: Arc::new(config), verifier, server_cert, own_fault_reported: Once::new() };
        Self::serving(Endpoints::new(HostMap::new(Some(Arc::new(endpoint)))))
    }
}
