//! Plain HTTP on the TLS port: told apart by its first byte, and answered so that a person can read it.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// As nginx answers (`The plain HTTP request was sent to HTTPS port`), with the remedy.
const ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: text/plain\r\n\
    content-length: 61\r\n\
    connection: close\r\n\
    \r\n\
    This port speaks TLS and got plain HTTP. Use an https:// URL.";

/// What is read of a request before it is answered, and after that while the client reads the answer.
const MAX_REQUEST: usize = 16 * 1024;

/// The first byte that a client sends.
///
/// One byte is never a TLS record, so it can be handed to rustls ahead of the rest without a thing happening.
pub(super) async fn first_byte<IO: AsyncRead + Unpin>(io: &mut IO) -> io::Result<u8> {
    io.read_u8().await
}

/// Whether a client that begins so speaks HTTP. A method begins with a letter, which is no type of TLS record.
pub(super) fn is_http(first: u8) -> bool {
    first.is_ascii_uppercase()
}

/// Reads the head of the request, answers it, and waits until the client has gone.
///
/// To close at once would be to reset the connection, as long as anything that the client sent is unread; the answer
/// might then be lost on its way.
pub(super) async fn answer<IO: AsyncRead + AsyncWrite + Unpin>(io: &mut IO) -> io::Result<()> {
    let mut request = io.take(MAX_REQUEST as u64);
    let mut buffer = [0; 1024];
    let mut head_end = HeadEnd::default();
    while !head_end.found {
        let read = request.read(&mut buffer).await?;
        if read == 0 {
            break;
        }
        head_end.look(buffer.get(..read).unwrap_or_default());
    }
    let io = request.into_inner();
    io.write_all(ANSWER).await?;
    io.shutdown().await?;
    let mut rest = io.take(MAX_REQUEST as u64);
    while rest.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Looks for the empty line after a head, whatever pieces it comes in.
#[derive(Default)]
struct HeadEnd {
    at_line_start: bool,
    found: bool,
}

impl HeadEnd {
    fn look(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => {
                    self.found |= self.at_line_start;
                    self.at_line_start = true;
                }
                b'\r' => {}
                _ => self.at_line_start = false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_as_long_as_it_says() {
        let answer = std::str::from_utf8(ANSWER).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())));
    }

    #[test]
    fn the_end_of_a_head_is_found_across_pieces() {
        let head = b"ET / HTTP/1.1\r\nhost: a\r\n\r\n";
        for size in 1..head.len() {
            let mut end = HeadEnd::default();
            let (last, before) = head.split_last().unwrap();
            before.chunks(size).for_each(|piece| end.look(piece));
            assert!(!end.found, "{size}");
            end.look(&[*last]);
            assert!(end.found, "{size}");
        }
        let mut bare = HeadEnd::default();
        bare.look(b"ET /\n\n");
        assert!(bare.found);
    }
}
