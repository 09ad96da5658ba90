use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::Acceptor;
use rustls::sign::SingleCertAndKey;
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::endpoint::{Endpoint, Endpoints, Source};
use super::handshake::{self, Observed};
use super::server_cert::{ServerCert, ServerCertError};
use super::server_names::ServerNames;
use super::standing::ByNow;
use super::verifier::{ChainError, ClientVerifier};
use super::{plaintext, sessions};
use crate::host::HostMap;
use crate::peer::{PeerCertificates, TlsConnectInfo, TlsVersion, Verification};
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
#[doc = include_str!("../docs/trust_over_time.md")]
#[derive(Clone)]
pub struct ClientCertAcceptor {
    pub(super) source: Source,
    pub(super) handshake_timeout: Duration,
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

    /// Starts an acceptor that chooses policy and certificate by the name a client asks for (SNI, RFC 6066 section 3),
    /// as Skipper's certificate registry and Traefik's TLS options do.
    ///
    /// A request can name another host than the handshake did. It is refused if the two have different policies
    /// ([`WithTlsConnectInfo`]): by `make_service`, by axum-server, and in a server of your own by `info.layer(service)`.
    /// tonic's own server has no place for it: there, serve tonic's `Routes` with `make_service` on a `TlsListener`.
    ///
    /// ```
    /// use tower_client_cert::{ClientCertAcceptor, ServerNameError};
    ///
    /// # fn choose(admin: ClientCertAcceptor, shops: ClientCertAcceptor, others: ClientCertAcceptor)
    /// # -> Result<ClientCertAcceptor, ServerNameError> {
    /// ClientCertAcceptor::by_server_name()
    ///     .name("admin.example.com", admin)
    ///     .name("*.shop.example.com", shops)
    ///     .fallback(others)
    ///     .build()
    /// # }
    /// ```
    ///
    /// [`WithTlsConnectInfo`]: crate::WithTlsConnectInfo
    pub fn by_server_name() -> ServerNames {
        ServerNames::default()
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
        let endpoint = Endpoint { config: Arc::new(config), verifier, server_cert };
        Self::serving(Endpoints::new(HostMap::new(Some(Arc::new(endpoint)))))
    }

    pub(super) fn serving(endpoints: Endpoints) -> Self {
        Self { source: Source::Fixed(Arc::new(endpoints)), handshake_timeout: Duration::from_secs(10) }
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
    /// # Errors
    ///
    /// If the client is refused, is too slow, goes away or does not speak TLS: see [`AcceptError`].
    pub async fn accept<IO>(&self, io: IO) -> Result<(TlsStream<IO>, TlsConnectInfo), AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let accepted = self.accept_in_time(io).await;
        telemetry::handshake(accepted.as_ref().map(|(_, info)| info));
        accepted
    }

    async fn accept_in_time<IO>(&self, io: IO) -> Result<(TlsStream<IO>, TlsConnectInfo), AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let mut source = self.source.clone();
        // One deadline for both halves, and one set of endpoints.
        let endpoints = source.current_and_mark_seen();
        tokio::time::timeout(self.handshake_timeout, shake_hands(&endpoints, source, io))
            .await
            .map_err(|_| AcceptError::Timeout { after: self.handshake_timeout })?
    }
}

/// Reads what name the client asks for, and goes on with what is served under it.
///
/// rustls reads it: a reader of one's own that looks at one record is led astray by a client that sends two.
async fn shake_hands<IO>(
    endpoints: &Endpoints,
    source: Source,
    mut io: IO,
) -> Result<(TlsStream<IO>, TlsConnectInfo), AcceptError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let first = plaintext::first_byte(&mut io).await?;
    if plaintext::may_be_http(first) {
        return Err(plaintext::refuse(io).await);
    }
    let mut acceptor = Acceptor::default();
    // Memory can be read, and one byte fits in.
    let _ = acceptor.read_tls(&mut [first].as_slice());
    let hello = LazyConfigAcceptor::new(acceptor, io).await.map_err(AcceptError::Handshake)?;
    let name = hello.client_hello().server_name().map(str::to_owned);
    let Some(endpoint) = endpoints.choose(name.as_deref()) else {
        let mut io = hello.io;
        // The refusal stands whether or not the client hears of it.
        let _ = poll_fn(|cx| Pin::new(&mut io).poll_write(cx, UNRECOGNIZED_NAME)).await;
        let _ = poll_fn(|cx| Pin::new(&mut io).poll_shutdown(cx)).await;
        return Err(AcceptError::UnknownServerName { name });
    };
    let config = Arc::clone(&endpoint.config);
    // rustls consults the verifier as soon as it is given the configuration.
    let handshake = handshake::observe(&endpoint.verifier, async { hello.into_stream(config).await });
    let (result, observed) = handshake.await;
    let stream = result.map_err(AcceptError::Handshake)?;
    let info = endpoint.connect_info(stream.get_ref().1, observed)?;
    let info = info.with_host_policy(endpoints.chosen_policy(endpoint));
    Ok((
        stream,
        match ByNow::new(source, Arc::clone(&endpoint.config.time_provider), &info) {
            Some(standing) => info.with_standing(standing),
            None => info,
        },
    ))
}

/// The record of a fatal alert `unrecognized_name` (RFC 8446 section 6, RFC 6066 section 3).
const UNRECOGNIZED_NAME: &[u8] = &[21, 3, 3, 0, 2, 2, 112];

impl Endpoint {
    fn policy(&self) -> ClientAuthPolicy {
        self.verifier.policy()
    }

    fn connect_info(
        &self,
        connection: &ServerConnection,
        observed: Observed,
    ) -> Result<TlsConnectInfo, AcceptError> {
        let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        if !observed.consulted {
            return Err(AcceptError::ForeignConfig { policy: self.policy() });
        }
        let presented = connection.peer_certificates().unwrap_or_default();
        let peer = match observed.verified {
            Some(verified) => PeerCertificates::judged(presented.to_vec(), Ok(verified.path)),
            None => self.judge(presented)?,
        };
        let mut info = TlsConnectInfo::new(peer).with_policy(self.policy()).with_resumed(resumed);
        if let Some(name) = connection.server_name() {
            info = info.with_server_name(name);
        }
        if let Some(protocol) = connection.alpn_protocol() {
            info = info.with_alpn_protocol(protocol);
        }
        match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => info = info.with_protocol_version(TlsVersion::Tls12),
            Some(ProtocolVersion::TLSv1_3) => info = info.with_protocol_version(TlsVersion::Tls13),
            _ => {}
        }
        Ok(info)
    }

    /// The verdict on certificates that the handshake itself did not verify: because the policy does not ask it to, or
    /// because the session was resumed, in which case rustls checked nothing and the policy is enforced here.
    fn judge(&self, presented: &[CertificateDer<'static>]) -> Result<Option<PeerCertificates>, AcceptError> {
        let policy = self.policy();
        if !policy.requests() {
            return Ok(None);
        }
        let now = self.now().map_err(|error| AcceptError::Handshake(io::Error::other(error)))?;
        let peer = self.verifier.judge(presented.to_vec(), now)?;
        match peer.as_ref().map(PeerCertificates::verification) {
            None if policy.requires() => Err(AcceptError::NoCertificate { policy }),
            Some(verification @ Verification::Unverified(_)) if policy.verifies() => {
                Err(AcceptError::NotVerified { policy, verification })
            }
            _ => Ok(peer),
        }
    }
}

impl std::fmt::Debug for ClientCertAcceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientCertAcceptor")
            .field("policy", &self.policy())
            .field("handshake_timeout", &self.handshake_timeout)
            .finish_non_exhaustive()
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The client took too long.
    #[error("TLS handshake not finished after {after:?}")]
    Timeout {
        /// The limit.
        after: Duration,
    },
    /// The handshake failed. If TLS itself is the reason, the inner error is a [`rustls::Error`], and holds a
    /// [`ChainError`] if the client presented what no policy takes.
    #[error("TLS handshake failed: {0}")]
    Handshake(#[source] io::Error),
    /// The client asks for a name that nothing is served under, or for none, and there is no fallback.
    #[error("the client asks for {}, under which nothing is served", name.as_deref().unwrap_or("no server name"))]
    UnknownServerName {
        /// The name, if it asks for one.
        name: Option<String>,
    },
    /// The client speaks plain HTTP, and was told so in plain HTTP, with status 400.
    #[error("the client speaks plain HTTP on a port for TLS")]
    PlainHttp,
    /// A resumed session holds a chain that no policy takes.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A session without a certificate was resumed where the policy requires one.
    #[error("{policy} requires a certificate, and the resumed session has none")]
    NoCertificate {
        /// The policy.
        policy: ClientAuthPolicy,
    },
    /// A session was resumed whose certificate does not verify any more.
    #[error("{policy} verifies certificates, and that of the resumed session: {verification}")]
    NotVerified {
        /// The policy.
        policy: ClientAuthPolicy,
        /// Why not.
        verification: Verification,
    },
    /// The configuration uses another verifier than the acceptor was given, so that nothing can be said of the client.
    #[error(
        "the rustls configuration does not carry out {policy}: it was not made with this acceptor's verifier. \
         Start it with `verifier.server_config()`"
    )]
    ForeignConfig {
        /// The policy.
        policy: ClientAuthPolicy,
    },
}

#[cfg(feature = "metrics")]
impl AcceptError {
    /// A word for dashboards.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "timeout",
            Self::PlainHttp => "plain_http",
            Self::Chain(_) | Self::NoCertificate { .. } | Self::NotVerified { .. } => "certificate",
            Self::UnknownServerName { .. } => "server_name",
            Self::ForeignConfig { .. } => "configuration",
            Self::Handshake(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
                    "certificate"
                }
                Some(_) => "tls",
                None => "io",
            },
        }
    }
}
