use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::server::{NoServerSessionStorage, ProducesTickets};
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::handshake::{self, Observed};
use super::plaintext;
use super::verifier::{ChainError, ClientVerifier};
use crate::peer::{PeerCertificates, TlsConnectInfo, TlsVersion, Verification};
use crate::policy::ClientAuthPolicy;
use crate::telemetry;

/// Shakes hands with a client and captures the certificates it presents.
///
/// It is made of a rustls configuration and of the [`ClientVerifier`] in it, since rustls does not tell which verifier
/// a configuration has; if the two do not belong together, every handshake fails with an error that says so.
///
/// Where a certificate is asked for, sessions are not resumed and there is no 0-RTT, whatever the configuration says:
/// rustls does not look at the client's certificate again when it resumes.
///
/// A clone is two reference counts.
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
#[derive(Clone)]
pub struct ClientCertAcceptor {
    config: Arc<ServerConfig>,
    verifier: Arc<ClientVerifier>,
    handshake_timeout: Duration,
}

impl ClientCertAcceptor {
    /// An acceptor for this configuration, which [`verifier.server_config()`](ClientVerifier::server_config) began.
    #[must_use]
    pub fn new(config: impl Into<Arc<ServerConfig>>, verifier: Arc<ClientVerifier>) -> Self {
        let mut config = Arc::unwrap_or_clone(config.into());
        if verifier.policy().requests() {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.ticketer = Arc::new(NoTickets);
            config.send_tls13_tickets = 0;
            config.max_early_data_size = 0;
            config.send_half_rtt_data = false;
        }
        Self { config: Arc::new(config), verifier, handshake_timeout: Duration::from_secs(10) }
    }

    /// How long a client may take from connecting to the end of the handshake: 10 seconds unless set.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// The policy it carries out.
    #[must_use]
    pub fn policy(&self) -> ClientAuthPolicy {
        self.verifier.policy()
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
        let handshake = handshake::observe(&self.verifier, self.shake_hands(io));
        let (result, observed) = tokio::time::timeout(self.handshake_timeout, handshake)
            .await
            .map_err(|_| AcceptError::Timeout { after: self.handshake_timeout })?;
        let stream = result?;
        let info = self.connect_info(stream.get_ref().1, observed)?;
        Ok((stream, info))
    }

    async fn shake_hands<IO>(&self, mut io: IO) -> Result<TlsStream<IO>, AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let first = plaintext::first_byte(&mut io).await?;
        if plaintext::may_be_http(first) {
            return Err(plaintext::refuse(io).await);
        }
        let replay = |connection: &mut ServerConnection| {
            // Memory can be read, and one byte fits in.
            let _ = connection.read_tls(&mut [first].as_slice());
        };
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        acceptor.accept_with(io, replay).await.map_err(AcceptError::Handshake)
    }

    fn connect_info(
        &self,
        connection: &ServerConnection,
        observed: Observed,
    ) -> Result<TlsConnectInfo, AcceptError> {
        let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        if !resumed && !observed.consulted {
            return Err(AcceptError::ForeignConfig { policy: self.policy() });
        }
        let presented = connection.peer_certificates().unwrap_or_default();
        let peer = match observed.verified_path {
            Some(path) => PeerCertificates::judged(presented.to_vec(), Ok(path)),
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
        let now =
            self.config.time_provider.current_time().ok_or_else(|| {
                AcceptError::Handshake(io::Error::other(rustls::Error::FailedToGetCurrentTime))
            })?;
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

/// rustls' own way to switch tickets off is not public.
#[derive(Debug)]
struct NoTickets;

impl ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }

    fn lifetime(&self) -> u32 {
        0
    }

    fn encrypt(&self, _plain: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, _cipher: &[u8]) -> Option<Vec<u8>> {
        None
    }
}
