//! From a stream of bytes to a TLS connection whose client is known.

mod accept;
mod accept_error;
mod captured;
mod endpoint;
mod linger;
mod plaintext;
mod refused;
mod report;
mod server_names;
mod standing;
mod trust_lost;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Once};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;

pub use self::accept_error::AcceptError;
pub use self::refused::{ClaimedCertificate, Refusal};
pub use self::server_names::ServerNames;
pub use self::trust_lost::TrustLost;

pub(crate) use self::accept::Failed;
pub(super) use self::endpoint::{Endpoint, Endpoints, Source};
use self::report::Reports;
use super::files::{ServerCert, ServerCertError};
use super::sessions;
use super::verifier::ClientVerifier;
use crate::host::HostMap;
use crate::peer::{PeerCertificates, TlsConnectInfo};
use crate::policy::ClientAuthPolicy;
use crate::telemetry;

/// Shakes hands with a client and captures the certificates it presents.
///
/// It is made of a rustls configuration and of the [`ClientVerifier`] in it, since rustls does not tell which verifier
/// a configuration has; if the two do not belong together, every handshake fails with an error that says so.
///
/// Sessions are resumed, from the configuration's storage and by its tickets, where a full handshake would end the same
/// way: see [below](#trust-over-time). Where a certificate is asked for there is no 0-RTT, whatever the configuration
/// says: it can be replayed.
///
/// A clone is a reference count.
///
/// ```no_run
/// use tokio::net::TcpListener;
/// use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor};
///
/// # async fn serve(chain: Vec<rustls::pki_types::CertificateDer<'static>>, key: rustls::pki_types::PrivateKeyDer<'static>)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// let verifier = ClientAuthPolicy::VerifyClientCertIfGiven.verifier().roots_from_file("ca.pem").build()?;
/// let config = verifier.server_config()?.with_single_cert(chain, key)?;
/// let acceptor = ClientCertAcceptor::new(config, verifier);
///
/// let listener = TcpListener::bind("127.0.0.1:8443").await?;
/// loop {
///     let (tcp, address) = listener.accept().await?;
///     let acceptor = acceptor.clone();
///     tokio::spawn(async move {
///         match acceptor.accept(tcp).await {
///             Ok((_stream, info)) => println!("{address}: {:?}", info.peer_certificates()),
///             Err(error) => println!("{address}: {error}"),
///         }
///     });
/// }
/// # }
/// ```
///
#[doc = include_str!("../../docs/trust_over_time.md")]
#[derive(Clone)]
pub struct ClientCertAcceptor {
    pub(super) source: Source,
    pub(super) handshake_timeout: Duration,
    pub(super) names_in_log: bool,
    pub(super) reports: Arc<Reports>,
}

impl ClientCertAcceptor {
    /// An acceptor for this configuration, which [`verifier.server_config()`](ClientVerifier::server_config) began.
    ///
    /// Its `session_storage` and its `ticketer` are wrapped: the sessions in them are bound to the verifier. Both may
    /// be shared with other configurations, whatever their verifiers.
    #[must_use]
    pub fn new(config: impl Into<Arc<ServerConfig>>, verifier: Arc<ClientVerifier>) -> Self {
        Self::with_cert(Arc::unwrap_or_clone(config.into()), verifier, None)
    }

    /// An acceptor that presents a certificate from files: the chain in PEM, the server's own certificate first, and
    /// its private key in PEM; or each in DER. Both may be one file. `configure` changes what else there is in the
    /// configuration, which is rustls' default.
    ///
    /// Nothing in the files is passed over but what is customary there: see the [crate's documentation](crate#files).
    ///
    /// Unlike [`new`](Self::new) it knows the certificate: it can tell [when it
    /// expires](Self::server_cert_not_after), and `Reloader::watch` notices when the files change (feature `reload`).
    ///
    /// ```no_run
    /// use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor};
    ///
    /// let verifier = ClientAuthPolicy::VerifyClientCertIfGiven.verifier().roots_from_file("ca.pem").build()?;
    /// let acceptor = ClientCertAcceptor::from_files("tls.crt", "tls.key", verifier, |config| {
    ///     config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a file can't be read or is not whole, or the key is not that of the certificate. See [`ServerCertError`].
    pub fn from_files(
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
        verifier: Arc<ClientVerifier>,
        configure: impl FnOnce(&mut ServerConfig),
    ) -> Result<Self, ServerCertError> {
        let cert = ServerCert::read(chain.as_ref(), key.as_ref(), verifier.provider())?;
        let resolver = Arc::new(SingleCertAndKey::from(Arc::clone(&cert.key)));
        let mut config = verifier.server_config()?.with_cert_resolver(resolver);
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
        let endpoint = Endpoint { config: Arc::new(config), verifier, server_cert, faulted: Once::new() };
        Self::serving(Endpoints::new(HostMap::new(Some(Arc::new(endpoint)))))
    }

    pub(super) fn serving(endpoints: Endpoints) -> Self {
        Self::from_source(Source::Fixed(Arc::new(endpoints)))
    }

    pub(super) fn from_source(source: Source) -> Self {
        Self {
            source,
            handshake_timeout: Duration::from_secs(10),
            names_in_log: true,
            reports: Arc::default(),
        }
    }

    /// What it serves, if it serves the same whatever the name, and always.
    pub(super) fn plain(&self) -> Option<Arc<Endpoint>> {
        match &self.source {
            Source::Fixed(endpoints) => endpoints.only().cloned(),
            #[cfg(feature = "reload")]
            Source::Reloaded(_) => None,
        }
    }

    /// How long a client may take from connecting to the end of the handshake: 10 seconds unless set.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Do not log whose certificates are refused: of subject, issuer and serial number nothing, and of the certificate
    /// its SHA-256 alone.
    ///
    /// Names of people are personal data. They are still in [`AcceptError::Refused`], for whoever asks for them.
    #[must_use]
    pub fn without_names_in_log(mut self) -> Self {
        self.names_in_log = false;
        self
    }

    /// The policy it carries out. `None` if that depends on the name a client asks for.
    #[must_use]
    pub fn policy(&self) -> Option<ClientAuthPolicy> {
        let endpoints = self.source.current();
        let mut policies = endpoints.all().map(|endpoint| endpoint.verifier.policy());
        let first = policies.next()?;
        policies.all(|policy| policy == first).then_some(first)
    }

    /// When the server's certificate expires, by its `notAfter`: the first to expire, if there are several. `None` for
    /// those that [`new`](Self::new) was given, since rustls does not tell what certificate a configuration presents.
    #[must_use]
    pub fn server_cert_not_after(&self) -> Option<UnixTime> {
        self.source
            .current()
            .all()
            .filter_map(|endpoint| Some(endpoint.server_cert.as_ref()?.not_after))
            .min()
    }

    /// The server's own certificate, where [`from_files`](Self::from_files) read it and there is one only.
    #[must_use]
    pub fn server_cert(&self) -> Option<CertificateDer<'static>> {
        self.source.current().only()?.server_cert.as_ref()?.key.cert.first().cloned()
    }

    /// When the first of the CRLs is out of date: see [`ClientVerifier::crl_next_update`].
    #[must_use]
    pub fn crl_next_update(&self) -> Option<UnixTime> {
        self.source.current().all().filter_map(|endpoint| endpoint.verifier.crl_next_update()).min()
    }

    /// Shakes hands over any stream of bytes.
    ///
    /// The stream that comes back is tokio-rustls' own; what was found out about the client comes beside it.
    ///
    /// A client that is refused gets an alert, and up to two seconds to take it: so long its connection is kept open,
    /// and what it still sends is read and thrown away. That it was is an event (feature `tracing`).
    ///
    /// # Errors
    ///
    /// If the client is refused, is too slow, goes away or does not speak TLS: see [`AcceptError`].
    pub async fn accept<IO>(&self, io: IO) -> Result<(TlsStream<IO>, TlsConnectInfo), AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        match self.try_accept(io).await {
            Ok(accepted) => Ok(accepted),
            Err(failed) => {
                self.report(&failed, None);
                Err(failed.part().await)
            }
        }
    }

    /// The same with a client whose address, or whatever else there is to call it by, is known: the event about a
    /// handshake that fails has it as `peer`.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub async fn accept_from<IO>(
        &self,
        io: IO,
        peer: impl fmt::Debug,
    ) -> Result<(TlsStream<IO>, TlsConnectInfo), AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        match self.try_accept(io).await {
            Ok(accepted) => Ok(accepted),
            Err(failed) => {
                self.report(&failed, Some(&peer));
                Err(failed.part().await)
            }
        }
    }

    /// Shakes hands, and leaves it to the caller to report a failure and to part with the client.
    pub(crate) async fn try_accept<IO>(&self, io: IO) -> Result<(TlsStream<IO>, TlsConnectInfo), Failed<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let mut source = self.source.clone();
        // One deadline for both halves, and one set of endpoints.
        let endpoints = source.current_and_mark_seen();
        let mut accepted =
            tokio::time::timeout(self.handshake_timeout, accept::shake_hands(&endpoints, source, io))
                .await
                .unwrap_or_else(|_| Err(AcceptError::Timeout { after: self.handshake_timeout }.into()));
        if let Err(failed) = &mut accepted {
            failed.linger = self.handshake_timeout;
        }
        telemetry::handshake(match &accepted {
            Ok((_, info)) => Ok(match info.peer_certificates().map(PeerCertificates::is_verified) {
                None => "none",
                Some(true) => "verified",
                Some(false) => "unverified",
            }),
            Err(failed) => Err(failed.error.label()),
        });
        accepted
    }

    /// Waits until a connection's certificate is no longer worth what it was: for ever, if that does not happen.
    ///
    /// A certificate is checked when a connection is made, and a connection can live for days. This resolves when a
    /// handshake would now be refused, or a certificate that was verified would not be: since it has expired, a CRL that
    /// speaks for it has, or a CRL with it on it has begun; or since a reload brought in such a CRL, removed its CA, or
    /// tightened the policy of the name that the client asked for. It is the moment to drain the connection, for a
    /// while: a request can take as long as the client likes.
    ///
    /// ```no_run
    /// use hyper_util::rt::{TokioExecutor, TokioIo};
    /// use hyper_util::server::conn::auto;
    /// use hyper_util::service::TowerToHyperService;
    /// use tower::Layer;
    /// use tower_client_cert::ClientCertAcceptor;
    ///
    /// # async fn serve(acceptor: ClientCertAcceptor, app: axum::Router, tcp: tokio::net::TcpStream)
    /// # -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let (stream, info) = acceptor.accept(tcp).await?;
    /// let service = TowerToHyperService::new(info.layer(app));
    /// let server = auto::Builder::new(TokioExecutor::new());
    /// let mut connection = std::pin::pin!(server.serve_connection_with_upgrades(TokioIo::new(stream), service));
    /// tokio::select! {
    ///     result = connection.as_mut() => return result,
    ///     lost = acceptor.trust_lost(&info) => println!("draining a connection: {lost}"),
    /// }
    /// connection.as_mut().graceful_shutdown();
    /// tokio::time::timeout(std::time::Duration::from_secs(10), connection).await?
    /// # }
    /// ```
    ///
    /// A connection that was upgraded, to WebSocket for example, is out of hyper's hands: wait for this in the task that
    /// has it, too. `axum::serve` has no way to end one connection.
    pub fn trust_lost(&self, info: &TlsConnectInfo) -> impl Future<Output = TrustLost> + Send + 'static {
        trust_lost::wait(self.source.clone(), info.clone())
    }

    pub(crate) fn report<IO>(&self, failed: &Failed<IO>, peer: Option<&dyn fmt::Debug>) {
        self.reports.failed(&failed.error, peer, self.names_in_log);
    }
}

impl fmt::Debug for ClientCertAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertAcceptor")
            .field("policy", &self.policy())
            .field("handshake_timeout", &self.handshake_timeout)
            .finish_non_exhaustive()
    }
}
