//! One connection to the server: what it asks for in the handshake, and what it answers to a request.

use std::fmt;
use std::io::{self, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Error, HandshakeKind, PeerIncompatible,
    SignatureScheme, SupportedProtocolVersion,
};

use crate::args::Target;
use crate::reply::{self, Reply};

/// How long a server may take to say anything.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const MAX_REPLY: usize = 1 << 20;

/// What the server's CertificateRequest names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The distinguished names of CAs, in DER.
    pub(crate) cas: Vec<Vec<u8>>,
    pub(crate) schemes: Vec<SignatureScheme>,
}

/// How a connection went.
#[derive(Debug)]
pub(crate) struct Visit {
    /// What the server asked for, if it did. A resumed session asks for nothing.
    pub(crate) asked: Option<Asked>,
    /// Whether the handshake was completed, as far as the client can tell, and how.
    pub(crate) handshake: Option<HandshakeKind>,
    pub(crate) result: Result<Reply, Failure>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There is no connection at all.
    Unreachable(String),
    /// The server does not speak this version of TLS.
    NotSpoken,
    /// The server ended the connection with this alert.
    Alert(AlertDescription),
    /// It ended the connection, or said nothing in time, and gave no reason.
    Silent(String),
    /// We do not accept the server: mostly its certificate.
    Ours(String),
}

impl Visit {
    /// Whether the handshake went far enough to know if the server asks.
    pub(crate) fn tells(&self) -> bool {
        self.asked.is_some() || self.handshake.is_some()
    }

    pub(crate) fn resumed(&self) -> bool {
        self.handshake == Some(HandshakeKind::Resumed)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) => write!(f, "no connection: {reason}"),
            Self::NotSpoken => f.write_str("the server does not speak this version"),
            Self::Alert(alert) => write!(f, "the server ended the connection with the alert {alert:?}"),
            Self::Silent(reason) => write!(f, "the server ended the connection without an alert: {reason}"),
            Self::Ours(reason) => write!(f, "the doctor does not accept the server: {reason}"),
        }
    }
}

/// A client that speaks one version of TLS and remembers sessions.
pub(crate) struct Client<'a> {
    target: &'a Target,
    config: Arc<ClientConfig>,
    recorder: Arc<Recorder>,
}

impl<'a> Client<'a> {
    pub(crate) fn new(
        target: &'a Target,
        version: &'static SupportedProtocolVersion,
        server: Arc<dyn ServerCertVerifier>,
        identity: Option<Arc<CertifiedKey>>,
    ) -> Result<Self, Error> {
        let recorder = Arc::new(Recorder { identity, asked: Mutex::default() });
        let mut config = ClientConfig::builder_with_provider(crate::trust::provider())
            .with_protocol_versions(&[version])?
            .dangerous()
            .with_custom_certificate_verifier(server)
            .with_client_cert_resolver(Arc::clone(&recorder) as Arc<dyn ResolvesClientCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { target, config: Arc::new(config), recorder })
    }

    /// Connects, sends a GET with these headers, and reads the answer to its end, with the session tickets that come
    /// before it.
    pub(crate) fn visit(&self, headers: &[(String, String)]) -> Visit {
        self.recorder.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut handshake = None;
        let result = self.get(headers, &mut handshake);
        let asked = self.recorder.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        Visit { asked, handshake, result }
    }

    fn get(
        &self,
        headers: &[(String, String)],
        handshake: &mut Option<HandshakeKind>,
    ) -> Result<Reply, Failure> {
        let name = ServerName::try_from(self.target.host.clone())
            .map_err(|_| Failure::Unreachable(format!("{} is no name of a server", self.target.host)))?;
        let mut tcp = self.connect().map_err(|error| Failure::Unreachable(error.to_string()))?;
        let mut tls = ClientConnection::new(Arc::clone(&self.config), name)
            .map_err(|error| Failure::Ours(error.to_string()))?;
        while tls.is_handshaking() {
            if let Err(error) = tls.complete_io(&mut tcp) {
                return Err(match failure(&error) {
                    // What was written last may have met a closed connection: the reason can still be read.
                    silent @ Failure::Silent(_) => last_words(&mut tls, &mut tcp).unwrap_or(silent),
                    failure => failure,
                });
            }
        }
        *handshake = tls.handshake_kind();

        // Under TLS 1.3 a server refuses a certificate when the request is already on its way.
        let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
        let written = stream.write_all(reply::request(self.target, headers).as_bytes());
        let (read, answer) = read(&mut stream);
        if let Some(reply) = Reply::parse(&answer) {
            return Ok(reply);
        }
        match (read, written) {
            (Err(error), _) | (Ok(()), Err(error)) => Err(failure(&error)),
            (Ok(()), Ok(())) if answer.is_empty() => {
                Err(Failure::Silent("it closed the connection".to_owned()))
            }
            (Ok(()), Ok(())) => Err(Failure::Ours("its answer is not HTTP/1.1".to_owned())),
        }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (self.target.host.as_str(), self.target.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(tcp) => {
                    tcp.set_read_timeout(Some(PATIENCE))?;
                    tcp.set_write_timeout(Some(PATIENCE))?;
                    return Ok(tcp);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Reads an answer to its end, or as much of it as comes in time.
fn read(stream: &mut impl io::Read) -> (io::Result<()>, Vec<u8>) {
    let started = Instant::now();
    let (mut answer, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    while answer.len() < MAX_REPLY && started.elapsed() < PATIENCE && !reply::is_whole(&answer) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) => return (Err(error), answer),
        }
    }
    (Ok(()), answer)
}

/// What the server said before it closed a connection to which no more can be written.
fn last_words(tls: &mut ClientConnection, tcp: &mut TcpStream) -> Option<Failure> {
    while tls.read_tls(tcp).ok()? > 0 {
        if let Err(error) = tls.process_new_packets() {
            return Some(of_rustls(&error));
        }
    }
    None
}

fn failure(error: &io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => of_rustls(error),
        None => Failure::Silent(error.to_string()),
    }
}

fn of_rustls(error: &Error) -> Failure {
    match error {
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => Failure::NotSpoken,
        Error::AlertReceived(alert) => Failure::Alert(*alert),
        error => Failure::Ours(error.to_string()),
    }
}

/// Presents the certificate whenever the server asks, whatever it asks for, and remembers what that was.
#[derive(Debug)]
struct Recorder {
    identity: Option<Arc<CertifiedKey>>,
    asked: Mutex<Option<Asked>>,
}

impl ResolvesClientCert for Recorder {
    fn resolve(&self, cas: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let asked = Asked { cas: cas.iter().map(|ca| ca.to_vec()).collect(), schemes: schemes.to_vec() };
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
        self.identity.clone()
    }

    fn has_certs(&self) -> bool {
        self.identity.is_some()
    }
}
