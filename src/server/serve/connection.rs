//! One connection, from its first request to its end.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::sync::watch;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use super::activity::{Activity, Sent};
use super::cuttable::Cuttable;
use super::ending::Ending;
use super::schedule::{Due, FAR, Schedule};
use super::transport::Transport;
use super::{BoxError, Settings};
use crate::peer::TlsConnectInfo;
use crate::server::WithTlsConnectInfo;

/// Serves a connection until it ends, which may be as an upgraded one.
pub(super) async fn serve<IO, A, S, B>(
    io: IO,
    address: A,
    service: S,
    settings: Settings,
    mut stopped: watch::Receiver<()>,
) where
    IO: Transport,
    A: Clone + fmt::Debug + Send + Sync + 'static,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: HttpBody<Data: Send, Error: Into<BoxError>> + Default + Send + 'static,
{
    let opened = Instant::now();
    let mut trust_lost = io.trust_lost();
    let http = protocol(io.tls_connect_info(), &settings);
    let door = Door::new(io.tls_connect_info(), service);
    let activity = Activity::new(opened);
    let service = {
        let (activity, address) = (activity.clone(), address.clone());
        service_fn(move |request: Request<Incoming>| {
            let under_way = activity.begin(request.version());
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(address.clone()));
            let mut door = door.clone();
            async move {
                let response = door.answer(request).await?;
                Ok::<_, S::Error>(response.map(|body| Sent::new(body, under_way)))
            }
        })
    };

    let (io, cutter) = Cuttable::new(io);
    let mut connection = pin!(Some(http.serve_connection_with_upgrades(TokioIo::new(io), service)));
    let mut schedule = Schedule::new(settings, opened);
    let mut timer = pin!(tokio::time::sleep_until(opened));
    let (mut trusted, mut stopping) = (true, false);
    loop {
        let ending = tokio::select! {
            // hyper has a timer of its own for HTTP/1.1, which cuts. This one goes first, and closes who is idle.
            biased;
            () = &mut timer => {
                let http = connection.is_some().then_some(&activity);
                match schedule.due(http, Instant::now()) {
                    Due::Nothing { until } => {
                        timer.as_mut().reset(until);
                        continue;
                    }
                    Due::Drain(ending) => ending,
                    Due::Cut(ending) => {
                        cut(&address, &ending);
                        return cutter.cut(ending);
                    }
                }
            }
            result = running(connection.as_mut()), if connection.is_some() => {
                if let Err(error) = result {
                    ended_early(&address, &*error);
                }
                // If the connection was upgraded, somebody else has the stream. Otherwise this drops it.
                connection.set(None);
                timer.as_mut().reset(Instant::now());
                continue;
            }
            () = poll_fn(|cx| cutter.poll_dropped(cx)), if connection.is_none() => return,
            lost = &mut trust_lost, if trusted => {
                trusted = false;
                let ending = Ending::TrustLost(lost);
                schedule.drain(ending.clone(), Instant::now());
                ending
            }
            _ = stopped.changed(), if !stopping => {
                stopping = true;
                Ending::Stopped
            }
        };
        draining(&address, &ending);
        if let Some(running) = connection.as_mut().as_pin_mut() {
            running.graceful_shutdown();
        }
        timer.as_mut().reset(Instant::now());
    }
}

/// Serves requests, until the connection ends or is upgraded.
async fn running<C: Future>(mut connection: Pin<&mut Option<C>>) -> C::Output {
    match connection.as_mut().as_pin_mut() {
        Some(connection) => connection.await,
        None => std::future::pending().await,
    }
}

/// ALPN has settled the version of HTTP. Without TLS, hyper looks at the first bytes.
fn protocol(info: Option<&TlsConnectInfo>, settings: &Settings) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http = match info.map(TlsConnectInfo::alpn_protocol) {
        None => http,
        Some(Some(b"h2")) => http.http2_only(),
        Some(_) => http.http1_only(),
    };
    // hyper adds these to the current time, and panics if that overflows.
    let header_timeout = settings.header_timeout.min(FAR);
    let keep_alive = settings.http2_keep_alive.min(header_timeout);
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        // hyper panics if there is less.
        .max_buf_size(settings.max_header_size.max(8 * 1024));
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(keep_alive)
        .keep_alive_timeout(keep_alive)
        .max_header_list_size(u32::try_from(settings.max_header_size).unwrap_or(u32::MAX));
    http
}

/// The way to the service: over TLS it is past [`WithTlsConnectInfo`].
#[derive(Clone)]
enum Door<S> {
    Tls(WithTlsConnectInfo<S>),
    Plain(S),
}

impl<S> Door<S> {
    fn new(info: Option<&TlsConnectInfo>, service: S) -> Self {
        match info {
            Some(info) => Self::Tls(info.layer(service)),
            None => Self::Plain(service),
        }
    }

    async fn answer<B>(&mut self, request: Request<Body>) -> Result<Response<B>, S::Error>
    where
        S: Service<Request<Body>, Response = Response<B>>,
        B: Default,
    {
        match self {
            Self::Tls(service) => call(service, request).await,
            Self::Plain(service) => call(service, request).await,
        }
    }
}

async fn call<S: Service<Request<Body>>>(
    service: &mut S,
    request: Request<Body>,
) -> Result<S::Response, S::Error> {
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}

#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn draining(address: &dyn fmt::Debug, ending: &Ending) {
    #[cfg(feature = "tracing")]
    match ending {
        Ending::TrustLost(_) => tracing::info!(peer = ?address, reason = %ending, "draining a connection"),
        _ => tracing::debug!(peer = ?address, reason = %ending, "draining a connection"),
    }
}

#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn cut(address: &dyn fmt::Debug, ending: &Ending) {
    #[cfg(feature = "tracing")]
    match ending {
        Ending::Quiet => tracing::debug!(peer = ?address, reason = %ending, "cut a connection"),
        _ => tracing::info!(peer = ?address, reason = %ending, "cut a connection that had not ended in time"),
    }
}

#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn ended_early(address: &dyn fmt::Debug, error: &(dyn std::error::Error + 'static)) {
    #[cfg(feature = "tracing")]
    tracing::debug!(peer = ?address, error, "connection ended early");
}
