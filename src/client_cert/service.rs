use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use tower_service::Service;

use super::layer::Config;
#[cfg(feature = "tracing")]
use super::log::CameWith;
use super::source::connect_info;
use crate::dialect::{Dialect, Skipper};
use crate::future::{ConnectionSpan, Refusal, ResponseFuture};
#[cfg(feature = "tracing")]
use crate::peer::TlsConnectInfo;
use crate::strip::{Received, StripTrailers};
use crate::telemetry;

/// The service of [`ClientCertLayer`](super::ClientCertLayer).
pub struct ClientCert<S, D = Skipper> {
    inner: S,
    config: Arc<Config<D>>,
}

impl<S, D> ClientCert<S, D> {
    pub(super) fn new(inner: S, config: Arc<Config<D>>) -> Self {
        Self { inner, config }
    }

    /// The inner service.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, D, B, R> Service<Request<B>> for ClientCert<S, D>
where
    S: Service<Request<StripTrailers<B>>, Response = Response<R>>,
    D: Dialect,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let config = &*self.config;
        #[cfg(feature = "tracing")]
        let came_with = config.log_headers.then(|| CameWith::new(&request, &config.owned));
        // Stripping is unconditional and cannot fail, so that no forged header passes; only then is anything written.
        config.owned.screen(&mut request);
        let info = connect_info(request.extensions());
        let kept =
            config.keep(request.extensions().get().map(|Received { headers, .. }| headers), info.as_deref());
        let written = config.headers_for(info.as_deref());
        #[cfg(feature = "tracing")]
        if let Some(came_with) = came_with {
            let peer = info.as_deref().and_then(TlsConnectInfo::peer_certificates);
            came_with.log(written.as_deref().unwrap_or_default(), peer);
        }
        drop(info);
        if let Some(received) = request.extensions_mut().get_mut::<Received>() {
            let stripped = received.count(|name| kept.contains_key(name));
            if stripped > 0 {
                telemetry::stripped(stripped);
                #[cfg(feature = "tracing")]
                tracing::debug!(stripped, "removed headers from a request that only this layer may write");
            }
        }
        let Some(written) = written else {
            #[cfg(feature = "tracing")]
            tracing::debug!("refused a request with 431: its client certificate is too large to forward");
            return ResponseFuture::refused(Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        };
        config.insert(kept, &written, request.headers_mut());
        let owned = Arc::clone(&config.owned);
        let future = self.inner.call(request.map(|body| StripTrailers::new(body, owned)));
        ResponseFuture::inner(future, ConnectionSpan::default())
    }
}

impl<S: Clone, D> Clone for ClientCert<S, D> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), config: Arc::clone(&self.config) }
    }
}

impl<S: fmt::Debug, D> fmt::Debug for ClientCert<S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCert").field("inner", &self.inner).field("config", &self.config).finish()
    }
}
