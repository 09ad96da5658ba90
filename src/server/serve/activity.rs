//! Which requests of a connection are under way, and since when there are none.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::Version;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::Instant;

/// Counts the requests of one connection.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<Mutex<Counts>>);

#[derive(Debug)]
struct Counts {
    under_way: usize,
    quiet_since: Instant,
    /// The version of the requests. `None` before the first.
    version: Option<Version>,
}

/// A request that is under way until this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay(Activity);

impl Activity {
    pub(super) fn new(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Counts { under_way: 0, quiet_since: now, version: None })))
    }

    pub(super) fn begin(&self, version: Version) -> UnderWay {
        let mut counts = self.counts();
        counts.under_way += 1;
        counts.version = Some(version);
        drop(counts);
        UnderWay(self.clone())
    }

    /// Returns since when no request has been under way. `None` if one is.
    pub(super) fn quiet_since(&self) -> Option<Instant> {
        let counts = self.counts();
        (counts.under_way == 0).then_some(counts.quiet_since)
    }

    pub(super) fn version(&self) -> Option<Version> {
        self.counts().version
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut counts = self.0.counts();
        counts.under_way -= 1;
        if counts.under_way == 0 {
            counts.quiet_since = Instant::now();
        }
    }
}

pin_project! {
    /// The body of a response, whose request is under way until all of it has been written to the connection.
    pub(super) struct Sent<B> {
        #[pin]
        body: B,
        under_way: Option<Arc<UnderWay>>,
    }
}

impl<B> Sent<B> {
    pub(super) fn new(body: B, under_way: UnderWay) -> Self {
        Self { body, under_way: Some(Arc::new(under_way)) }
    }
}

impl<B: Body> Body for Sent<B> {
    type Data = Chunk<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        if frame.is_none() {
            *this.under_way = None;
        }
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| frame.map_data(|data| Chunk { data, _under_way: this.under_way.clone() }))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A part of a response's body, whose request is under way as long as this exists.
///
/// Over HTTP/2 a body may have ended long before it is sent: h2 keeps its chunks, however large, until the client has
/// room for them. They can't be taken out of this: [`Buf::copy_to_bytes`] is the provided one, which copies.
#[derive(Debug)]
pub(super) struct Chunk<D> {
    data: D,
    _under_way: Option<Arc<UnderWay>>,
}

impl<D: Buf> Buf for Chunk<D> {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
    }
}
