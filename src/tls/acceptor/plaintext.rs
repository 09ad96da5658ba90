//! Recognizes plain HTTP on the TLS port by its first byte, and answers it with a message that a person can read.

use std::io;

use rustls::{Error, InvalidMessage};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::accept_error::AcceptError;

/// The answer that nginx gives (`The plain HTTP request was sent to HTTPS port`), with the remedy added.
const ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: text/plain\r\n\
    content-length: 61\r\n\
    connection: close\r\n\
    \r\n\
    This port speaks TLS and got plain HTTP. Use an https:// URL.";

/// The most bytes of a request that are read before it is answered.
const MAX_REQUEST: u64 = 16 * 1024;

/// Reads the first byte that a client sends.
///
/// rustls does nothing with a single byte, which is less than a TLS record, so it can be passed to rustls ahead of the
/// rest.
pub(super) async fn first_byte<IO: AsyncRead + Unpin>(io: &mut IO) -> Result<u8, AcceptError> {
    io.read_u8().await.map_err(AcceptError::Handshake)
}

/// Whether a client that begins with this byte may speak HTTP. An HTTP method begins with a capital letter, and no type
/// of TLS record has such a value.
pub(super) fn may_be_http(first: u8) -> bool {
    first.is_ascii_uppercase()
}

/// Returns the error for a client that began with a letter, and the answer to send if it speaks HTTP.
pub(super) async fn refuse<IO: AsyncRead + Unpin>(io: &mut IO) -> (AcceptError, &'static [u8]) {
    match is_request(io).await {
        Ok(true) => (AcceptError::PlainHttp, ANSWER),
        Ok(false) => {
            let error = Error::InvalidMessage(InvalidMessage::InvalidContentType);
            (AcceptError::Handshake(io::Error::new(io::ErrorKind::InvalidData, error)), &[])
        }
        Err(error) => (AcceptError::Handshake(error), &[]),
    }
}

/// Reads the head of a request. Returns `false` as soon as it proves not to be one.
async fn is_request<IO: AsyncRead + Unpin>(io: &mut IO) -> io::Result<bool> {
    let mut io = io.take(MAX_REQUEST);
    let mut head = Vec::with_capacity(1024);
    loop {
        let looked_at = head.len().saturating_sub(3);
        let ended = io.read_buf(&mut head).await? == 0;
        let line = head.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default();
        if line.ends_with(b"\n") && !is_request_line(line) {
            return Ok(false);
        }
        if ended || has_empty_line(head.get(looked_at..).unwrap_or_default()) {
            return Ok(line.ends_with(b"\n"));
        }
    }
}

/// Whether a line ends as a request line of HTTP/1, or the first line of HTTP/2's preface, does.
fn is_request_line(line: &[u8]) -> bool {
    matches!(line.trim_ascii_end(), [.., b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'])
}

fn has_empty_line(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|window| window == b"\r\n\r\n") || bytes.windows(2).any(|window| window == b"\n\n")
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[test]
    fn the_answer_is_as_long_as_it_says() {
        let (head, body) = std::str::from_utf8(ANSWER).unwrap().split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())));
    }

    #[tokio::test]
    async fn a_request_is_told_from_other_text_whatever_pieces_it_comes_in() {
        let cases: [(&[u8], bool); 7] = [
            (b"ET / HTTP/1.1\r\nhost: a\r\n\r\n", true),
            (b"ET / HTTP/1.0\n\n", true),
            (b"RI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true),
            (b"ET / HTTP/1.1\r\nhost", true), // and no more
            (b"SH-2.0-OpenSSH_9.9\r\n", false),
            (b"ET / HTTP/1.", false),
            (b"", false),
        ];
        for (text, expected) in cases {
            for size in 1..=text.len().max(1) {
                let mut io = pieces(text, size);
                assert_eq!(is_request(&mut io).await.unwrap(), expected, "{text:?} by {size}");
            }
        }
    }

    /// A reader that returns at most so many bytes at a time.
    fn pieces(text: &[u8], size: usize) -> impl AsyncRead + Unpin {
        let (mut write, read) = tokio::io::duplex(size);
        let text = text.to_vec();
        tokio::spawn(async move { write.write_all(&text).await });
        read
    }
}
