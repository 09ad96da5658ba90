//! A set of header names, compared after folding, and the removal of these headers from a header map.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::filter::{Filter, folds_to};
use super::known;

/// A set of names, each in every spelling that a backend may take for the same name.
#[derive(Debug)]
pub(crate) struct Names {
    /// Whether the table of known names is part of the set.
    with_known: bool,
    names: Vec<HeaderName>,
    filter: Filter,
}

/// The set that is the table of known names.
pub(super) static KNOWN: Names =
    Names { with_known: true, names: Vec::new(), filter: with_nominating(known::FILTER) };

/// Headers that name other headers for a later hop to drop or expect.
static NOMINATING: [HeaderName; 4] =
    [header::CONNECTION, HeaderName::from_static("proxy-connection"), header::TRAILER, header::TE];

const fn with_nominating(mut filter: Filter) -> Filter {
    filter.add(b"connection", false);
    filter.add(b"proxy-connection", false);
    filter.add(b"trailer", false);
    filter.add(b"te", false);
    filter
}

impl Names {
    /// Makes a set of these names only.
    pub(super) fn new(names: &[HeaderName]) -> Self {
        Self { with_known: false, names: names.to_vec(), filter: Self::filter(Filter::EMPTY, names) }
    }

    /// Makes a set of these names and the table's.
    pub(super) fn and_known(names: &[HeaderName]) -> Self {
        Self { with_known: true, names: names.to_vec(), filter: Self::filter(known::FILTER, names) }
    }

    fn filter(filter: Filter, names: &[HeaderName]) -> Filter {
        let mut filter = with_nominating(filter);
        names.iter().for_each(|name| filter.add(name.as_str().as_bytes(), false));
        filter
    }

    /// Whether `name` folds to a name in the set.
    pub(super) fn contains(&self, name: &[u8]) -> bool {
        self.filter.may_contain(name)
            && (self.names.iter().any(|own| folds_to(name, own.as_str().as_bytes()))
                || (self.with_known && known::position(name).is_some()))
    }

    /// Whether [`take`](Self::take) has anything to do. For most requests it has not, and one pass over the names shows
    /// that.
    fn concern(&self, headers: &HeaderMap) -> bool {
        headers.keys().any(|name| {
            self.filter.may_contain(name.as_str().as_bytes())
                && (self.contains(name.as_str().as_bytes()) || self.is_nominated_by(name, headers))
        })
    }

    /// Removes and returns every header whose name is in the set, and removes the names from `Connection` and similar
    /// headers.
    ///
    /// This can't fail, and does not allocate for a request that has no such header.
    pub(super) fn take(&self, headers: &mut HeaderMap) -> Option<HeaderMap> {
        if !self.concern(headers) {
            return None;
        }
        let taken = self.take_if(headers, |name| self.contains(name.as_str().as_bytes()));
        self.strip_nominations(headers);
        Some(taken).filter(|taken| !taken.is_empty())
    }

    /// Removes the same as [`take`](Self::take), but leaves headers whose name is exactly one of `but`.
    ///
    /// This is for a hop that may write these headers, and that may have passed on other spellings that its client
    /// sent.
    pub(super) fn take_all_but(&self, but: &[HeaderName], headers: &mut HeaderMap) -> Option<HeaderMap> {
        if !self.concern(headers) {
            return None;
        }
        let unwanted = |name: &HeaderName| self.contains(name.as_str().as_bytes()) && !but.contains(name);
        let taken = self.take_if(headers, unwanted);
        self.strip_nominations(headers);
        Some(taken).filter(|taken| !taken.is_empty())
    }

    /// Removes every trailer whose name is in the set.
    pub(super) fn strip_trailers(&self, trailers: &mut HeaderMap) {
        self.take_if(trailers, |name| self.contains(name.as_str().as_bytes()));
    }

    fn take_if(&self, headers: &mut HeaderMap, unwanted: impl Fn(&HeaderName) -> bool) -> HeaderMap {
        let unwanted: Vec<HeaderName> = headers.keys().filter(|name| unwanted(name)).cloned().collect();
        let mut taken = HeaderMap::new();
        for name in unwanted {
            if let header::Entry::Occupied(entry) = headers.entry(&name) {
                for value in entry.remove_entry_mult().1 {
                    taken.append(&name, value);
                }
            }
        }
        taken
    }

    fn strip_nominations(&self, headers: &mut HeaderMap) {
        for nominating in &NOMINATING {
            if !self.is_nominated_by(nominating, headers) {
                continue;
            }
            let kept: Vec<HeaderValue> =
                headers.get_all(nominating).iter().filter_map(|line| self.without_mentions(line)).collect();
            headers.remove(nominating);
            for line in kept {
                headers.append(nominating, line);
            }
        }
    }

    fn is_nominated_by(&self, name: &HeaderName, headers: &HeaderMap) -> bool {
        NOMINATING.contains(name) && headers.get_all(name).iter().any(|line| self.is_mentioned(line))
    }

    fn is_mentioned(&self, line: &HeaderValue) -> bool {
        tokens(line).any(|token| self.contains(token))
    }

    /// Returns the line without the names in the set. `None` if nothing is left of it.
    fn without_mentions(&self, line: &HeaderValue) -> Option<HeaderValue> {
        if !self.is_mentioned(line) {
            return Some(line.clone());
        }
        let kept: Vec<&[u8]> = tokens(line).filter(|token| !self.contains(token)).collect();
        HeaderValue::from_bytes(&kept.join(&b", "[..])).ok().filter(|line| !line.is_empty())
    }
}

fn tokens(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    line.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new(&["x-cert", "x-cert-verify"].map(HeaderName::from_static))
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
            assert!(names().contains(&name), "{}", *byte as char);
        }
        for other in ["x-certs", "x-cer", "xx-cert", "x-c-rt", "xcert", "x-cert-verif", ""] {
            assert!(!names().contains(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn names_longer_than_the_filters_lengths_are_still_compared() {
        let long: HeaderName = format!("x-{}", "a".repeat(200)).parse().unwrap();
        let names = Names::and_known(std::slice::from_ref(&long));
        assert!(names.contains(long.as_str().replace('-', "_").as_bytes()));
        assert!(!names.contains("a".repeat(300).as_bytes()));
        assert!(names.contains(format!("SSL_CLIENT_{}", "A".repeat(300)).as_bytes()));
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
        assert_eq!(names().take(&mut headers), None);
        let connection: Vec<_> = headers.get_all("connection").iter().collect();
        assert_eq!(connection, ["close, upgrade", "keep-alive"]);
        assert!(!headers.contains_key("trailer"));
        assert_eq!(headers["te"], "trailers");
        assert_eq!(headers["proxy-connection"], "close");
    }

    #[test]
    fn a_header_of_the_table_is_not_dropped_by_a_later_hop_either() {
        for nominating in &NOMINATING {
            let mut headers = map(&[(nominating.as_str(), "a, ssl_client_verify, Client.Cert")]);
            assert_eq!(KNOWN.take(&mut headers), None);
            assert_eq!(headers, map(&[(nominating.as_str(), "a")]));
        }
    }

    #[test]
    fn a_connection_line_without_mentions_keeps_its_bytes() {
        let before = map(&[("connection", "close ,  te"), ("x-other", "1"), ("x-other", "2")]);
        let mut after = before.clone();
        assert_eq!(names().take(&mut after), None);
        assert_eq!(before, after);
    }

    #[test]
    fn each_line_of_a_header_is_taken_and_none_of_its_neighbours() {
        let mut headers = map(&[
            ("x_cert", "1"),
            ("x_cert", "2"),
            ("x-cert-verify", "3"),
            ("host", "a"),
            ("ssl-cipher", "4"),
        ]);
        let taken = map(&[("x_cert", "1"), ("x_cert", "2"), ("x-cert-verify", "3")]);
        assert_eq!(names().take(&mut headers), Some(taken));
        assert_eq!(headers, map(&[("host", "a"), ("ssl-cipher", "4")]));
    }

    #[test]
    fn own_names_come_beside_the_table_and_not_in_its_place() {
        let own = ["x-cert", "x-cert-verify"].map(HeaderName::from_static);
        let all = Names::and_known(&own);
        let mut headers = map(&[("x_cert", "1"), ("SSL_CLIENT_CERT", "2"), ("host", "a")]);
        assert_eq!(all.take(&mut headers), Some(map(&[("x_cert", "1"), ("SSL_CLIENT_CERT", "2")])));
        assert_eq!(headers, map(&[("host", "a")]));
    }

    #[test]
    fn other_spellings_go_and_the_exact_name_stays() {
        let own = ["x-cert", "x-cert-verify"].map(HeaderName::from_static);
        let all = Names::and_known(&own);
        let mut headers = map(&[
            ("x-cert", "1"),
            ("x_cert", "2"),
            ("x.cert-verify", "3"),
            ("client-cert", "4"),
            ("connection", "x-cert"),
        ]);
        let taken = all.take_all_but(&own, &mut headers);
        assert_eq!(taken, Some(map(&[("x_cert", "2"), ("x.cert-verify", "3"), ("client-cert", "4")])));
        assert_eq!(headers, map(&[("x-cert", "1")]));
    }
}
