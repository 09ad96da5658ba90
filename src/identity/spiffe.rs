use std::fmt;
use std::str::FromStr;

/// A SPIFFE ID, `spiffe://trust-domain/path`, that is valid by section 2 of the [SPIFFE-ID standard].
///
/// The standard allows one spelling for each ID, so two IDs name the same workload exactly if their texts are equal.
/// The scheme and the trust domain are in lower case. There is no port, user information, query, fragment or
/// percent-encoding. The path has no segment that is empty, `.` or `..`.
///
/// ```
/// use tower_client_cert::identity::SpiffeId;
///
/// let id: SpiffeId = "spiffe://example.org/ns/prod/sa/web".parse()?;
/// assert_eq!((id.trust_domain(), id.path()), ("example.org", "/ns/prod/sa/web"));
/// assert!("spiffe://example.org/ns/../admin".parse::<SpiffeId>().is_err());
/// # Ok::<(), tower_client_cert::identity::SpiffeError>(())
/// ```
///
/// [SPIFFE-ID standard]: https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    text: Box<str>,
    /// Where the path starts in `text`.
    path: usize,
}

const SCHEME: &str = "spiffe://";

impl SpiffeId {
    /// Returns the whole ID.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the trust domain, `example.org` for example.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        self.text.get(SCHEME.len()..self.path).unwrap_or_default()
    }

    /// Returns the path with its leading `/`. It is empty if the ID names the trust domain itself.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text.get(self.path..).unwrap_or_default()
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // By section 2.3, implementations need not support longer IDs, so nobody may rely on them.
        if text.len() > 2048 {
            return Err(SpiffeError::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeError::Scheme)?;
        let (trust_domain, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        if !is_trust_domain(trust_domain) {
            return Err(SpiffeError::TrustDomain);
        }
        if !path.is_empty() && !path.split('/').skip(1).all(is_segment) {
            return Err(SpiffeError::Path);
        }
        Ok(Self { text: text.into(), path: SCHEME.len().saturating_add(trust_domain.len()) })
    }
}

/// Returns whether a text is a trust domain (section 2.1).
pub(crate) fn is_trust_domain(text: &str) -> bool {
    matches!(text.len(), 1..=255)
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_'))
}

/// Returns whether a text is a segment of a path (section 2.2).
fn is_segment(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

/// The reason why a certificate or a text has no [`SpiffeId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpiffeError {
    /// The certificate has no URI among its alternative names.
    #[error("no URI among the subject alternative names")]
    Missing,
    /// The certificate has more than one URI. The X509-SVID standard, section 2, allows exactly one.
    #[error("more than one URI among the subject alternative names")]
    Repeated,
    /// The certificate's alternative names, or its one URI, can't be read.
    #[error("the subject alternative names cannot be read")]
    Unreadable,
    /// The text does not start with `spiffe://`.
    #[error("not a SPIFFE ID: expected spiffe://trust-domain/path")]
    Scheme,
    /// The trust domain is not made of 1 to 255 characters of `a-z`, `0-9`, `.`, `-` and `_`.
    #[error("a trust domain that is not made of a-z, 0-9, `.`, `-` and `_`")]
    TrustDomain,
    /// A segment of the path is empty, `.` or `..`, or not made of letters, digits, `.`, `-` and `_`.
    #[error("a path segment that is empty, `.`, `..`, or not made of letters, digits, `.`, `-` and `_`")]
    Path,
    /// The ID has more than 2,048 bytes.
    #[error("more than 2048 bytes")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_has_one_spelling() {
        use SpiffeError::{Path, Scheme, TooLong, TrustDomain};
        let long = format!("spiffe://a/{}", "b".repeat(2048));
        for (text, error) in [
            ("", Scheme),
            ("SPIFFE://example.org/a", Scheme),
            ("https://example.org/a", Scheme),
            ("spiffe:/example.org/a", Scheme),
            ("spiffe:///a", TrustDomain),
            ("spiffe://Example.org/a", TrustDomain),
            ("spiffe://user@example.org/a", TrustDomain),
            ("spiffe://example.org:443/a", TrustDomain),
            ("spiffe://example.org?a", TrustDomain),
            ("spiffe://ex%61mple.org/a", TrustDomain),
            ("spiffe://example.org/", Path),
            ("spiffe://example.org/a/", Path),
            ("spiffe://example.org//a", Path),
            ("spiffe://example.org/./a", Path),
            ("spiffe://example.org/a/..", Path),
            ("spiffe://example.org/a%2Fb", Path),
            ("spiffe://example.org/a?b", Path),
            ("spiffe://example.org/a#b", Path),
            ("spiffe://example.org/a\0", Path),
            (&long, TooLong),
        ] {
            assert_eq!(text.parse::<SpiffeId>(), Err(error), "{text:?}");
        }
        let domain: SpiffeId = "spiffe://example.org".parse().unwrap();
        assert_eq!((domain.trust_domain(), domain.path()), ("example.org", ""));
        assert!("spiffe://a_b-c.1/A.b-C_9/...".parse::<SpiffeId>().is_ok());
    }
}
