//! A server with deadlines: for header, drain and age, and with an end for connections whose trust is lost.

mod activity;
mod connection;
mod cuttable;
mod ending;
mod schedule;
mod transport;

use std::error::Error;
use std::fmt;
use std::future::{IntoFuture, Pending, pending};
use std::pin::{Pin, pin};
use std::time::Duration;

use axum::body::Body;
use axum::serve::Listener;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower_service::Service;

pub use self::transport::Transport;

type BoxError = Box<dyn Error + Send + Sync>;

/// Serves HTTP/1.1 and HTTP/2 on a [`TlsListener`](crate::TlsListener), with time limits for handshakes, for the heads of
/// requests, for idle connections and for the end of every connection.
///
/// It takes an axum `Router`, or any other tower service, and does what [`make_service`](crate::make_service) does under
/// [`axum::serve()`]: each request carries its [`TlsConnectInfo`](crate::TlsConnectInfo) and, in axum's `ConnectInfo`, the
/// client's address. Beyond that, it
///
/// - closes connections whose clients do not send a request in time ([`header_timeout`](Serve::header_timeout)), or no
///   longer answer ([`http2_keep_alive`](Serve::http2_keep_alive));
/// - drains a connection when its client's certificate [is no longer worth what it
///   was](crate::ClientCertAcceptor::trust_lost), or when it is [old enough](Serve::max_connection_age): requests under
///   way are answered, no new ones are taken, and what is not done after the [drain timeout](Serve::drain_timeout) is
///   cut;
/// - drains all connections in a [graceful shutdown](Serve::with_graceful_shutdown), within the same time;
/// - takes [larger headers](Serve::max_header_size) over HTTP/2 than hyper does by itself, since certificates are large.
///
/// A request that is under way has no time limit of its own. It is under way until its response has been written, so a
/// client that sends its request's body a byte a minute, or never reads the response, keeps its connection for as long as
/// it likes, unless a [maximum age](Serve::max_connection_age) is set. A handler that reads a body can set a time limit for
/// that itself, and a layer can limit how long the whole app may take to answer.
///
/// Await it to serve. To drop it is to end every connection at once.
///
/// ```no_run
/// use std::time::Duration;
///
/// use axum::{Router, routing::get};
/// use tower::Layer;
/// use tower_client_cert::{ClientCertAcceptor, ClientCertLayer, PeerCertificates, TlsListener, serve};
///
/// # async fn run(acceptor: ClientCertAcceptor) -> Result<(), Box<dyn std::error::Error>> {
/// let app = Router::new().route("/", get(|peer: Option<PeerCertificates>| async move { format!("{peer:?}") }));
/// let tcp = tokio::net::TcpListener::bind("127.0.0.1:8443").await?;
/// serve(TlsListener::new(tcp, acceptor), ClientCertLayer::new().layer(app))
///     .max_connection_age(Duration::from_secs(60 * 60))
///     .with_graceful_shutdown(async {
///         let _ = tokio::signal::ctrl_c().await;
///     })
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// The version of HTTP is the one that ALPN has settled: HTTP/2 if that is `h2`, HTTP/1.1 otherwise.
///
/// # Backends
///
/// A plain [`TcpListener`](tokio::net::TcpListener) can be served, too, over HTTP/1.1 and over HTTP/2 with prior knowledge.
/// Requests then keep their headers, for [`ForwardedClientCertLayer`](crate::forwarded::ForwardedClientCertLayer) to read,
/// which finds the proxy's address in `ConnectInfo`.
///
/// # Upgrades
///
/// WebSockets work, axum's own among them. A connection that was upgraded belongs to whoever has taken it over, and a
/// request that is under way on it never ends, so this is what becomes of it:
///
/// - when the client's certificate is no longer worth what it was, the connection is ended at once: the client gets TLS's
///   `close_notify`, and the handler an error from its next read or write, whose kind is `ConnectionAborted` and whose
///   text is the reason. A close frame can't be sent: it could end up inside another frame;
/// - at its maximum age the handler has until the drain timeout before the same happens;
/// - a graceful shutdown waits for it, until the drain timeout. A handler that is to close sooner, with a farewell, can
///   wait for the same signal.
///
/// All this is HTTP/1.1. There are no WebSockets over HTTP/2: this server does not offer the extended `CONNECT` of RFC 8441
/// that they need, and clients open an HTTP/1.1 connection for them. Nor are there tunnels over HTTP/2 to rely on: once a
/// handler has answered a `CONNECT` with success, its request is over, and a connection with nothing but such tunnels is
/// closed as an idle one.
pub fn serve<L, S>(listener: L, service: S) -> Serve<L, S> {
    Serve { listener, service, signal: pending(), settings: Settings::default() }
}

/// A server to be awaited, which [`serve`] returns.
#[must_use = "nothing is served until it is awaited"]
pub struct Serve<L, S, F = Pending<()>> {
    listener: L,
    service: S,
    signal: F,
    settings: Settings,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    header_timeout: Duration,
    drain_timeout: Duration,
    max_connection_age: Option<Duration>,
    http2_keep_alive: Duration,
    max_header_size: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
            max_connection_age: None,
            http2_keep_alive: Duration::from_secs(20),
            max_header_size: 64 * 1024,
        }
    }
}

impl<L, S, F> Serve<L, S, F> {
    /// Sets how long a client may take to send the head of a request, and leave a connection idle. The default is 30
    /// seconds.
    ///
    /// Over HTTP/1.1 the time runs from the connection's beginning, and from the end of each response, to the end of the
    /// next request's head. Over HTTP/2 a connection is closed when for so long no request has been under way; one
    /// that is stuck within the head of a request can't answer the [keep-alive](Self::http2_keep_alive), and is cut.
    /// A request is under way until its response has been written, however slowly the client reads it.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.settings.header_timeout = timeout;
        self
    }

    /// Sets how long requests may go on when their connection is to end: in a graceful shutdown, when the client's
    /// certificate is no longer worth what it was, and at the connection's maximum age. Then they are cut. The default is
    /// 30 seconds.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.settings.drain_timeout = timeout;
        self
    }

    /// Sets how old a connection may become before it is drained. By default it may be as old as it likes.
    ///
    /// With a maximum age, clients come back through the load balancer now and then, and a new handshake looks at their
    /// certificates. It is also the one limit for clients that send a body or read a response as slowly as they can: with
    /// the [drain timeout](Self::drain_timeout), it bounds how long any request or upgraded connection may last.
    pub fn max_connection_age(mut self, age: Duration) -> Self {
        self.settings.max_connection_age = Some(age);
        self
    }

    /// Sets how often an HTTP/2 client must show that it is still there, and how long it may take to. The default is 20
    /// seconds, and it is never more than the [header timeout](Self::header_timeout).
    pub fn http2_keep_alive(mut self, interval: Duration) -> Self {
        self.settings.http2_keep_alive = interval;
        self
    }

    /// Sets how many bytes the headers of a request may have. A request with more is answered with `431`, before any
    /// layer sees it. The default is 64 KiB, which is room for four of this crate's largest values.
    ///
    /// hyper's own limit over HTTP/2 is 16 KiB, and so less than what a proxy with this crate's layer may send. Over
    /// HTTP/1.1 the number is the size of a connection's buffer, at least 8 KiB, and what arrives together may exceed it.
    pub fn max_header_size(mut self, bytes: usize) -> Self {
        self.settings.max_header_size = bytes;
        self
    }

    /// Shuts down when this future is done: nothing more is accepted, unfinished handshakes are cut, idle connections
    /// are closed, and requests under way are answered, for as long as the [drain timeout](Self::drain_timeout) lasts.
    pub fn with_graceful_shutdown<G>(self, signal: G) -> Serve<L, S, G>
    where
        G: Future<Output = ()> + Send + 'static,
    {
        Serve { listener: self.listener, service: self.service, signal, settings: self.settings }
    }
}

impl<L, S, F, B> Serve<L, S, F>
where
    L: Listener<Io: Transport, Addr: Clone + fmt::Debug + Sync + 'static>,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    F: Future<Output = ()> + Send + 'static,
    B: HttpBody<Data: Send, Error: Into<BoxError>> + Default + Send + 'static,
{
    async fn run(self) -> Result<(), DrainError> {
        let Self { mut listener, service, signal, settings } = self;
        let (stop, stopped) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut signal = pin!(signal);
        loop {
            tokio::select! {
                (io, address) = listener.accept() => {
                    let connection =
                        connection::serve(io, address, service.clone(), settings, stopped.clone());
                    connections.spawn(connection);
                }
                () = &mut signal => break,
            }
            // Not in a branch of its own: that would break off `accept`, and with it the wait of a listener that has
            // run out of file descriptors.
            while connections.try_join_next().is_some() {}
        }
        drop((listener, stopped));
        stop.send_replace(());
        let drained = async { while connections.join_next().await.is_some() {} };
        match tokio::time::timeout(settings.drain_timeout, drained).await {
            Ok(()) => Ok(()),
            Err(_) => Err(DrainError { connections: connections.len(), after: settings.drain_timeout }),
        }
    }
}

impl<L, S, F, B> IntoFuture for Serve<L, S, F>
where
    L: Listener<Io: Transport, Addr: Clone + fmt::Debug + Sync + 'static>,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    F: Future<Output = ()> + Send + 'static,
    B: HttpBody<Data: Send, Error: Into<BoxError>> + Default + Send + 'static,
{
    type Output = Result<(), DrainError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<L: fmt::Debug, S, F> fmt::Debug for Serve<L, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Says that a graceful shutdown had to cut connections.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{connections} connections were cut, since they had not ended within {after:?}")]
#[non_exhaustive]
pub struct DrainError {
    /// How many connections were cut.
    pub connections: usize,
    /// How long they were waited for.
    pub after: Duration,
}
