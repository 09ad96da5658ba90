//! The errors of making a rule.

use std::fmt;

use super::glob::GlobError;
use crate::identity::{HostnameError, ParseNameError, UriError};

/// An error from making a rule. It names the rule, the item on the rule's list, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    pub(super) rule: &'static str,
    pub(super) item: Option<String>,
    pub(super) kind: RuleErrorKind,
}

impl RuleError {
    /// Returns the rule's name in a configuration file, `san_ip` for example.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    /// Returns the item that is wrong. `None` if the list is empty.
    #[must_use]
    pub fn item(&self) -> Option<&str> {
        self.item.as_deref()
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn kind(&self) -> &RuleErrorKind {
        &self.kind
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule `{}`: ", self.rule)?;
        if let Some(item) = &self.item {
            write!(f, "{item:?}: ")?;
        }
        self.kind.fmt(f)
    }
}

impl std::error::Error for RuleError {}

/// The kinds of [`RuleError`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleErrorKind {
    /// The list is empty.
    #[error("the list is empty, and would let nobody in")]
    EmptyList,
    /// The item is an empty text.
    #[error("the text is empty")]
    EmptyText,
    /// The item is not a distinguished name.
    #[error("not a distinguished name (RFC 4514): {0}")]
    Name(ParseNameError),
    /// The item is not a host name.
    #[error("not a host name: {0}")]
    Hostname(HostnameError),
    /// The item is an IP address or a network, where a host name is due.
    #[error("an IP address or a network is no host name: that is the rule `san_ip`")]
    IpAddress,
    /// The item is not a URI.
    #[error("not a URI: {0}")]
    Uri(UriError),
    /// The item is not a pattern.
    #[error("not a pattern of Go's path.Match: {0}")]
    Glob(GlobError),
    /// The item is a pattern for URIs that does not start with a scheme.
    #[error("a pattern for URIs starts with a scheme, as in https://*.example.org/path")]
    GlobScheme,
    /// The item is a pattern for URIs that could match no URI, because of what it has between `//` and the next `/`.
    #[error(
        "between // and the next / is a host, which may have wildcards, and no user information; the brackets of an \
         IPv6 address are escaped, as in https://\\[2001:db8::1\\]/"
    )]
    GlobAuthority,
    /// The item is not a trust domain.
    #[error("not a SPIFFE trust domain: expected something like example.org")]
    TrustDomain,
    /// The item is a pattern that no SPIFFE ID could match.
    #[error("not a pattern for SPIFFE IDs: expected something like spiffe://example.org/ns/*/sa/web")]
    SpiffePattern,
    /// The item is neither an IP address nor a network.
    #[error("not an IP address or a network like 10.0.0.0/8")]
    Ip,
    /// The item is not a SHA-256.
    #[error("not a SHA-256 in hexadecimal or base64")]
    Hash,
}
