//! The span of a connection, in which its requests are served. Without the feature `tracing` there is none.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionSpan(#[cfg(feature = "tracing")] Option<tracing::Span>);

impl ConnectionSpan {
    /// The span that this is called in.
    pub(crate) fn current() -> Self {
        Self(
            #[cfg(feature = "tracing")]
            Some(tracing::Span::current()).filter(|span| !span.is_none()),
        )
    }

    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        #[cfg(feature = "tracing")]
        let _entered = self.0.as_ref().map(tracing::Span::enter);
        work()
    }
}

pin_project! {
    /// The future of [`WithTlsConnectInfo`](crate::WithTlsConnectInfo): that of the inner service, in the connection's
    /// span.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        span: ConnectionSpan,
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn new(inner: F, span: ConnectionSpan) -> Self {
        Self { inner, span }
    }
}

impl<F: Future> Future for ResponseFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.span.within(|| this.inner.poll(cx))
    }
}
