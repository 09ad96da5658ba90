//! A client with an identity of its choice, and servers to try it on. Everything over loopback, on ports the kernel
//! chooses.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::serve::Listener;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_client_cert::{
    AcceptError, ClientAuthPolicy, ClientCertAcceptor, ClientVerifier, ClientVerifierBuilder, TlsConnectInfo,
    TlsListener, make_service,
};

use crate::pki::{Authority, Identity};
use crate::provider::{Provider, provider};

pub(crate) fn verifier(policy: ClientAuthPolicy) -> ClientVerifierBuilder {
    policy.verifier().provider(provider())
}

/// The CA of the server, and the server's own certificate for `localhost` and `127.0.0.1`.
pub(crate) struct ServerPki {
    pub(crate) ca: Authority,
    pub(crate) server: Identity,
}

impl ServerPki {
    pub(crate) fn new() -> Self {
        let ca = Authority::root("server CA");
        let server = ca.server(&["localhost", "127.0.0.1"]);
        Self { ca, server }
    }

    pub(crate) fn config(&self, verifier: &Arc<ClientVerifier>) -> ServerConfig {
        let mut config = verifier
            .server_config()
            .unwrap()
            .with_single_cert(self.server.chain.clone(), self.server.key.clone_key())
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }

    pub(crate) fn acceptor(&self, verifier: Arc<ClientVerifier>) -> ClientCertAcceptor {
        ClientCertAcceptor::new(self.config(&verifier), verifier)
    }

    /// A client that trusts this server, and that presents its certificate whatever the server would like to see.
    pub(crate) fn client(
        &self,
        identity: Option<&Identity>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der()).unwrap();
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        match identity {
            None => config.with_no_client_auth(),
            Some(Identity { chain, key }) => {
                // Whatever the server's provider knows, the client has its key.
                let key = Provider::AwsLcRs.crypto().key_provider.load_private_key(key.clone_key()).unwrap();
                let certified = CertifiedKey::new(chain.clone(), key);
                config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
            }
        }
    }
}

pub(crate) async fn connect(
    address: SocketAddr,
    config: &ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config.clone())).connect(name, tcp).await
}

/// One connection, seen from both ends: the client is let in exactly if the server lets it in. It learns of that, and
/// gets the tickets of TLS 1.3, when it reads.
pub(crate) async fn visit(
    acceptor: &ClientCertAcceptor,
    client: &ClientConfig,
) -> Result<TlsConnectInfo, AcceptError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = client.clone();
    let client = tokio::spawn(async move {
        let mut stream = connect(address, &client).await?;
        stream.write_all(b"ping").await?;
        let mut pong = [0; 4];
        stream.read_exact(&mut pong).await.map(|_| ())
    });
    let (tcp, _): (TcpStream, _) = listener.accept().await.unwrap();
    let accepted = match acceptor.accept(tcp).await {
        Ok((mut stream, info)) => {
            let mut ping = [0; 4];
            stream.read_exact(&mut ping).await.unwrap();
            stream.write_all(b"pong").await.unwrap();
            stream.shutdown().await.unwrap();
            Ok(info)
        }
        Err(error) => Err(error),
    };
    let seen_by_client = client.await.unwrap();
    assert_eq!(seen_by_client.is_ok(), accepted.is_ok(), "client: {seen_by_client:?}, server: {accepted:?}");
    accepted
}

/// An axum app on a `TlsListener`, until dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(acceptor: ClientCertAcceptor, app: Router) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(TlsListener::new(tcp, acceptor), app)
    }

    pub(crate) fn on<L>(listener: TlsListener<L>, app: Router) -> Self
    where
        L: Listener<Addr = SocketAddr>,
        L::Io: Sync,
    {
        let address = listener.local_addr().unwrap();
        let (shutdown, stop) = oneshot::channel();
        let serve = axum::serve(listener, make_service(app)).with_graceful_shutdown(async {
            let _ = stop.await;
        });
        Self { address, shutdown: Some(shutdown), task: tokio::spawn(async { serve.await.unwrap() }) }
    }

    /// Stops accepting, and waits until every connection has ended.
    pub(crate) async fn shut_down(mut self) {
        let _ = self.shutdown.take().unwrap().send(());
        (&mut self.task).await.unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Sends one request over HTTP/1.1 or HTTP/2.
pub(crate) struct HttpClient {
    config: ClientConfig,
    http2: bool,
}

impl HttpClient {
    pub(crate) fn new(mut config: ClientConfig, http2: bool) -> Self {
        config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        Self { config, http2 }
    }

    pub(crate) async fn send(&self, address: SocketAddr, request: Request<Body>) -> Response<String> {
        exchange(connect(address, &self.config).await.unwrap(), self.http2, request).await
    }
}

/// One request and its response over a connection of its own.
pub(crate) async fn exchange<IO>(io: IO, http2: bool, request: Request<Body>) -> Response<String>
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let io = TokioIo::new(io);
    let response = if http2 {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    };
    read(response).await
}

pub(crate) async fn read<B>(response: Response<B>) -> Response<String>
where
    B: HttpBody<Error: Debug>,
{
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Response::from_parts(parts, String::from_utf8(bytes.to_vec()).unwrap())
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Request<Body> {
    Request::get(format!("https://{address}{path}"))
        .header("host", address.to_string())
        .body(Body::empty())
        .unwrap()
}

/// The chain, as Skipper writes it.
pub(crate) fn skipper_value(chain: &[CertificateDer<'_>]) -> String {
    use base64::Engine as _;
    let items: Vec<_> =
        chain.iter().map(|der| base64::engine::general_purpose::STANDARD.encode(der)).collect();
    items.join(",")
}

/// An example that `cargo test` has built beside this test.
pub(crate) fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(
        path.exists(),
        "{} is not there. `cargo test` builds it; `cargo test --test it` does not: run `cargo build --examples` first",
        path.display()
    );
    let mut command = Command::new(path);
    command.env_remove("RUST_LOG").stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Waits for something that is bound to happen.
pub(crate) async fn until(mut holds: impl AsyncFnMut() -> bool) {
    tokio::time::timeout(Duration::from_secs(300), async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it never happens");
}

/// What the server presents.
pub(crate) async fn presented(address: SocketAddr, config: &ClientConfig) -> CertificateDer<'static> {
    let stream = connect(address, config).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

pub(crate) async fn http2(address: SocketAddr, mut config: ClientConfig) -> SendRequest<Body> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    let io = TokioIo::new(connect(address, &config).await.unwrap());
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Polls a future once.
pub(crate) async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}
