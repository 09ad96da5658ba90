use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use tower_service::Service;

use super::config::Config;
#[cfg(feature = "tracing")]
use super::log::CameWith;
use crate::dialect::{Dialect, Skipper};
use crate::future::{Rejection, ResponseFuture};
use crate::peer::TlsConnectInfo;
use crate::strip::{Received, Screening, StripTrailers};
use crate::telemetry;
use crate::telemetry::ConnectionSpan;

/// The service of [`ClientCertLayer`](super::ClientCertLayer).
pub struct ClientCert<S, D = Skipper> {
    inner: S,
    config: Arc<Config<D>>,
}

impl<S, D> ClientCert<S, D> {
    pub(super) fn new(inner: S, config: Arc<Config<D>>) -> Self {
        Self { inner, config }
    }

    /// Returns the inner service.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the inner service.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service.
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
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let config = &*self.config;
        #[cfg(feature = "tracing")]
        let came_with = config.log_headers.then(|| CameWith::new(&request, &config.owned));
        let (first, written, forwarding) = match request.extensions_mut().get_mut::<TlsConnectInfo>() {
            Some(info) => (info.mark(), config.headers_for(Some(info)), config.forwards(Some(info))),
            None => (TlsConnectInfo::mark_screened(&mut request), config.headers_for(None), false),
        };
        #[cfg(feature = "tracing")]
        if let Some(came_with) = came_with {
            let peer = request.extensions().get().and_then(TlsConnectInfo::peer_certificates);
            came_with.log(written.as_ref().map_or(&[], |written| &written.lines), peer);
        }
        // Stripping is unconditional and cannot fail, so that no forged header passes; only then is anything written.
        let rewrites = written.as_ref().is_some_and(|written| written.all_names);
        let screening = config.owned.screen(first, rewrites, &mut request);
        let replace = matches!(screening, Screening::ToReplace);
        let received = match screening {
            Screening::Clean => None,
            _ => request.extensions_mut().get_mut::<Received>(),
        };
        let kept = received.as_deref().and_then(|received| config.keep(&received.headers, forwarding));
        if let Some(received) = received {
            let stripped = received.count(|name| kept.as_ref().is_some_and(|kept| kept.contains_key(name)));
            if stripped > 0 {
                telemetry::stripped(stripped);
                #[cfg(feature = "tracing")]
                tracing::debug!(stripped, "removed headers from a request that only this layer may write");
            }
        }
        let Some(written) = written else {
            #[cfg(feature = "tracing")]
            tracing::debug!("refused a request with 431: its client certificate is too large to forward");
            return ResponseFuture::refused(Rejection::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        };
        match kept {
            None => Config::<D>::insert(&written, replace, request.headers_mut()),
            Some(kept) => config.insert_behind(kept, &written, replace, request.headers_mut()),
        }
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
