//! What our services answer with: the inner service's future, in the span of its connection, or a refusal.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{CONNECTION, HeaderValue};
use http::{Response, StatusCode};
use pin_project_lite::pin_project;

use crate::telemetry::ConnectionSpan;

/// An answer that the inner service was not asked for. Its body is empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rejection {
    pub(crate) status: StatusCode,
    /// Whether to end an HTTP/1.1 connection, which HTTP/2 has other means for.
    pub(crate) close: bool,
}

impl Rejection {
    pub(crate) const fn new(status: StatusCode) -> Self {
        Self { status, close: false }
    }

    fn response<R: Default>(self) -> Response<R> {
        let mut response = Response::new(R::default());
        *response.status_mut() = self.status;
        if self.close {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

pin_project! {
    /// The future of this crate's services: the inner service's, within the span of the connection, or a refusal with
    /// an empty body.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        answer: Answer<F>,
        span: ConnectionSpan,
    }
}

pin_project! {
    #[project = AnswerProjection]
    #[derive(Debug)]
    enum Answer<F> {
        Inner { #[pin] future: F },
        Refused { refusal: Rejection },
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn inner(future: F, span: ConnectionSpan) -> Self {
        Self { answer: Answer::Inner { future }, span }
    }

    pub(crate) fn refused(refusal: Rejection) -> Self {
        Self { answer: Answer::Refused { refusal }, span: ConnectionSpan::default() }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match this.answer.project() {
            AnswerProjection::Inner { future } => {
                let _entered = this.span.enter();
                future.poll(cx)
            }
            AnswerProjection::Refused { refusal } => Poll::Ready(Ok(refusal.response())),
        }
    }
}
