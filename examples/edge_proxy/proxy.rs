//! From a client's request to the backend's answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Notify;
use tower::util::BoxCloneSyncService;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_client_cert::dialect::AnyDialect;

use crate::args::BackendAddress;
use crate::forwarding::Forwarding;
use crate::headers::{self, plain_text};
use crate::upgrade::{self, Upgrade};

/// Answers every request.
pub(crate) type Proxy = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// First the head is made fit for the backend, then each dialect strips and writes, then the request is sent.
pub(crate) fn proxy(backend: Backend, dialects: &[AnyDialect], forwarding: &Forwarding) -> Proxy {
    let mut service: Proxy = BoxCloneSyncService::new(service_fn(move |request| {
        let backend = backend.clone();
        async move { Ok(backend.forward(request).await) }
    }));
    for dialect in dialects {
        let inner = service.map_request(|request: Request<_>| request.map(Body::new));
        service = BoxCloneSyncService::new(forwarding.layer(dialect).layer(inner));
    }
    BoxCloneSyncService::new(service_fn(move |mut request: Request<Body>| {
        let service = service.clone();
        async move {
            let client = request.extensions().get::<ConnectInfo<SocketAddr>>();
            let client = client.expect("`serve` puts it on every request").ip();
            let asked = request.extensions().get::<OnUpgrade>().cloned();
            let response = match headers::for_backend(&mut request, client) {
                Ok(()) => service.oneshot(request).await?,
                Err(refusal) => refusal.into(),
            };
            if let Some(asked) = asked.filter(|_| response.status() != StatusCode::SWITCHING_PROTOCOLS) {
                upgrade::close_if_refused(asked);
            }
            Ok(response)
        }
    }))
}

/// The service behind the proxy, and the connections to it.
#[derive(Clone)]
pub(crate) struct Backend {
    authority: Authority,
    connections: hyper_util::client::legacy::Client<HttpConnector, Body>,
    timeout: Duration,
}

/// Why the backend gave no answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("it took longer than {0:?}")]
    Slow(Duration),
    #[error("the client did not send the whole of a well-formed body: {0}")]
    BadBody(#[source] hyper_util::client::legacy::Error),
    #[error(transparent)]
    Failed(#[from] hyper_util::client::legacy::Error),
    #[error("it switched protocols without being asked")]
    Switched,
}

impl Backend {
    pub(crate) fn new(address: BackendAddress, timeout: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let connections = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            // `Host` is the client's.
            .set_host(false)
            .build(connector);
        Self { authority: address.0, connections, timeout }
    }

    async fn forward(self, mut request: Request<Body>) -> Response<Body> {
        let Ok(uri) = self.uri_for(request.uri()) else {
            return plain_text(StatusCode::BAD_REQUEST, "the request's target is not a path");
        };
        *request.uri_mut() = uri;
        let upgrade = Upgrade::requested(&mut request);
        let result = match self.send(request).await {
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => match upgrade {
                Some(upgrade) => upgrade.accept(response).ok_or(NoAnswer::Switched),
                None => Err(NoAnswer::Switched),
            },
            other => other,
        };
        match result {
            Ok(mut response) => {
                headers::for_client(&mut response);
                response.map(Body::new)
            }
            // Not the backend's fault, and the client may be gone.
            Err(error @ NoAnswer::BadBody(_)) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "no request");
                plain_text(StatusCode::BAD_REQUEST, "the request's body is malformed, or ended too early")
            }
            Err(error) => {
                tracing::warn!(backend = %self.authority, error = &error as &dyn std::error::Error, "no answer");
                match error {
                    NoAnswer::Slow(_) => plain_text(StatusCode::GATEWAY_TIMEOUT, "the backend is too slow"),
                    _ => plain_text(StatusCode::BAD_GATEWAY, "the backend does not answer"),
                }
            }
        }
    }

    fn uri_for(&self, target: &Uri) -> Result<Uri, http::Error> {
        let path = target.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        Uri::builder().scheme(Scheme::HTTP).authority(self.authority.clone()).path_and_query(path).build()
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, NoAnswer> {
        if !request.body().is_end_stream() {
            return self.send_with_body(request).await;
        }
        let response = tokio::time::timeout(self.timeout, self.connections.request(request)).await;
        Ok(response.map_err(|_| NoAnswer::Slow(self.timeout))??)
    }

    /// Sends a request. A long upload is not slow: the time starts anew with each piece of the body.
    async fn send_with_body(&self, request: Request<Body>) -> Result<Response<Incoming>, NoAnswer> {
        let progress = Arc::new(Notify::new());
        let broken = Arc::new(AtomicBool::new(false));
        let request = request.map(|body| {
            let (progress, broken) = (Arc::clone(&progress), Arc::clone(&broken));
            let body = body.map_err(move |error| {
                broken.store(true, Ordering::Relaxed);
                error
            });
            Body::new(body.map_frame(move |mut frame| {
                progress.notify_one();
                // `ClientCertLayer` has looked after its own.
                if let Some(trailers) = frame.trailers_mut() {
                    headers::remove_forwarded(trailers);
                }
                frame
            }))
        });
        let mut response = pin!(self.connections.request(request));
        loop {
            tokio::select! {
                response = &mut response => {
                    return response.map_err(|error| match broken.load(Ordering::Relaxed) {
                        true => NoAnswer::BadBody(error),
                        false => NoAnswer::Failed(error),
                    });
                }
                () = progress.notified() => {}
                () = tokio::time::sleep(self.timeout) => return Err(NoAnswer::Slow(self.timeout)),
            }
        }
    }
}
