//! Connections: accepted, served and, at the end, drained.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
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
use tower_client_cert::forwarded::PassHeadersLayer;
use tower_client_cert::{Captured, ClientCertAcceptor, TlsConnectInfo, TlsListener, TrustLost};

use crate::idle::Activity;
use crate::proxy::Proxy;

/// How often an HTTP/2 client must show that it is still there, and how long it may take to, at most. One that is
/// stuck within the head of a request can't show it: nothing may be sent between the pieces of a head.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Who sent a request: an extension of it. As long as one is held, a shutdown waits.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    connection: Arc<(ClientCertAcceptor, TlsConnectInfo)>,
    _open: watch::Receiver<()>,
}

impl Peer {
    /// Waits until its certificate is no longer worth what it was.
    pub(crate) async fn trust_lost(&self) -> TrustLost {
        let (acceptor, info) = &*self.connection;
        acceptor.trust_lost(info).await
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// To send the head of a request.
    pub(crate) header: Duration,
    /// To end what is under way on a connection whose certificate has lost its worth.
    pub(crate) drain: Duration,
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
        proxy: (PassHeadersLayer, Proxy),
        timeouts: Timeouts,
    ) -> Self {
        let tcp = tcp.tap_io(|tcp| {
            // Without it the server still works.
            let _ = tcp.set_nodelay(true);
        });
        let mut listener = TlsListener::new(tcp, acceptor.clone());
        let (stop, mut stopped) = watch::channel(());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    (stream, address) = listener.accept() => {
                        let (acceptor, proxy, stopped) = (acceptor.clone(), proxy.clone(), stopped.clone());
                        tokio::spawn(serve(stream, address, acceptor, proxy, timeouts, stopped));
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
    address: SocketAddr,
    acceptor: ClientCertAcceptor,
    (pass, proxy): (PassHeadersLayer, Proxy),
    timeouts: Timeouts,
    mut stopped: watch::Receiver<()>,
) {
    let info = stream.get_ref().0.tls_connect_info().cloned();
    let info = info.expect("the listener hands out connections after their handshake");
    let http2 = info.alpn_protocol() == Some(b"h2");
    let connection = Arc::new((acceptor.clone(), info.clone()));
    let peer = Peer { address, connection, _open: stopped.clone() };
    log_connection(&peer, &info);

    let activity = Activity::default();
    let service = {
        let activity = activity.clone();
        let proxy = info.layer(pass.with_peer_ip(address.ip()).layer(proxy));
        service_fn(move |request: Request<Incoming>| {
            let busy = activity.begin();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer.clone());
            let answer = proxy.clone().oneshot(request);
            async move { answer.await.map(|response| if http2 { busy.until_sent(response) } else { response }) }
        })
    };

    // ALPN has settled the version. Left to guess it, hyper would wait for a silent client without end.
    let mut http = auto::Builder::new(TokioExecutor::new());
    http = if http2 { http.http2_only() } else { http.http1_only() };
    http.http1().timer(TokioTimer::new()).header_read_timeout(timeouts.header);
    let keep_alive = KEEP_ALIVE.min(timeouts.header);
    http.http2().timer(TokioTimer::new()).keep_alive_interval(keep_alive).keep_alive_timeout(keep_alive);
    let mut connection = pin!(http.serve_connection_with_upgrades(TokioIo::new(stream), service));

    // hyper's own timeout covers every request, of HTTP/1.1 only.
    let idle = async {
        let asked = activity.idle(timeouts.header).await;
        if asked && !http2 {
            std::future::pending::<()>().await;
        }
        asked
    };
    let result = tokio::select! {
        result = &mut connection => result,
        asked = idle => {
            tracing::debug!(peer = %address, "no request in time");
            if !asked {
                return;
            }
            // Who does not answer this is cut off by the keep-alive.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        lost = acceptor.trust_lost(&info) => {
            tracing::info!(peer = %address, reason = %lost, "draining a connection");
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(timeouts.drain, connection).await {
                Ok(result) => result,
                Err(_) => {
                    tracing::info!(peer = %address, "cut a connection that had not drained in time");
                    return;
                }
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(peer = %address, error, "connection ended early");
    }
}

fn log_connection(peer: &Peer, info: &TlsConnectInfo) {
    tracing::debug!(
        peer = %peer.address,
        tls = ?info.protocol_version(),
        certificate = ?info.peer_certificates().map(|peer| peer.verification().to_string()),
        "connected"
    );
}
