use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::layer::{DeniedResponse, EmptyResponse, Guard};
use super::source::{CertificateSource, FromConnection};

/// The service of [`RequireClientCertLayer`](super::RequireClientCertLayer).
pub struct RequireClientCert<I, S = FromConnection, R = EmptyResponse> {
    inner: I,
    guard: Arc<Guard<S, R>>,
}

impl<I, S, R> RequireClientCert<I, S, R> {
    pub(super) fn new(inner: I, guard: Arc<Guard<S, R>>) -> Self {
        Self { inner, guard }
    }

    /// The inner service.
    #[must_use]
    pub fn get_ref(&self) -> &I {
        &self.inner
    }

    /// The inner service.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut I {
        &mut self.inner
    }

    /// The inner service.
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
                ResponseFuture { answer: Answer::LetIn { future: self.inner.call(request) } }
            }
            Err(denied) => {
                let mut response = self.guard.response.response(&denied);
                response.extensions_mut().insert(denied);
                ResponseFuture { answer: Answer::Denied { response: Some(response) } }
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

pin_project! {
    /// The future of [`RequireClientCert`].
    #[derive(Debug)]
    pub struct ResponseFuture<F, B> {
        #[pin]
        answer: Answer<F, B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = AnswerProjection]
    enum Answer<F, B> {
        LetIn { #[pin] future: F },
        Denied { response: Option<Response<B>> },
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().answer.project() {
            AnswerProjection::LetIn { future } => future.poll(cx),
            // Nothing is left if it is polled after it was done, which nobody may do.
            AnswerProjection::Denied { response } => {
                response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
            }
        }
    }
}
