//! `axum::serve` over TLS: a listener that performs handshakes outside of the accept loop, and the service that
//! attaches to each request what its handshake found out.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use axum::Extension;
use axum::extract::ConnectInfo;
use axum::middleware::AddExtension;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::server::TlsStream;
use tower_layer::Layer;
use tower_service::Service;
#[cfg(feature = "tracing")]
use tracing::{
    Instrument as _,
    field::{Empty, display},
};

use super::connect_info::WithTlsConnectInfo;
use crate::peer::TlsConnectInfo;
use crate::tls::{ClientCertAcceptor, TrustLost};

/// A [`Listener`] for [`axum::serve()`] that speaks TLS.
///
/// Each handshake runs in a task of its own, so that a slow, silent or hostile client delays nobody else. If a
/// handshake fails, the listener goes on, and emits an event (feature `tracing`): at level `info` if the client was
/// refused for its certificate, at `debug` otherwise. Dropping the listener, as axum does at the start of a graceful
/// shutdown, cuts off unfinished handshakes.
///
/// HTTP/2 needs feature `http2`, and an acceptor that [offers it](ClientCertAcceptor).
///
/// Serve it with [`serve`](crate::serve()) (feature `serve`), or under `axum::serve` with [`make_service`]. [`ListenerExt::tap_io`](axum::serve::ListenerExt::tap_io) works as usual:
///
/// ```no_run
/// use axum::serve::ListenerExt as _;
/// use axum::{Router, routing::get};
/// use tower_client_cert::{ClientCertAcceptor, PeerCertificates, TlsListener, make_service};
///
/// # async fn serve(acceptor: ClientCertAcceptor) -> std::io::Result<()> {
/// let app = Router::new().route("/", get(|peer: Option<PeerCertificates>| async move { format!("{peer:?}") }));
/// let tcp = tokio::net::TcpListener::bind("127.0.0.1:8443").await?;
/// let listener = TlsListener::new(tcp, acceptor).tap_io(|tls| {
///     let _ = tls.get_ref().0.get_ref().set_nodelay(true);
/// });
/// axum::serve(listener, make_service(app)).await
/// # }
/// ```
pub struct TlsListener<L: Listener> {
    inner: Inner<L>,
    local_addr: io::Result<L::Addr>,
    acceptor: ClientCertAcceptor,
    handshakes: JoinSet<Option<Connected<L>>>,
    /// Handles to the same handshakes, oldest first. Some of them may be finished.
    oldest_first: VecDeque<AbortHandle>,
    max_handshakes: usize,
}

/// The inner listener: between two connections, or accepting the next.
///
/// A listener that has run out of file descriptors logs that and waits a second, as axum's do, within the future of its
/// `accept`. If that future were dropped each time a handshake finishes, the wait would be cut short, and the log would
/// fill at the speed of the clients. So the future is kept until it is done, whatever else happens.
enum Inner<L: Listener> {
    Idle(L),
    Accepting(Accepting<L>),
    /// A placeholder, while the listener moves into the future.
    Lost,
}

type Accepting<L> = Pin<Box<dyn Future<Output = (L, <L as Listener>::Io, <L as Listener>::Addr)> + Send>>;

impl<L: Listener> Inner<L> {
    /// Cancel-safe, even if the inner listener is not.
    async fn accept(&mut self) -> (L::Io, L::Addr) {
        if let Self::Idle(_) = self {
            if let Self::Idle(mut listener) = std::mem::replace(self, Self::Lost) {
                *self = Self::Accepting(Box::pin(async move {
                    let (io, address) = listener.accept().await;
                    (listener, io, address)
                }));
            }
        }
        let Self::Accepting(accepting) = self else { return std::future::pending().await };
        let (listener, io, address) = accepting.await;
        *self = Self::Idle(listener);
        (io, address)
    }
}

/// A connection whose handshake has succeeded, with the client's address.
type Connected<L> = (TlsStream<Captured<<L as Listener>::Io>>, <L as Listener>::Addr);

impl<L: Listener> TlsListener<L> {
    /// Makes a listener that accepts connections from `inner`, a [`TcpListener`](tokio::net::TcpListener) for example.
    pub fn new(inner: L, acceptor: ClientCertAcceptor) -> Self {
        Self {
            local_addr: inner.local_addr(),
            inner: Inner::Idle(inner),
            acceptor,
            handshakes: JoinSet::new(),
            oldest_first: VecDeque::new(),
            max_handshakes: 16 * 1024,
        }
    }

    /// Sets how many handshakes may be under way at a time. The default is 16,384; each takes about 15 KiB.
    ///
    /// When there are more, the oldest is aborted in favour of the newest: an honest client finishes in milliseconds,
    /// so the oldest is not one. A small limit would let a few attackers keep everybody out.
    #[must_use]
    pub fn max_handshakes(mut self, max: usize) -> Self {
        self.max_handshakes = max.max(1);
        self
    }
}

impl<L> TlsListener<L>
where
    L: Listener,
    L::Addr: fmt::Debug + 'static,
{
    fn shake_hands(&mut self, io: L::Io, address: L::Addr) {
        let acceptor = self.acceptor.clone();
        #[cfg(feature = "tracing")]
        let span =
            tracing::info_span!("connection", peer = ?address, server_name = Empty, certificate = Empty);
        let handshake = async move {
            let io = Captured { io, info: OnceLock::new(), acceptor: acceptor.clone() };
            match acceptor.try_accept(io).await {
                Ok((stream, info)) => {
                    #[cfg(feature = "tracing")]
                    record(&info);
                    // The cell was made above, so it is empty and this can't fail.
                    let _ = stream.get_ref().0.info.set(info);
                    Some((stream, address))
                }
                Err(failed) => {
                    acceptor.report(&failed, Some(&address));
                    failed.part().await;
                    None
                }
            }
        };
        #[cfg(feature = "tracing")]
        let handshake = handshake.instrument(span);
        let handshake = self.handshakes.spawn(handshake);
        self.oldest_first.push_back(handshake);
        if self.handshakes.len() > self.max_handshakes {
            let oldest = self.oldest_first.iter().position(|handshake| !handshake.is_finished());
            if let Some(oldest) = oldest.and_then(|at| self.oldest_first.drain(..=at).next_back()) {
                oldest.abort();
            }
        }
        // A finished task is freed when its last handle is dropped. Cleaning up now and then is cheap, and often
        // enough.
        if self.oldest_first.len() > 2 * self.handshakes.len() + 64 {
            self.oldest_first.retain(|handshake| !handshake.is_finished());
        }
    }
}

/// Records in the connection's span what the handshake found out.
#[cfg(feature = "tracing")]
fn record(info: &TlsConnectInfo) {
    let span = tracing::Span::current();
    if let Some(name) = info.server_name() {
        span.record("server_name", name);
    }
    match info.peer_certificates() {
        Some(peer) => span.record("certificate", display(peer.verification())),
        None => span.record("certificate", "NONE"),
    };
}

impl<L> Listener for TlsListener<L>
where
    L: Listener,
    L::Addr: Clone + fmt::Debug + 'static,
{
    type Io = TlsStream<Captured<L::Io>>;
    type Addr = L::Addr;

    /// Cancel-safe, as axum requires: the listener keeps connections that have arrived.
    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                (io, address) = self.inner.accept() => self.shake_hands(io, address),
                Some(handshake) = self.handshakes.join_next() => {
                    // An error means that the handshake was aborted in favour of a newer one.
                    if let Ok(Some(connection)) = handshake {
                        return connection;
                    }
                }
            }
        }
    }

    /// Returns the address that the inner listener had when it was passed to [`TlsListener::new`].
    fn local_addr(&self) -> io::Result<Self::Addr> {
        match &self.local_addr {
            Ok(address) => Ok(address.clone()),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }
}

impl<L> fmt::Debug for TlsListener<L>
where
    L: Listener,
    L::Addr: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsListener")
            .field("local_addr", &self.local_addr)
            .field("acceptor", &self.acceptor)
            .field("handshakes", &self.handshakes.len())
            .finish_non_exhaustive()
    }
}

/// The transport below a [`TlsListener`]'s streams: the socket, and what the handshake on it found out.
///
/// `axum::serve` passes a connection's stream to the make-service, and nothing else, so the result of the handshake
/// travels in the stream.
#[derive(Debug)]
pub struct Captured<IO> {
    io: IO,
    info: OnceLock<TlsConnectInfo>,
    acceptor: ClientCertAcceptor,
}

impl<IO> Captured<IO> {
    /// Returns the socket.
    #[must_use]
    pub fn get_ref(&self) -> &IO {
        &self.io
    }

    /// Returns what the handshake found out. `None` until the handshake is done.
    #[must_use]
    pub fn tls_connect_info(&self) -> Option<&TlsConnectInfo> {
        self.info.get()
    }

    /// Waits until the client's certificate is no longer worth what it was: see
    /// [`ClientCertAcceptor::trust_lost`]. Before the handshake is done there is none that could be.
    pub fn trust_lost(&self) -> impl Future<Output = TrustLost> + Send + 'static {
        let lost = self.tls_connect_info().map(|info| self.acceptor.trust_lost(info));
        async move {
            match lost {
                Some(lost) => lost.await,
                None => std::future::pending().await,
            }
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Captured<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Captured<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// Makes `axum::serve` attach [`TlsConnectInfo`] to every request to `service`, and `ConnectInfo` with the client's
/// address, as `into_make_service_with_connect_info` does.
///
/// Every header that a reader of client certificates might believe is removed from each request. A request is refused
/// if it is for a host with another policy than the connection's, or if a new handshake would no longer accept the
/// client's certificate. See [`WithTlsConnectInfo`].
///
/// It works on a [`TlsListener`], and on any wrapper around one that keeps its streams.
///
/// ```no_run
/// use axum::{Router, extract::ConnectInfo, routing::get};
/// use std::net::SocketAddr;
/// use tower::Layer;
/// use tower_client_cert::{ClientCertLayer, TlsConnectInfo, make_service};
///
/// # async fn serve(listener: tower_client_cert::TlsListener<tokio::net::TcpListener>) -> std::io::Result<()> {
/// async fn hello(ConnectInfo(address): ConnectInfo<SocketAddr>, tls: TlsConnectInfo) -> String {
///     format!("{address} over {:?}", tls.protocol_version())
/// }
///
/// // Put the layer around the whole app: a router's own `layer` misses routes that are added later.
/// let app = ClientCertLayer::new().layer(Router::new().route("/", get(hello)));
/// axum::serve(listener, make_service(app)).await
/// # }
/// ```
pub fn make_service<S>(service: S) -> MakeService<S> {
    MakeService { service }
}

/// The make-service that [`make_service`] returns.
#[derive(Clone, Debug)]
pub struct MakeService<S> {
    service: S,
}

impl<'a, S, L, IO> Service<IncomingStream<'a, L>> for MakeService<S>
where
    S: Clone,
    L: Listener<Io = TlsStream<Captured<IO>>>,
    L::Addr: Clone + Sync + 'static,
{
    type Response = WithTlsConnectInfo<AddExtension<S, ConnectInfo<L::Addr>>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, stream: IncomingStream<'a, L>) -> Self::Future {
        // A `TlsListener` only hands out streams whose handshake is done, so the default is never used.
        let info = stream.io().get_ref().0.tls_connect_info().cloned();
        let info = info.unwrap_or_else(|| TlsConnectInfo::new(None));
        let address = Extension(ConnectInfo(stream.remote_addr().clone()));
        ready(Ok(info.layer(address.layer(self.service.clone()))))
    }
}
