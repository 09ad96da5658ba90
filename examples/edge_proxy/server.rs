//! Connections: accepted, served and, at the end, drained.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::serve::{Listener, ListenerExt as _};
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;
use tower::{Layer as _, ServiceExt as _};
use tower_client_cert::{Captured, ClientCertAcceptor, TlsConnectInfo, TlsListener};

use crate::proxy::Proxy;

/// How often an HTTP/2 client must show that it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Who sent a request: an extension of it. As long as one is held, a shutdown waits.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    _open: watch::Receiver<()>,
}

/// A server that runs.
pub(crate) struct Server {
    /// Tells all connections to end by a message, and knows of each by its receiver.
    stop: watch::Sender<()>,
}

impl Server {
    pub(crate) fn start(
        tcp: TcpListener,
        acceptor: ClientCertAcceptor,
        proxy: Proxy,
        header_timeout: Duration,
    ) -> Self {
        let tcp = tcp.tap_io(|tcp| {
            // Without it the server still works.
            let _ = tcp.set_nodelay(true);
        });
        let mut listener = TlsListener::new(tcp, acceptor);
        let (stop, mut stopped) = watch::channel(());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    (stream, address) = listener.accept() => {
                        let client = Client { address, _open: stopped.clone() };
                        tokio::spawn(serve(stream, client, proxy.clone(), header_timeout, stopped.clone()));
                    }
                    _ = stopped.changed() => break,
                }
            }
        });
        Self { stop }
    }

    /// Accepts nothing more, and waits until every request and every WebSocket has ended.
    pub(crate) async fn drain(self) {
        self.stop.send_replace(());
        self.stop.closed().await;
    }
}

async fn serve(
    stream: TlsStream<Captured<TcpStream>>,
    client: Client,
    proxy: Proxy,
    header_timeout: Duration,
    mut stopped: watch::Receiver<()>,
) {
    let info = stream.get_ref().0.tls_connect_info().cloned();
    let info = info.expect("the listener hands out connections after their handshake");
    let http2 = info.alpn_protocol() == Some(b"h2");
    log_connection(&client, &info);

    let address = client.address;
    let spoke = Arc::new(AtomicBool::new(false));
    let service = {
        let spoke = Arc::clone(&spoke);
        let proxy = info.layer(proxy);
        service_fn(move |request: Request<Incoming>| {
            spoke.store(true, Ordering::Relaxed);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(client.clone());
            proxy.clone().oneshot(request)
        })
    };

    // ALPN has settled the version. Left to guess it, hyper would wait for a silent client without end.
    let mut http = auto::Builder::new(TokioExecutor::new());
    http = if http2 { http.http2_only() } else { http.http1_only() };
    http.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout);
    http.http2().timer(TokioTimer::new()).keep_alive_interval(KEEP_ALIVE);
    let mut connection = pin!(http.serve_connection_with_upgrades(TokioIo::new(stream), service));

    // hyper's own timeout covers every request, of HTTP/1.1 only.
    let silent = async {
        tokio::time::sleep(header_timeout).await;
        if spoke.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let result = tokio::select! {
        result = &mut connection => result,
        () = silent => {
            tracing::debug!(client = %address, "no request in time");
            return;
        }
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(client = %address, error, "connection ended early");
    }
}

fn log_connection(client: &Client, info: &TlsConnectInfo) {
    tracing::debug!(
        client = %client.address,
        tls = ?info.protocol_version(),
        certificate = ?info.peer_certificates().map(|peer| peer.verification().to_string()),
        "connected"
    );
}
