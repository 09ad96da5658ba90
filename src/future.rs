//! The response future of this crate's services: the inner service's future, in the span of its connection, or a
//! response that does not come from the inner service.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{CONNECTION, HeaderValue};
use http::{Response, StatusCode};
use pin_project_lite::pin_project;

use crate::telemetry::ConnectionSpan;

/// A response with an empty body, from one of this crate's services.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rejection {
    pub(crate) status: StatusCode,
    /// Whether to close an HTTP/1.1 connection. HTTP/2 has other means for that.
    pub(crate) close: bool,
}

impl Rejection {
    pub(crate) const fn new(status: StatusCode) -> Self {
        Self { status, close: false }
    }
}

impl<B: Default> From<Rejection> for Response<B> {
    fn from(rejection: Rejection) -> Self {
        let mut response = Self::new(B::default());
        *response.status_mut() = rejection.status;
        if rejection.close {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

pin_project! {
    /// The future of this crate's services.
    ///
    /// It resolves to the response of the inner service, whose future it polls within the span of the connection, or to
    /// a response that refuses the request.
    #[derive(Debug)]
    pub struct ResponseFuture<F, B> {
        #[pin]
        answer: Answer<F, B>,
        span: ConnectionSpan,
    }
}

pin_project! {
    #[project = AnswerProjection]
    #[derive(Debug)]
    enum Answer<F, B> {
        Inner { #[pin] future: F },
        // Boxed, since a response is large compared with most futures, and a refusal is rare.
        Refused { response: Option<Box<Response<B>>> },
    }
}

impl<F, B> ResponseFuture<F, B> {
    pub(crate) fn inner(future: F, span: ConnectionSpan) -> Self {
        Self { answer: Answer::Inner { future }, span }
    }

    pub(crate) fn refused(response: impl Into<Response<B>>) -> Self {
        let response = Some(Box::new(response.into()));
        Self { answer: Answer::Refused { response }, span: ConnectionSpan::default() }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match this.answer.project() {
            AnswerProjection::Inner { future } => {
                let _entered = this.span.enter();
                future.poll(cx)
            }
            // A future must not be polled after it is done. If it is, there is no response left.
            AnswerProjection::Refused { response } => {
                response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(*response)))
            }
        }
    }
}
