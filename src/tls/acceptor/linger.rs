//! The end of a connection that was refused: the client is to hear why.
//!
//! To close a socket at once is to reset it, as long as anything that the client sent is unread, and what was written
//! last may then be lost on its way. Clients do send: under TLS 1.3 one learns that it is refused when its first request
//! is on the way.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// A client that hears the alert closes within a round trip.
const LONGEST: Duration = Duration::from_secs(2);

/// What is read, and thrown away, of what the client still sends: more than it can have sent before it hears.
const MAX_DRAINED: u64 = 256 * 1024;

/// Says the last words, closes for writing, and reads until the client closes too; not for long.
pub(super) async fn say_and_close<IO: AsyncRead + AsyncWrite + Unpin>(
    mut io: IO,
    last_words: &[u8],
    limit: Duration,
) {
    let part = async {
        io.write_all(last_words).await?;
        io.shutdown().await?;
        let mut rest = io.take(MAX_DRAINED);
        // Not on the stack: a handshake that succeeds has no need of the room.
        let mut buffer = vec![0; 4 * 1024];
        while rest.read(&mut buffer).await? > 0 {}
        std::io::Result::Ok(())
    };
    // The refusal stands whether or not the client hears of it.
    let _ = tokio::time::timeout(LONGEST.min(limit), part).await;
}
