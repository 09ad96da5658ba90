//! What every target does.
//!
//! An input is the values of the dialect's headers, a line each, in the order of `header_names()`. A line that starts
//! with `+` is one more value of the header before it. So a file with one value in it is an input.

use http::{HeaderMap, HeaderValue};
use tower_client_cert::dialect::{Dialect, Outgoing, VerifyStatus};

/// Decodes. What is accepted must come through the dialect's own encoder unchanged.
pub fn decode(dialect: &dyn Dialect, input: &[u8]) {
    let Some(headers) = headers(dialect, input) else { return };
    match dialect.decode(&headers) {
        Ok(Some(read)) if !read.certificates.is_empty() => {
            let mut written = HeaderMap::new();
            let status = match read.status {
                None | Some(VerifyStatus::None) => VerifyStatus::Success,
                Some(status) => status,
            };
            dialect.encode(&Outgoing::new(&read.certificates, status), &mut written);
            let again = dialect.decode(&written).expect("its own encoder's").expect("not absent");
            assert_eq!(again.certificates, read.certificates);
        }
        Ok(_) => {}
        Err(error) => {
            let longest = headers.values().map(HeaderValue::len).max().unwrap_or(0);
            assert!(error.offset() <= longest, "{error}");
            assert!(error.to_string().bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{error}");
        }
    }
}

/// Puts an element of this hop's own behind what is kept of the input: the reader of one hop finds that one.
pub fn append(dialect: &dyn Dialect, input: &[u8]) {
    let Some(received) = headers(dialect, input) else { return };
    let leaf = rustls::pki_types::CertificateDer::from(vec![0x30, 0x00]);
    let mut own = HeaderMap::new();
    dialect.encode(&Outgoing::new(std::slice::from_ref(&leaf), VerifyStatus::Success), &mut own);
    for (name, kept) in &dialect.keep(&received, true) {
        let joined = dialect.append(kept, &own[name]).expect("a value");
        let read = dialect.decode(&HeaderMap::from_iter([(name.clone(), joined)]));
        assert_eq!(read.expect("well-formed").expect("there").certificates, [leaf.clone()]);
    }
}

fn headers(dialect: &dyn Dialect, input: &[u8]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let mut names = dialect.header_names().iter();
    let mut name = names.next()?;
    for (position, line) in input.split(|byte| *byte == b'\n').enumerate() {
        let value = match line.strip_prefix(b"+") {
            Some(more) if position > 0 => more,
            _ => {
                name = if position == 0 { name } else { names.next()? };
                line
            }
        };
        headers.append(name, HeaderValue::from_bytes(value).ok()?);
    }
    Some(headers)
}
