use std::net::IpAddr;

use super::distinguished_name::DistinguishedName;
use super::uri::Uri;
use crate::x509::general_name::{self, GeneralName};
use crate::x509::oid::dotted;

/// One of a certificate's subject alternative names (RFC 5280 section 4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectAltName {
    /// A host name in lower case, or a wildcard like `*.example.org`. International names are in their ASCII form
    /// (`xn--…`), as certificates hold them.
    Dns(Box<str>),
    /// A URI, with its scheme in lower case.
    Uri(Uri),
    /// An e-mail address, spelt as in the certificate.
    Email(Box<str>),
    /// An IP address. An IPv4-mapped IPv6 address counts as an IPv4 address.
    Ip(IpAddr),
    /// A distinguished name.
    DirectoryName(DistinguishedName),
    /// A name of a type that RFC 5280 leaves to others to define. Microsoft's user principal name has the type
    /// `1.3.6.1.4.1.311.20.2.3`.
    OtherName {
        /// The type, in dotted decimals.
        oid: Box<str>,
        /// The DER that follows the type, with its `[0]` tag.
        value: Box<[u8]>,
    },
    /// An X.400 address, an EDI party name or a registered identifier. Only its kind is kept.
    Unsupported {
        /// The number of the kind in RFC 5280's `GeneralName`.
        tag: u32,
    },
    /// A name that breaks the rules of its kind: for example a host name with a NUL or a trailing dot, or an IP address
    /// of five bytes.
    Malformed {
        /// The kind that the name claims to be.
        kind: SanKind,
        /// The bytes of the name.
        value: Box<[u8]>,
    },
}

/// The kinds of [`SubjectAltName`] that can be matched, and that can be [`Malformed`](SubjectAltName::Malformed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SanKind {
    /// A host name.
    Dns,
    /// A URI.
    Uri,
    /// An e-mail address.
    Email,
    /// An IP address.
    Ip,
    /// Any other kind.
    Other,
}

impl SubjectAltName {
    pub(super) fn from_x509(name: &GeneralName<'_>) -> Self {
        let text = |kind, text: &str, parsed: Option<Self>| {
            parsed.unwrap_or_else(|| Self::Malformed { kind, value: text.as_bytes().into() })
        };
        match name {
            GeneralName::Dns(host) => {
                let parsed = check_hostname(host).ok().map(|()| Self::Dns(host.to_ascii_lowercase().into()));
                text(SanKind::Dns, host, parsed)
            }
            GeneralName::Uri(uri) => text(SanKind::Uri, uri, uri.parse().ok().map(Self::Uri)),
            GeneralName::Email(mail) => {
                text(SanKind::Email, mail, is_mailbox(mail).then(|| Self::Email((*mail).into())))
            }
            GeneralName::Ip(ip) => Self::Ip(*ip),
            GeneralName::Directory(name) => Self::DirectoryName(DistinguishedName::from_x509(name)),
            GeneralName::Other { oid, value } => {
                Self::OtherName { oid: dotted(oid).into(), value: (*value).into() }
            }
            GeneralName::Unsupported { number } => Self::Unsupported { tag: u32::from(*number) },
            GeneralName::Malformed { number, value } => {
                let kind = match *number {
                    general_name::EMAIL => SanKind::Email,
                    general_name::DNS => SanKind::Dns,
                    general_name::URI => SanKind::Uri,
                    general_name::IP => SanKind::Ip,
                    _ => SanKind::Other,
                };
                Self::Malformed { kind, value: (*value).into() }
            }
        }
    }

    /// Returns the kind of the name. For a [`Malformed`](Self::Malformed) name, this is the kind that it claims to be.
    #[must_use]
    pub fn kind(&self) -> SanKind {
        match self {
            Self::Dns(_) => SanKind::Dns,
            Self::Uri(_) => SanKind::Uri,
            Self::Email(_) => SanKind::Email,
            Self::Ip(_) => SanKind::Ip,
            Self::Malformed { kind, .. } => *kind,
            Self::DirectoryName(_) | Self::OtherName { .. } | Self::Unsupported { .. } => SanKind::Other,
        }
    }
}

/// Returns whether a text is a local part and a host in printable ASCII. What they may hold is up to the mail server.
fn is_mailbox(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
        && text.rsplit_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty())
}

/// Checks a host name against RFC 5280's preferred syntax. The first label may be `*`, and labels may hold `_`, as in
/// Go.
pub(crate) fn check_hostname(text: &str) -> Result<(), HostnameError> {
    if text.is_empty() {
        return Err(HostnameError::Empty);
    }
    if !text.is_ascii() {
        return Err(HostnameError::NotAscii);
    }
    if text.len() > 253 {
        return Err(HostnameError::TooLong);
    }
    if text.ends_with('.') {
        return Err(HostnameError::TrailingDot);
    }
    // A lone `*` would name every host, so it is no wildcard.
    let labels = text.strip_prefix("*.").unwrap_or(text);
    if labels.split('.').all(is_label) { Ok(()) } else { Err(HostnameError::Label) }
}

fn is_label(label: &str) -> bool {
    matches!(label.len(), 1..=63)
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The reason why a text is not a host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostnameError {
    /// The text is empty.
    #[error("it is empty")]
    Empty,
    /// The text is not ASCII.
    #[error("not ASCII: write an international name in its xn-- form")]
    NotAscii,
    /// The text is longer than 253 bytes.
    #[error("more than 253 bytes")]
    TooLong,
    /// The text ends with a dot.
    #[error("it ends with a dot, and names in certificates do not")]
    TrailingDot,
    /// A label breaks the syntax, or a `*` is somewhere else than alone in the first of several labels.
    #[error("a label that is not 1 to 63 letters, digits, `-` and `_`; `*` may be the whole first label")]
    Label,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_checked_before_they_are_compared() {
        use HostnameError::{Empty, Label, NotAscii, TooLong, TrailingDot};
        let long = format!("{}.test", "a.".repeat(130));
        let label = format!("{}.test", "a".repeat(64));
        for (text, error) in [
            ("", Empty),
            ("bücher.test", NotAscii),
            (&*long, TooLong),
            ("a.test.", TrailingDot),
            (".", TrailingDot),
            ("a..test", Label),
            (".a.test", Label),
            ("a.test\0.evil", Label),
            ("a b.test", Label),
            ("-a.test", Label),
            ("a-.test", Label),
            ("*", Label),
            ("a.*.test", Label),
            ("a*.test", Label),
            ("*.*.test", Label),
            (&*label, Label),
        ] {
            assert_eq!(check_hostname(text), Err(error), "{text:?}");
        }
        for text in ["localhost", "A.Test", "*.test", "xn--bcher-kva.test", "_srv.a-b.test", "10.0.0.1"] {
            assert_eq!(check_hostname(text), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn mailboxes_are_printable() {
        for text in ["", "a", "@", "a@", "@b", "a\0@b", "a b@c", "ä@b"] {
            assert!(!is_mailbox(text), "{text:?}");
        }
        assert!(is_mailbox("a.b+c@d.test"));
    }
}
