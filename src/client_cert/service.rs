use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use tower_service::Service;

use super::layer::Config;
#[cfg(feature = "tracing")]
use super::log::Received;
use super::source::connect_info;
use crate::dialect::{Dialect, Skipper};
#[cfg(feature = "tracing")]
use crate::peer::TlsConnectInfo;
use crate::strip::StripTrailers;
use crate::telemetry;

/// The service of [`ClientCertLayer`](super::ClientCertLayer).
///
/// Its future is the inner service's own: a request is changed before it is passed on, and nothing afterwards.
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

impl<S, D, B> Service<Request<B>> for ClientCert<S, D>
where
    S: Service<Request<StripTrailers<B>>>,
    D: Dialect,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let info = connect_info(request.extensions());
        let kept = self.config.keep(request.headers(), info.as_deref());
        let written = self.config.headers_for(info.as_deref());
        #[cfg(feature = "tracing")]
        if self.config.log_headers {
            let peer = info.as_deref().and_then(TlsConnectInfo::peer_certificates);
            Received::new(request.headers(), &self.config.owned).log(&written, peer);
        }
        // Stripping is unconditional and cannot fail, so that no forged header passes; only then is anything written.
        let stripped = self.config.owned.strip(request.headers_mut());
        if stripped > 0 {
            telemetry::stripped(stripped);
            #[cfg(feature = "tracing")]
            tracing::debug!(stripped, "removed headers from a request that only this layer may write");
        }
        self.config.insert(kept, &written, request.headers_mut());
        let owned = Arc::clone(&self.config.owned);
        self.inner.call(request.map(|body| StripTrailers::new(body, owned)))
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
