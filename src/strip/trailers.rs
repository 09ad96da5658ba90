use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::owned::OwnedHeaders;

pin_project! {
    /// A request body without the trailers that a reader of client certificates might believe.
    ///
    /// Trailers arrive after every header was checked, and some backends merge them into the headers (RFC 9110 section
    /// 6.5.1 warns of it). The data and all other trailers pass unchanged.
    #[derive(Debug)]
    pub struct StripTrailers<B> {
        #[pin]
        inner: B,
        owned: Arc<OwnedHeaders>,
    }
}

impl<B> StripTrailers<B> {
    pub(crate) fn new(inner: B, owned: Arc<OwnedHeaders>) -> Self {
        Self { inner, owned }
    }

    /// Returns the inner body, with all of its trailers.
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
            this.owned.strip_trailers(trailers);
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
