//! Which headers belong to the layer, in every spelling a backend may read as the same name.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// The names a layer owns, compared after folding.
///
/// CGI, WSGI, Rack and PHP hand a request's headers to the application as `HTTP_X_FORWARDED_…`, and map `-`, and some
/// of them `.` or any other punctuation, to `_`. A client that sends `x_forwarded_tls_client_cert` past a filter for
/// the exact name is then believed. So names are equal here if they are equal after lower-casing and mapping every
/// byte outside `[a-z0-9]` to one symbol.
#[derive(Debug)]
pub(crate) struct OwnedHeaders {
    names: Vec<HeaderName>,
    /// Bit n is set if a name is n bytes long: folding keeps the length, and few foreign names share it.
    lengths: u64,
}

/// The lengths of [`NOMINATING`], in the same way.
const NOMINATING_LENGTHS: u64 = length_bit(2) | length_bit(7) | length_bit(10) | length_bit(16);

/// Headers that name other headers for a later hop to drop or expect.
static NOMINATING: [HeaderName; 4] =
    [header::CONNECTION, HeaderName::from_static("proxy-connection"), header::TRAILER, header::TE];

impl OwnedHeaders {
    pub(crate) fn new(names: &[HeaderName]) -> Self {
        let lengths = names.iter().map(|name| length_bit(name.as_str().len())).fold(0, |all, bit| all | bit);
        Self { names: names.to_vec(), lengths }
    }

    /// Whether `name` folds to an owned one.
    pub(crate) fn contains(&self, name: &[u8]) -> bool {
        self.lengths & length_bit(name.len()) != 0
            && self.names.iter().any(|owned| folds_to(name, owned.as_str().as_bytes()))
    }

    /// Removes every header but the owned ones, and all of those but their first line.
    pub(crate) fn retain(&self, headers: &mut HeaderMap) {
        let kept: HeaderMap = std::mem::take(headers)
            .into_iter()
            .filter_map(|(name, value)| Some((name?, value)))
            .filter(|(name, _)| self.names.contains(name))
            .collect();
        *headers = kept;
    }

    /// Removes every owned header, and every mention of one in `Connection` and its like. Returns how many.
    ///
    /// It cannot fail, and does not allocate for a request that has nothing to strip.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) -> usize {
        // Most requests have nothing to strip, and one look at their lines tells.
        let lengths = self.lengths | NOMINATING_LENGTHS;
        let concerned = |(name, line): (&HeaderName, &HeaderValue)| {
            lengths & length_bit(name.as_str().len()) != 0
                && (self.contains(name.as_str().as_bytes()) || self.is_nominated(name, line))
        };
        if !headers.iter().any(concerned) {
            return 0;
        }
        let stripped = self.strip_names(headers);
        self.strip_nominations(headers);
        stripped
    }

    /// Removes what only folds to an owned name, and every mention of one, and leaves the headers that are called
    /// exactly so: for a hop that may write these, but may have let the other spellings of its client through.
    pub(crate) fn strip_other_spellings(&self, headers: &mut HeaderMap) -> usize {
        let stripped =
            remove(headers, |name| self.contains(name.as_str().as_bytes()) && !self.names.contains(name));
        self.strip_nominations(headers);
        stripped
    }

    /// An owned header that is there, in any spelling.
    pub(crate) fn find<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderName> {
        headers.keys().find(|name| self.contains(name.as_str().as_bytes()))
    }

    fn strip_nominations(&self, headers: &mut HeaderMap) {
        if !headers.iter().any(|(name, line)| self.is_nominated(name, line)) {
            return;
        }
        for nominating in &NOMINATING {
            let kept: Vec<HeaderValue> =
                headers.get_all(nominating).iter().filter_map(|line| self.without_owned(line)).collect();
            headers.remove(nominating);
            for line in kept {
                headers.append(nominating, line);
            }
        }
    }

    fn is_nominated(&self, name: &HeaderName, line: &HeaderValue) -> bool {
        is_nominating(name) && self.is_mentioned(line)
    }

    fn is_mentioned(&self, line: &HeaderValue) -> bool {
        tokens(line).any(|token| self.contains(token))
    }

    /// Removes every owned name from a map of headers or trailers. Returns how many.
    pub(crate) fn strip_names(&self, headers: &mut HeaderMap) -> usize {
        remove(headers, |name| self.contains(name.as_str().as_bytes()))
    }

    /// The line without the owned tokens; `None` if nothing is left of it.
    fn without_owned(&self, line: &HeaderValue) -> Option<HeaderValue> {
        if !self.is_mentioned(line) {
            return Some(line.clone());
        }
        let kept: Vec<&[u8]> = tokens(line).filter(|token| !self.contains(token)).collect();
        HeaderValue::from_bytes(&kept.join(&b", "[..])).ok().filter(|line| !line.is_empty())
    }
}

fn remove(headers: &mut HeaderMap, unwanted: impl Fn(&HeaderName) -> bool) -> usize {
    let unwanted: Vec<HeaderName> = headers.keys().filter(|name| unwanted(name)).cloned().collect();
    for name in &unwanted {
        headers.remove(name);
    }
    unwanted.len()
}

fn is_nominating(name: &HeaderName) -> bool {
    NOMINATING_LENGTHS & length_bit(name.as_str().len()) != 0 && NOMINATING.contains(name)
}

fn tokens(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    line.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

const fn length_bit(length: usize) -> u64 {
    1 << if length < 63 { length } else { 63 }
}

fn folds_to(name: &[u8], owned: &[u8]) -> bool {
    name.len() == owned.len() && name.iter().zip(owned).all(|(a, b)| fold(*a) == fold(*b))
}

const fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned() -> OwnedHeaders {
        OwnedHeaders::new(&[HeaderName::from_static("x-cert"), HeaderName::from_static("x-cert-verify")])
    }

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn every_punctuation_a_header_name_may_hold_folds_to_a_hyphen() {
        for byte in b"!#$%&'*+-.^_`|~" {
            let name = [b'x', *byte, b'C', b'e', b'R', b't'];
            assert!(owned().contains(&name), "{}", *byte as char);
        }
        for other in ["x-certs", "x-cer", "xx-cert", "x-c-rt", "xcert", "x-cert-verif"] {
            assert!(!owned().contains(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn names_longer_than_the_length_bits_are_still_compared() {
        let long: HeaderName = format!("x-{}", "a".repeat(200)).parse().unwrap();
        let owned = OwnedHeaders::new(std::slice::from_ref(&long));
        assert!(owned.contains(long.as_str().replace('-', "_").as_bytes()));
        assert!(!owned.contains("a".repeat(300).as_bytes()));
    }

    #[test]
    fn connection_tokens_go_and_their_neighbours_stay() {
        let mut headers = map(&[
            ("connection", "close, X-Cert,,  x_cert.verify ,upgrade"),
            ("connection", "x!cert"),
            ("connection", "keep-alive"),
            ("trailer", "X-Cert"),
            ("te", "trailers"),
            ("proxy-connection", "x-cert, close"),
        ]);
        assert_eq!(owned().strip(&mut headers), 0);
        let connection: Vec<_> = headers.get_all("connection").iter().collect();
        assert_eq!(connection, ["close, upgrade", "keep-alive"]);
        assert!(!headers.contains_key("trailer"));
        assert_eq!(headers["te"], "trailers");
        assert_eq!(headers["proxy-connection"], "close");
    }

    #[test]
    fn the_length_of_each_nominating_header_is_known() {
        assert!(NOMINATING.iter().all(is_nominating));
        assert!(!is_nominating(&header::USER_AGENT));
    }

    #[test]
    fn a_connection_line_without_owned_tokens_keeps_its_bytes() {
        let before = map(&[("connection", "close ,  te"), ("x-other", "1"), ("x-other", "2")]);
        let mut after = before.clone();
        assert_eq!(owned().strip(&mut after), 0);
        assert_eq!(before, after);
    }

    #[test]
    fn strip_counts_names_and_removes_each_of_their_lines() {
        let mut headers = map(&[("x_cert", "1"), ("x_cert", "2"), ("x-cert-verify", "3"), ("host", "a")]);
        assert_eq!(owned().strip(&mut headers), 2);
        assert_eq!(headers, map(&[("host", "a")]));
    }

    #[test]
    fn other_spellings_go_and_the_exact_name_stays() {
        let mut headers =
            map(&[("x-cert", "1"), ("x_cert", "2"), ("x.cert-verify", "3"), ("connection", "x-cert")]);
        assert_eq!(owned().strip_other_spellings(&mut headers), 2);
        assert_eq!(headers, map(&[("x-cert", "1")]));
    }

    #[test]
    fn find_sees_every_spelling() {
        assert_eq!(owned().find(&map(&[("host", "a"), ("x_cert", "1")])).unwrap(), "x_cert");
        assert_eq!(owned().find(&map(&[("host", "a"), ("connection", "x-cert")])), None);
    }
}
