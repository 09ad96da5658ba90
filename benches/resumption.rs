//! What it costs to resume safely: the server's time for a handshake, unguarded on plain rustls and guarded by
//! `ClientCertAcceptor`, both under a policy that verifies.
//!
//! `cargo bench --all-features -p tower-client-cert-benches --bench resumption`. The client's time does not count. The two take turns, so that
//! whatever else the machine does meets both, and medians count, since it may take a processor away.

#[allow(dead_code)]
#[path = "../tests/it/pki.rs"]
mod pki;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::pki_types::ServerName;
use rustls::server::{NoServerSessionStorage, ProducesTickets};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, ServerConfig, SupportedProtocolVersion,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tower_client_cert::{
    ClientAuthPolicy, ClientCertAcceptor, ClientVerifier, PeerCertificates, TlsConnectInfo, TlsVersion,
};

use pki::{Authority, Identity};

/// Accepts connections, unguarded or guarded.
enum Server {
    Plain(TlsAcceptor),
    Guarded(ClientCertAcceptor),
}

impl Server {
    /// Both find out the same about the client: unguarded, whatever is in the session.
    async fn accept(&self, io: DuplexStream) -> (TlsStream<DuplexStream>, TlsConnectInfo) {
        let acceptor = match self {
            Self::Guarded(acceptor) => return acceptor.accept(io).await.unwrap(),
            Self::Plain(acceptor) => acceptor,
        };
        let stream = timeout(Duration::from_secs(10), acceptor.accept(io)).await.unwrap().unwrap();
        let connection = stream.get_ref().1;
        let chain = connection.peer_certificates().unwrap().to_vec();
        let info = TlsConnectInfo::new(PeerCertificates::unverified(chain))
            .with_policy(ClientAuthPolicy::RequireAndVerifyClientCert)
            .with_resumed(connection.handshake_kind() == Some(HandshakeKind::Resumed))
            .with_server_name(connection.server_name().unwrap())
            .with_protocol_version(match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
                _ => TlsVersion::Tls13,
            });
        (stream, info)
    }
}

/// The time that a future is being polled.
async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let mut future = pin!(future);
    let mut spent = Duration::ZERO;
    let result = std::future::poll_fn(|cx| {
        let start = Instant::now();
        let poll = future.as_mut().poll(cx);
        spent += start.elapsed();
        poll
    });
    (result.await, spent)
}

/// The server's time for one handshake. The client stays for its tickets.
async fn handshake(server: &Server, client: &ClientConfig) -> (HandshakeKind, Duration) {
    let (near, far) = duplex(64 * 1024);
    let connector = TlsConnector::from(Arc::new(client.clone()));
    let visit = async {
        let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), near).await.unwrap();
        stream.read_exact(&mut [0]).await.unwrap();
    };
    let serve = async {
        let ((mut stream, _info), spent) = timed(server.accept(far)).await;
        stream.write_all(&[0]).await.unwrap();
        stream.flush().await.unwrap();
        (stream.get_ref().1.handshake_kind().unwrap(), spent)
    };
    tokio::join!(serve, visit).0
}

struct Pki {
    ca: Authority,
    client_ca: Authority,
    server: Identity,
    client: Identity,
}

impl Pki {
    fn verifier(&self) -> Arc<ClientVerifier> {
        let policy = ClientAuthPolicy::RequireAndVerifyClientCert.verifier();
        policy.roots([self.client_ca.der()]).provider(Arc::new(default_provider())).build().unwrap()
    }

    fn server_config(&self, verifier: &Arc<ClientVerifier>) -> ServerConfig {
        let config = verifier.server_config().unwrap();
        config.with_single_cert(self.server.chain.clone(), self.server.key.clone_key()).unwrap()
    }

    fn client_config(&self, version: &'static SupportedProtocolVersion) -> ClientConfig {
        let provider = Arc::new(default_provider());
        let key = provider.key_provider.load_private_key(self.client.key.clone_key()).unwrap();
        let certified = CertifiedKey::new(self.client.chain.clone(), key);
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der()).unwrap();
        ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
    }
}

/// One kind of resumption, of which `configure` sets up the server's side.
async fn compare(
    name: &str,
    pki: &Pki,
    version: &'static SupportedProtocolVersion,
    rounds: usize,
    configure: impl Fn(&mut ServerConfig),
) {
    let verifier = pki.verifier();
    let config = || {
        let mut config = pki.server_config(&verifier);
        configure(&mut config);
        config
    };
    let stranger = Server::Plain(TlsAcceptor::from(Arc::new(config())));
    let mut servers = [false, true].map(|guarded| {
        let config = config();
        let server = if guarded {
            Server::Guarded(ClientCertAcceptor::new(config, Arc::clone(&verifier)))
        } else {
            Server::Plain(TlsAcceptor::from(Arc::new(config)))
        };
        (server, pki.client_config(version), Vec::new())
    });
    for (server, client, _) in &servers {
        assert_eq!(handshake(server, client).await.0, HandshakeKind::Full);
    }
    let mut full = Vec::new();
    for round in 0..rounds {
        if round % 8 == 0 {
            full.push(handshake(&stranger, &pki.client_config(version)).await.1);
        }
        for (server, client, times) in &mut servers {
            let (kind, time) = handshake(server, client).await;
            assert_eq!(kind, HandshakeKind::Resumed);
            times.push(time);
        }
    }
    let [plain, guarded] = servers.map(|(_, _, times)| median(times));
    let rate = plain.as_secs_f64() / guarded.as_secs_f64() * 100.0;
    println!(
        "{name:<24} full {:>7.1?}  unguarded {plain:>7.1?}  guarded {guarded:>7.1?}  rate {rate:>5.1} %",
        median(full)
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // Under `cargo test` it is enough that it runs.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 4000 } else { 1 };
    let (ca, client_ca) = (Authority::root("server CA"), Authority::root("client CA"));
    let (server, client) = (ca.server(&["localhost"]), client_ca.client("alice"));
    let pki = Pki { ca, client_ca, server, client };
    for (version, name) in [(&TLS12, "TLS 1.2"), (&TLS13, "TLS 1.3")] {
        compare(&format!("{name}, cache"), &pki, version, rounds, |_| {}).await;
        let tickets = |ticketer: Arc<dyn ProducesTickets>| {
            move |config: &mut ServerConfig| {
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.ticketer = Arc::clone(&ticketer);
            }
        };
        let ticketer = tickets(Ticketer::new().unwrap());
        compare(&format!("{name}, tickets"), &pki, version, rounds, ticketer).await;
        #[cfg(feature = "ticket-keys")]
        {
            let keys = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(&keys, "b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgb2xkIG9sZCE=\n").unwrap();
            let random = default_provider().secure_random;
            let ticketer = tower_client_cert::SharedTicketer::from_file(keys.path(), random).unwrap();
            compare(&format!("{name}, shared keys"), &pki, version, rounds, tickets(ticketer)).await;
        }
    }
}
