//! HTTP/1.1 by hand: one request, one answer, and then the connection is closed.

use std::fmt::Write as _;

use crate::args::Target;

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Bytes of the body, chunks and all.
    received: usize,
}

pub(crate) fn request(target: &Target, headers: &[(String, String)]) -> String {
    let Target { path, authority, .. } = target;
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: doctor\r\nAccept: application/json, */*;q=0.5\r\n\
         Connection: close\r\n"
    );
    for (name, value) in headers {
        // Writing to a string does not fail.
        let _ = write!(request, "{name}: {value}\r\n");
    }
    request.push_str("\r\n");
    request
}

/// Whether this is all of an answer, for servers that keep the connection open all the same.
pub(crate) fn is_whole(answer: &[u8]) -> bool {
    match Reply::parse(answer) {
        Some(reply) if reply.is_chunked() => answer.ends_with(b"\r\n0\r\n\r\n"),
        Some(reply) => {
            let length = reply.header("content-length").and_then(|length| length.parse().ok());
            length.is_some_and(|length: usize| reply.received >= length)
        }
        None => false,
    }
}

impl Reply {
    /// Reads an answer. It may end too early: half a body shows a marker as well as a whole one.
    pub(crate) fn parse(answer: &[u8]) -> Option<Self> {
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
        let (head, body) = answer.split_at(end);
        let head = String::from_utf8_lossy(head);
        let mut lines = head.split("\r\n");
        let status: u16 = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
        let body = body.get(4..)?;
        if (100..200).contains(&status) {
            return Self::parse(body);
        }
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut reply = Self { status, headers, body: String::new(), received: body.len() };
        let body = if reply.is_chunked() { unchunked(body) } else { body.to_vec() };
        reply.body = String::from_utf8_lossy(&body).into_owned();
        Some(reply)
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All that a backend could show something in.
    pub(crate) fn text(&self) -> String {
        let mut text = self.body.clone();
        for (name, value) in &self.headers {
            let _ = write!(text, "\n{name}: {value}");
        }
        text
    }
}

/// The chunks, one after the other, up to the first that is not whole.
fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|two| two == b"\r\n") {
        let (size, rest) = (&body[..end], &body[end + 2..]);
        let size = String::from_utf8_lossy(size);
        let size = size.split(';').next().and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        match size {
            None | Some(0) => break,
            Some(size) => match rest.get(..size) {
                Some(chunk) => {
                    whole.extend_from_slice(chunk);
                    body = rest.get(size..).and_then(|rest| rest.strip_prefix(b"\r\n")).unwrap_or_default();
                }
                None => {
                    whole.extend_from_slice(rest);
                    break;
                }
            },
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_whole_or_in_chunks() {
        let reply = Reply::parse(b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\nbody").unwrap();
        assert_eq!((reply.status, reply.header("server"), reply.body.as_str()), (200, Some("nginx"), "body"));
        let chunked = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n\
                        4\r\nab\r\n\r\n3;x=y\r\ncde\r\n0\r\n\r\n";
        let reply = Reply::parse(chunked).unwrap();
        assert_eq!((reply.status, reply.body.as_str()), (400, "ab\r\ncde"));
        let cut = Reply::parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nab").unwrap();
        assert_eq!(cut.body, "ab");
    }

    #[test]
    fn an_answer_is_whole_when_its_length_says_so() {
        let whole: [&[u8]; 2] = [
            b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ];
        for answer in whole {
            assert!(is_whole(answer));
            assert!((0..answer.len()).all(|end| !is_whole(&answer[..end])));
        }
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\n\r\nup to the end"));
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for nothing in [&b""[..], b"HTTP/1.1 200 OK\r\n", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 2\r\n\r\n"] {
            assert_eq!(Reply::parse(nothing), None);
        }
    }

    #[test]
    fn a_request_ends_where_it_should() {
        let target = "https://a.example:1/x?y".parse().unwrap();
        let request = request(&target, &[("client-cert".to_owned(), "forged".to_owned())]);
        assert!(request.starts_with("GET /x?y HTTP/1.1\r\nHost: a.example:1\r\n"), "{request}");
        assert!(request.ends_with("\r\nclient-cert: forged\r\n\r\n"), "{request}");
    }
}
