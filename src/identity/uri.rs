use std::fmt;
use std::str::FromStr;

/// A URI with a scheme (RFC 3986 section 3), as a certificate may hold one.
///
/// Only the scheme is normalised, to lower case, as Go does when it parses a certificate. The rest is kept byte for
/// byte and compared so: a host in capitals or a percent-encoded letter is another URI. Who issues certificates
/// spells them one way.
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
    /// The whole URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What is before the first `:`, in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.text.split(':').next().unwrap_or_default()
    }

    /// What is between `//` and the next `/`, `?` or `#`: user information, host and port. `None` in a URI like
    /// `urn:uuid:…`.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        let (_, rest) = self.text.split_once(':')?;
        rest.strip_prefix("//")?.split(['/', '?', '#']).next()
    }

    /// Whether the authority holds user information, as in `https://good.example@evil.example/`.
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
        // An authority without a host, as in `https:///path`, names nobody.
        if uri.authority() == Some("") && uri.scheme() != "file" {
            return Err(UriError::Empty);
        }
        Ok(uri)
    }
}

/// RFC 3986's unreserved, reserved and nothing else.
fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&byte)
}

/// Why a text is no [`Uri`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// It does not start with a scheme and `:`.
    #[error("no scheme: expected something like https://example.org/path")]
    NoScheme,
    /// There is nothing after the scheme, or no host after `//`.
    #[error("nothing is named after the scheme")]
    Empty,
    /// A character that no URI may hold; it must be percent-encoded.
    #[error("a character at byte {offset} that a URI cannot hold")]
    Character {
        /// Where, in bytes from 0.
        offset: usize,
    },
    /// A `%` without two hexadecimal digits.
    #[error("a % at byte {offset} without two hexadecimal digits")]
    PercentEncoding {
        /// Where, in bytes from 0.
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
    fn userinfo_is_seen_in_the_authority_only() {
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        assert!(uri("https://a@b/").has_userinfo());
        assert!(!uri("https://b/a@c").has_userinfo());
        assert!(!uri("mailto:a@b").has_userinfo());
    }
}
