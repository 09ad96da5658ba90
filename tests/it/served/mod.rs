//! `serve`: each of its settings, with real clients. Where a time matters, tokio's is stopped once the client is
//! connected: it then passes whenever a task waits, for the network too. So that is done only where it is clear which
//! timer fires next.

mod ends;
mod limits;
mod plain;
mod upgrades;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::get;
use axum::serve::Listener;
use http::HeaderMap;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::version::TLS13;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;
use tower_client_cert::{
    ClientAuthPolicy, ClientCertAcceptor, DrainError, Serve, TlsConnectInfo, TlsListener, Transport, serve,
};

use crate::harness::{ServerPki, connect, read, verifier};

/// A server that runs until it is told to stop, or dropped.
struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), DrainError>>,
    /// A request to `/held` takes one of these to say that it is under way…
    arrived: Arc<Semaphore>,
    /// … and one of these to be answered.
    release: Arc<Semaphore>,
}

type Configured<L> = Serve<L, Router>;

impl Served {
    /// Without TLS.
    async fn plain(configure: impl FnOnce(Configured<TcpListener>) -> Configured<TcpListener>) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), Router::new(), configure)
    }

    async fn tls(
        acceptor: ClientCertAcceptor,
        configure: impl FnOnce(Configured<TlsListener<TcpListener>>) -> Configured<TlsListener<TcpListener>>,
    ) -> Self {
        Self::app(acceptor, Router::new(), configure).await
    }

    async fn app(
        acceptor: ClientCertAcceptor,
        app: Router,
        configure: impl FnOnce(Configured<TlsListener<TcpListener>>) -> Configured<TlsListener<TcpListener>>,
    ) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(TlsListener::new(tcp, acceptor), app, configure)
    }

    fn on<L>(listener: L, app: Router, configure: impl FnOnce(Configured<L>) -> Configured<L>) -> Self
    where
        L: Listener<Addr = SocketAddr, Io: Transport>,
    {
        let address = listener.local_addr().unwrap();
        let (arrived, release) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let held = {
            let (arrived, release) = (Arc::clone(&arrived), Arc::clone(&release));
            get(async move || {
                arrived.add_permits(1);
                release.acquire().await.unwrap().forget();
                "released"
            })
        };
        let app = app.route("/", get(describe)).route("/held", held);
        let (stop, stopped) = oneshot::channel();
        let server = configure(serve(listener, app)).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        Self { address, stop, task: tokio::spawn(server.into_future()), arrived, release }
    }

    /// Waits until a request to `/held` is under way.
    async fn arrived(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    /// Tells it to stop, and returns what came of that.
    async fn stop(self) -> Result<(), DrainError> {
        self.stop.send(()).unwrap();
        self.task.await.unwrap()
    }
}

/// What a handler sees.
async fn describe(
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    tls: Option<axum::Extension<TlsConnectInfo>>,
    headers: HeaderMap,
) -> String {
    let certificate = match &tls {
        None => "no TLS",
        Some(tls) if tls.peer_certificates().is_some() => "a certificate",
        Some(_) => "no certificate",
    };
    format!("{} {certificate} {}", client.ip(), headers.contains_key("x-forwarded-tls-client-cert"))
}

/// The server's PKI, and an acceptor that asks for a certificate.
fn asking() -> (ServerPki, ClientCertAcceptor) {
    let pki = ServerPki::new();
    let acceptor = pki.acceptor(verifier(ClientAuthPolicy::RequestClientCert).build().unwrap());
    (pki, acceptor)
}

fn config(pki: &ServerPki, http2: bool) -> ClientConfig {
    with_alpn(pki.client(None, &[&TLS13]), http2)
}

fn with_alpn(mut config: ClientConfig, http2: bool) -> ClientConfig {
    config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    config
}

/// A connection on which HTTP is spoken, one request at a time.
enum Client {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Client {
    async fn over<IO>(io: IO, http2: bool) -> (Self, JoinHandle<hyper::Result<()>>)
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let io = TokioIo::new(io);
        if http2 {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .handshake(io)
                .await
                .unwrap();
            (Self::Http2(sender), tokio::spawn(connection))
        } else {
            let (sender, connection) = http1::handshake(io).await.unwrap();
            (Self::Http1(sender), tokio::spawn(connection))
        }
    }

    async fn tls(
        address: SocketAddr,
        config: &ClientConfig,
        http2: bool,
    ) -> (Self, JoinHandle<hyper::Result<()>>) {
        Self::over(connect(address, config).await.unwrap(), http2).await
    }

    async fn send(&mut self, request: http::Request<Body>) -> hyper::Result<http::Response<String>> {
        let response = match self {
            Self::Http1(sender) => sender.send_request(request).await?,
            Self::Http2(sender) => sender.send_request(request).await?,
        };
        Ok(read(response).await)
    }

    async fn get(&mut self, path: &str) -> hyper::Result<String> {
        let uri = match self {
            Self::Http1(_) => path.to_owned(),
            Self::Http2(_) => format!("https://localhost{path}"),
        };
        let request = http::Request::get(uri).header("host", "localhost").body(Body::empty()).unwrap();
        Ok(self.send(request).await?.into_body())
    }

    /// Sends a request, whose answer is for later.
    fn spawn_get(mut self, path: &'static str) -> JoinHandle<hyper::Result<String>> {
        tokio::spawn(async move { self.get(path).await })
    }
}

/// Waits until the server closes, in whatever way.
async fn closed(stream: &mut (impl AsyncRead + Unpin)) {
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

type Tls = TlsStream<TcpStream>;
