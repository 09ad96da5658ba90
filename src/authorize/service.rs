use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::layer::{DeniedResponse, EmptyResponse, Guard};
use super::source::{CertificateSource, FromConnection};
use crate::future::ResponseFuture;
use crate::telemetry::ConnectionSpan;

/// The service of [`RequireClientCertLayer`](super::RequireClientCertLayer).
pub struct RequireClientCert<I, S = FromConnection, R = EmptyResponse> {
    inner: I,
    guard: Arc<Guard<S, R>>,
}

impl<I, S, R> RequireClientCert<I, S, R> {
    pub(super) fn new(inner: I, guard: Arc<Guard<S, R>>) -> Self {
        Self { inner, guard }
    }

    /// Returns the inner service.
    #[must_use]
    pub fn get_ref(&self) -> &I {
        &self.inner
    }

    /// Returns the inner service.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut I {
        &mut self.inner
    }

    /// Returns the inner service.
    #[must_use]
    pub fn into_inner(self) -> I {
        self.inner
    }
}

impl<I, S, R, A, B> Service<Request<A>> for RequireClientCert<I, S, R>
where
    I: Service<Request<A>, Response = Response<B>>,
    S: CertificateSource,
    R: DeniedResponse<B>,
{
    type Response = Response<B>;
    type Error = I::Error;
    type Future = ResponseFuture<I::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        match self.guard.check(request.extensions()) {
            Ok(client) => {
                request.extensions_mut().insert(client);
                ResponseFuture::inner(self.inner.call(request), ConnectionSpan::default())
            }
            Err(denied) => {
                let mut response = self.guard.response.response(&denied);
                response.extensions_mut().insert(denied);
                ResponseFuture::refused(response)
            }
        }
    }
}

impl<I: Clone, S, R> Clone for RequireClientCert<I, S, R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), guard: Arc::clone(&self.guard) }
    }
}

impl<I: fmt::Debug, S, R> fmt::Debug for RequireClientCert<I, S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireClientCert").field("inner", &self.inner).field("guard", &self.guard).finish()
    }
}
