//! Rules that can't be made.

use std::fmt;

use super::glob::GlobError;
use crate::identity::{HostnameError, ParseNameError, UriError};

/// A rule that can't be made: which, what on its list, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    pub(super) rule: &'static str,
    pub(super) item: Option<String>,
    pub(super) kind: RuleErrorKind,
}

impl RuleError {
    /// The rule, by its name in a configuration file: `san_ip` for example.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    /// What is wrong on its list. `None` if the list is empty.
    #[must_use]
    pub fn item(&self) -> Option<&str> {
        self.item.as_deref()
    }

    /// What is wrong with it.
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

/// What is wrong with an item on the list of a [`Rule`](super::Rule).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleErrorKind {
    /// There is nothing on the list.
    #[error("the list is empty, and would let nobody in")]
    EmptyList,
    /// The text is empty.
    #[error("the text is empty")]
    EmptyText,
    /// It is no distinguished name.
    #[error("not a distinguished name (RFC 4514): {0}")]
    Name(ParseNameError),
    /// It is no host name.
    #[error("not a host name: {0}")]
    Hostname(HostnameError),
    /// It is an IP address, or a network.
    #[error("an IP address or a network is no host name: that is the rule `san_ip`")]
    IpAddress,
    /// It is no URI.
    #[error("not a URI: {0}")]
    Uri(UriError),
    /// It is no pattern.
    #[error("not a pattern of Go's path.Match: {0}")]
    Glob(GlobError),
    /// A pattern for URIs does not start with a scheme.
    #[error("a pattern for URIs starts with a scheme, as in https://*.example.org/path")]
    GlobScheme,
    /// A pattern for URIs has something between `//` and the next `/` that no URI has there.
    #[error(
        "between // and the next / is a host, which may have wildcards, and no user information; the brackets of an \
         IPv6 address are escaped, as in https://\\[2001:db8::1\\]/"
    )]
    GlobAuthority,
    /// It is no trust domain.
    #[error("not a SPIFFE trust domain: expected something like example.org")]
    TrustDomain,
    /// No SPIFFE ID could match it.
    #[error("not a pattern for SPIFFE IDs: expected something like spiffe://example.org/ns/*/sa/web")]
    SpiffePattern,
    /// It is no IP address and no network.
    #[error("not an IP address or a network like 10.0.0.0/8")]
    Ip,
    /// It is no SHA-256.
    #[error("not a SHA-256 in hexadecimal or base64")]
    Hash,
}
