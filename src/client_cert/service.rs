use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::layer::Config;
use super::owned::OwnedHeaders;
use super::source::connect_info;
use crate::dialect::{Dialect, Skipper};

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
        // Stripping comes first and cannot fail, so that no later step can let a forged header pass.
        let stripped = self.config.owned.strip(request.headers_mut());
        if stripped > 0 {
            #[cfg(feature = "tracing")]
            tracing::debug!(stripped, "removed headers from a request that only this layer may write");
        }
        let headers = self.config.headers_for(connect_info(request.extensions()).as_deref());
        for (name, value) in headers.iter() {
            request.headers_mut().append(name, value.clone());
        }
        let owned = Arc::clone(&self.config.owned);
        self.inner.call(request.map(|inner| StripTrailers { inner, owned }))
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

pin_project! {
    /// A request body without the trailers that would be read as headers of the layer.
    ///
    /// Trailers arrive after every header was checked, and some backends merge them into the headers (RFC 9110
    /// section 6.5.1 warns of it). All others pass unchanged, and so does the data.
    #[derive(Debug)]
    pub struct StripTrailers<B> {
        #[pin]
        inner: B,
        owned: Arc<OwnedHeaders>,
    }
}

impl<B> StripTrailers<B> {
    /// The body as it came, trailers and all.
    pub fn into_inner(self) -> B {
        self.inner
    }
}

impl<B: Body> Body for StripTrailers<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let mut frame = std::task::ready!(this.inner.poll_frame(cx));
        if let Some(Some(trailers)) =
            frame.as_mut().and_then(|frame| frame.as_mut().ok()).map(Frame::trailers_mut)
        {
            this.owned.strip_names(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
