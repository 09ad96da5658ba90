//! The acceptor: from a stream of bytes to a TLS connection whose client is known.

mod accept;
mod accept_error;
mod captured;
mod endpoint;
mod from_cert;
mod linger;
mod plaintext;
mod refused;
mod report;
mod server_names;
mod standing;
mod trust_lost;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;

pub use self::accept_error::AcceptError;
pub use self::refused::{ClaimedCertificate, Refusal};
pub use self::server_names::ServerNames;
pub use self::trust_lost::TrustLost;

pub(crate) use self::accept::Failed;
pub(super) use self::endpoint::{Endpoint, Endpoints, Source};
use self::report::Reports;
use crate::peer::{PeerCertificates, TlsConnectInfo};
use crate::policy::ClientAuthPolicy;
use crate::telemetry;

/// Performs TLS handshakes and captures the certificates that clients present.
///
/// An acceptor is made from a [`ClientVerifier`](crate::ClientVerifier) and the server's certificate: one [in files](Self::from_files) or one [in
/// memory](Self::from_der). Anything else in the rustls configuration is set by a closure. For a configuration that was
/// made elsewhere there is [`new`](Self::new).
///
/// HTTP is offered by ALPN: `h2` and `http/1.1` with feature `http2`, `http/1.1` alone without. The closure may change
/// that.
///
/// Sessions are resumed, from the configuration's storage and by its tickets, only where a full handshake would end the
/// same way: see [below](#trust-over-time). Under a policy that asks for a certificate 0-RTT is off, whatever the
/// configuration says, since early data can be replayed.
///
/// Cloning an acceptor is cheap: it copies reference-counted pointers.
///
/// ```no_run
/// use tokio::net::TcpListener;
/// use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor};
///
/// # async fn serve(chain: Vec<rustls::pki_types::CertificateDer<'static>>, key: rustls::pki_types::PrivateKeyDer<'static>)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// let verifier = ClientAuthPolicy::VerifyClientCertIfGiven.verifier().roots_from_file("ca.pem").build()?;
/// let acceptor = ClientCertAcceptor::from_der(chain, key, verifier, |_| {})?;
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

    /// Returns the endpoint, if there is only one and it never changes.
    pub(super) fn plain(&self) -> Option<Arc<Endpoint>> {
        match &self.source {
            Source::Fixed(endpoints) => endpoints.only().cloned(),
            #[cfg(feature = "reload")]
            Source::Reloaded(_) => None,
        }
    }

    /// Sets how long a client may take from connecting to the end of the handshake. The default is 10 seconds.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Keeps the names in refused certificates out of the log: no subject, issuer or serial number is logged, and the
    /// certificate is identified by its SHA-256 alone.
    ///
    /// Names of people are personal data. A program still finds them in [`AcceptError::Refused`].
    #[must_use]
    pub fn without_names_in_log(mut self) -> Self {
        self.names_in_log = false;
        self
    }

    /// Returns the policy that this acceptor carries out. `None` if that depends on the name a client asks for.
    #[must_use]
    pub fn policy(&self) -> Option<ClientAuthPolicy> {
        let endpoints = self.source.current();
        let mut policies = endpoints.all().map(|endpoint| endpoint.verifier.policy());
        let first = policies.next()?;
        policies.all(|policy| policy == first).then_some(first)
    }

    /// Returns when the server's certificate expires: its `notAfter`, or the earliest if there are several
    /// certificates.
    ///
    /// Configurations that were passed to [`new`](Self::new) don't count, since rustls does not tell which certificate
    /// a configuration presents. `None` if there are no others.
    #[must_use]
    pub fn server_cert_not_after(&self) -> Option<UnixTime> {
        self.source
            .current()
            .all()
            .filter_map(|endpoint| Some(endpoint.server_cert.as_ref()?.not_after))
            .min()
    }

    /// Returns the server's own certificate, if there is only one. That of a configuration that was passed to
    /// [`new`](Self::new) does not count.
    #[must_use]
    pub fn server_cert(&self) -> Option<CertificateDer<'static>> {
        self.source.current().only()?.server_cert.as_ref()?.key.cert.first().cloned()
    }

    /// Returns when the first of the CRLs is out of date: see [`ClientVerifier::crl_next_update`](crate::ClientVerifier::crl_next_update).
    #[must_use]
    pub fn crl_next_update(&self) -> Option<UnixTime> {
        self.source.current().all().filter_map(|endpoint| endpoint.verifier.crl_next_update()).min()
    }

    /// Performs a handshake over any stream of bytes.
    ///
    /// On success, it returns tokio-rustls's own stream and what was found out about the client.
    ///
    /// A client that is refused gets an alert, and up to two seconds to read it. For that time the connection is kept
    /// open, and what the client still sends is discarded. Each refusal emits an event (feature `tracing`).
    ///
    /// # Errors
    ///
    /// Returns an error if the client is refused, is too slow, goes away, or does not speak TLS: see [`AcceptError`].
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

    /// Performs a handshake with a client whose address is known. An event about a handshake that fails has it as
    /// `peer`.
    ///
    /// `peer` may be anything that identifies the client.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`accept`](Self::accept).
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

    /// Performs a handshake. On failure, the caller reports the error and closes the connection.
    pub(crate) async fn try_accept<IO>(&self, io: IO) -> Result<(TlsStream<IO>, TlsConnectInfo), Failed<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let mut source = self.source.clone();
        // The deadline covers the whole handshake, which uses one set of endpoints from beginning to end.
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
    /// A certificate is checked when a connection is made, and a connection can live for days. The future resolves when
    /// a new handshake would be refused, or would no longer verify the client's certificate. Time brings this about
    /// when the certificate expires, when a CRL that covers it expires, or when a CRL that revokes it comes into force.
    /// A reload does when it brings in such a CRL, removes the CA, or tightens the policy of the name that the client
    /// asked for.
    ///
    /// The server should then drain the connection, with a deadline: a request can take as long as the client likes.
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
    /// hyper no longer manages a connection that was upgraded, to WebSocket for example: wait for this future in the
    /// task that has taken the connection over, too. `axum::serve` has no way to end a single connection.
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
