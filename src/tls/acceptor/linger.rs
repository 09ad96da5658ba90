//! Closes the connection of a client that was refused, so that the client still learns why.
//!
//! To close a socket while data from the client is unread is to reset the connection, and the reset can overtake the
//! alert that was written last. There often is such data: under TLS 1.3 a client learns that it is refused only after
//! it has sent its first request.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// How long to wait for the client. A client that reads the alert closes within a round trip.
const LONGEST: Duration = Duration::from_secs(2);

/// The most bytes to read and discard. A client can't have sent more before it reads the alert.
const MAX_DRAINED: u64 = 256 * 1024;

/// Sends the last bytes, closes for writing, and reads until the client closes too, or the time is up.
pub(super) async fn send_and_close<IO: AsyncRead + AsyncWrite + Unpin>(
    mut io: IO,
    last_words: &[u8],
    limit: Duration,
) {
    let part = async {
        io.write_all(last_words).await?;
        io.shutdown().await?;
        let mut rest = io.take(MAX_DRAINED);
        // On the heap, so that a handshake that succeeds does not carry the buffer in its future.
        let mut buffer = vec![0; 4 * 1024];
        while rest.read(&mut buffer).await? > 0 {}
        std::io::Result::Ok(())
    };
    // The client is refused whether or not it learns why, so an error here changes nothing.
    let _ = tokio::time::timeout(LONGEST.min(limit), part).await;
}
