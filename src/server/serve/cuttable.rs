//! A stream that can be ended from outside, whoever has it: hyper, or whoever took it over by an upgrade.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ending::Ending;

/// A stream that fails once its [`Cutter`] says so.
#[derive(Debug)]
pub(super) struct Cuttable<IO> {
    io: IO,
    shared: Arc<Shared>,
}

/// Ends its stream when it is dropped, at the latest.
#[derive(Debug)]
pub(super) struct Cutter(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Whether `state` has an ending. It is looked at before each operation, which spares a lock.
    cut: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ending: Option<Ending>,
    /// Whether the stream has been dropped.
    dropped: bool,
    /// Who waits for the stream to be readable, to be writable, and to be dropped.
    reader: Option<Waker>,
    writer: Option<Waker>,
    cutter: Option<Waker>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

impl Cutter {
    /// Ends the stream: every operation fails from now on.
    pub(super) fn cut(&self, ending: Ending) {
        let mut state = self.0.state();
        if state.ending.is_some() {
            return;
        }
        state.ending = Some(ending);
        self.0.cut.store(true, Ordering::Release);
        let waiting = [state.reader.take(), state.writer.take()];
        drop(state);
        waiting.into_iter().flatten().for_each(Waker::wake);
    }

    /// Waits until the stream has been dropped.
    pub(super) fn poll_dropped(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.0.state();
        if state.dropped {
            return Poll::Ready(());
        }
        wait(&mut state.cutter, cx);
        Poll::Pending
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.cut(Ending::Stopped);
    }
}

impl<IO> Cuttable<IO> {
    pub(super) fn new(io: IO) -> (Self, Cutter) {
        let shared = Arc::new(Shared::default());
        (Self { io, shared: Arc::clone(&shared) }, Cutter(shared))
    }
}

impl<IO> Drop for Cuttable<IO> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.dropped = true;
        let cutter = state.cutter.take();
        drop(state);
        if let Some(cutter) = cutter {
            cutter.wake();
        }
    }
}

impl<IO: AsyncWrite + Unpin> Cuttable<IO> {
    /// Performs an operation, unless or until the stream is cut.
    fn perform<T>(
        &mut self,
        cx: &mut Context<'_>,
        waker: impl FnOnce(&mut State) -> &mut Option<Waker>,
        operation: impl FnOnce(Pin<&mut IO>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if !self.shared.cut.load(Ordering::Acquire) {
            if let Poll::Ready(result) = operation(Pin::new(&mut self.io), cx) {
                return Poll::Ready(result);
            }
            let mut state = self.shared.state();
            if state.ending.is_none() {
                wait(waker(&mut state), cx);
                return Poll::Pending;
            }
        }
        // The client is told by TLS's own close. One that does not read is not waited for.
        let _ = Pin::new(&mut self.io).poll_shutdown(cx);
        let ending = self.shared.state().ending.clone().unwrap_or(Ending::Stopped);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, ending)))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Cuttable<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.perform(cx, |state| &mut state.reader, |io, cx| io.poll_read(cx, buffer))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Cuttable<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.perform(cx, |state| &mut state.writer, |io, cx| io.poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.perform(cx, |state| &mut state.writer, |io, cx| io.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.perform(cx, |state| &mut state.writer, |io, cx| io.poll_shutdown(cx))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.perform(cx, |state| &mut state.writer, |io, cx| io.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    /// A stream whose client takes nothing any more.
    struct Stuck;

    impl AsyncWrite for Stuck {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_shutdown_that_the_client_holds_up_is_cut() {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let (mut stream, cutter) = Cuttable::new(Stuck);
        assert!(Pin::new(&mut stream).poll_shutdown(&mut cx).is_pending());
        cutter.cut(Ending::Old);
        assert!(woken.0.load(Ordering::Relaxed));
        let Poll::Ready(Err(error)) = Pin::new(&mut stream).poll_shutdown(&mut cx) else {
            panic!("it still waits");
        };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }
}
