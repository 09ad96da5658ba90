use std::fmt;
use std::str::FromStr;

/// A URI with a scheme (RFC 3986 section 3), as a certificate may hold it.
///
/// Only the scheme is normalised, to lower case, as Go does when it parses a certificate. The rest is kept and compared
/// byte for byte: a URI with its host in capitals, or with a percent-encoded letter, is another URI. A CA spells the
/// URIs that it issues in one way.
///
/// As in Go, a text does not parse if two readers could find two hosts in its authority: `https://a.example:x/`,
/// `https://a%2Fb.example/` and `https://[a].b/` are errors.
///
/// ```
/// use tower_client_cert::identity::Uri;
///
/// let uri: Uri = "SPIFFE://example.org/ns/prod".parse()?;
/// assert_eq!(uri.as_str(), "spiffe://example.org/ns/prod");
/// assert_eq!((uri.scheme(), uri.authority()), ("spiffe", Some("example.org")));
/// assert!("no-scheme".parse::<Uri>().is_err());
/// assert!("https://a/%2".parse::<Uri>().is_err());
/// # Ok::<(), tower_client_cert::identity::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uri {
    text: Box<str>,
    userinfo: bool,
}

impl Uri {
    /// Returns the whole URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the scheme, the part before the first `:`, in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.text.split(':').next().unwrap_or_default()
    }

    /// Returns the authority, the part between `//` and the next `/`, `?` or `#`: user information, host and port.
    /// `None` if there is no `//`, as in `urn:uuid:…`.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        let (_, rest) = self.text.split_once(':')?;
        rest.strip_prefix("//")?.split(['/', '?', '#']).next()
    }

    /// Returns path, query and fragment: all that follows the authority, or the scheme if there is no authority.
    pub(crate) fn after_authority(&self) -> &str {
        let after_scheme = self.text.split_once(':').map_or("", |(_, rest)| rest);
        match self.authority() {
            Some(authority) => after_scheme.get(authority.len().saturating_add(2)..).unwrap_or_default(),
            None => after_scheme,
        }
    }

    /// Returns whether the authority holds user information, as in `https://good.example@evil.example/`.
    #[must_use]
    pub fn has_userinfo(&self) -> bool {
        self.userinfo
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let colon = text.find(':').ok_or(UriError::NoScheme)?;
        let (scheme, rest) = text.split_at(colon);
        let starts_well = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
        if !starts_well
            || !scheme.bytes().all(|byte| matches!(byte, b'+' | b'-' | b'.') || byte.is_ascii_alphanumeric())
        {
            return Err(UriError::NoScheme);
        }
        if rest.len() < 2 {
            return Err(UriError::Empty);
        }
        let mut bytes = rest.bytes().enumerate();
        while let Some((position, byte)) = bytes.next() {
            let offset = colon.saturating_add(position);
            match byte {
                b'%' => {
                    let hex =
                        |next: Option<(usize, u8)>| next.is_some_and(|(_, byte)| byte.is_ascii_hexdigit());
                    if !hex(bytes.next()) || !hex(bytes.next()) {
                        return Err(UriError::PercentEncoding { offset });
                    }
                }
                byte if is_uri_byte(byte) => {}
                _ => return Err(UriError::Character { offset }),
            }
        }
        let text = format!("{}{rest}", scheme.to_ascii_lowercase()).into();
        let mut uri = Self { text, userinfo: false };
        uri.userinfo = uri.authority().is_some_and(|authority| authority.contains('@'));
        match uri.authority() {
            // An authority without a host, as in `https:///path`, names nobody.
            Some("") if uri.scheme() != "file" => Err(UriError::Empty),
            Some(authority) if !names_one_host(authority) => Err(UriError::Host),
            _ => Ok(uri),
        }
    }
}

/// Returns whether a byte is one of RFC 3986's unreserved or reserved characters.
fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&byte)
}

/// Returns whether every reader finds the same host in an authority. Much as in Go, nothing but digits may follow the
/// host's `:`, a percent-encoded byte may not be ASCII, and brackets may stand around the whole host and nowhere else.
fn names_one_host(authority: &str) -> bool {
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match host_and_port.strip_prefix('[') {
        Some(literal) => match literal.split_once(']') {
            Some((address, port)) => (address, port),
            None => return false,
        },
        None => host_and_port.split_at(host_and_port.find(':').unwrap_or(host_and_port.len())),
    };
    let is_port = |port: &str| {
        port.strip_prefix(':').map_or(port.is_empty(), |port| port.bytes().all(|byte| byte.is_ascii_digit()))
    };
    // RFC 6874 has `%25` before the zone of an address. Otherwise, only bytes outside of ASCII may be encoded.
    let in_brackets = host_and_port.starts_with('[');
    let encodes_well = host.split('%').skip(1).all(|after| {
        after.starts_with(|digit: char| matches!(digit, '8'..='9' | 'a'..='f' | 'A'..='F'))
            || in_brackets && after.starts_with("25")
    });
    is_port(port) && encodes_well && !host.contains(['[', ']'])
}

/// The reason why a text is not a [`Uri`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// The text does not start with a scheme and `:`.
    #[error("no scheme: expected something like https://example.org/path")]
    NoScheme,
    /// There is nothing after the scheme, or, except in a `file:` URI, nothing between `//` and the next `/`, `?` or
    /// `#`.
    #[error("nothing is named after the scheme")]
    Empty,
    /// The authority after `//` can be read as more than one host.
    #[error("no one host after //: expected something like example.org:443 or [2001:db8::1]")]
    Host,
    /// The text has a character that no URI may hold. It must be percent-encoded.
    #[error("a character at byte {offset} that a URI cannot hold")]
    Character {
        /// The offset of the character in bytes, from 0.
        offset: usize,
    },
    /// The text has a `%` without two hexadecimal digits after it.
    #[error("a % at byte {offset} without two hexadecimal digits")]
    PercentEncoding {
        /// The offset of the character in bytes, from 0.
        offset: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_alone_is_normalised() {
        for (text, kept) in [
            ("HTTPS://Example.ORG/%61", "https://Example.ORG/%61"),
            ("urn:UUID:1", "urn:UUID:1"),
            ("https://a@b/?q#f", "https://a@b/?q#f"),
        ] {
            assert_eq!(text.parse::<Uri>().unwrap().as_str(), kept);
        }
    }

    #[test]
    fn what_is_no_uri_says_where() {
        for (text, error) in [
            ("", UriError::NoScheme),
            ("//host/path", UriError::NoScheme),
            ("1a:b", UriError::NoScheme),
            ("a_b:c", UriError::NoScheme),
            (":a", UriError::NoScheme),
            ("https:", UriError::Empty),
            ("https:///path", UriError::Empty),
            ("https://?q", UriError::Empty),
            ("https://a b", UriError::Character { offset: 9 }),
            ("https://a\0b", UriError::Character { offset: 9 }),
            ("https://ä", UriError::Character { offset: 8 }),
            ("https://a/%", UriError::PercentEncoding { offset: 10 }),
            ("https://a/%1", UriError::PercentEncoding { offset: 10 }),
            ("https://a/%1g", UriError::PercentEncoding { offset: 10 }),
        ] {
            assert_eq!(text.parse::<Uri>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn an_authority_names_one_host() {
        for host in [
            "a.test",
            "a.test:443",
            "a.test:",
            "u:p@a.test:1",
            "[::1]",
            "[::1]:443",
            "u@[2001:db8::1%25eth0]:1",
            "b%C3%bc.test",
        ] {
            assert!(format!("https://{host}/").parse::<Uri>().is_ok(), "{host}");
        }
        for host in [
            "a.test:x",
            "a.test:1:2",
            "a.test:80.example",
            "[::1",
            "[::1]x",
            "[::1]:x",
            "[[::1]]",
            "a[b].test",
            "::1",
            "a%2F.test",
            "a%3f.test",
            "a%23.test",
            "a%40.test",
            "a%25.test",
            "[::1%2F]",
        ] {
            assert_eq!(format!("https://{host}/").parse::<Uri>(), Err(UriError::Host), "{host}");
        }
    }

    #[test]
    fn a_uri_is_its_parts_put_together() {
        for text in
            ["https://a", "https://a/", "https://a?b#c", "https://a#b", "urn:a:b", "file:///x", "x:/y//z"]
        {
            let uri = text.parse::<Uri>().unwrap();
            let authority = uri.authority().map_or(String::new(), |authority| format!("//{authority}"));
            assert_eq!(format!("{}:{authority}{}", uri.scheme(), uri.after_authority()), text);
        }
    }

    #[test]
    fn userinfo_is_seen_in_the_authority_only() {
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        assert!(uri("https://a@b/").has_userinfo());
        assert!(!uri("https://b/a@c").has_userinfo());
        assert!(!uri("mailto:a@b").has_userinfo());
    }
}
