//! Reading headers strictly: limits first, then one value, then errors that say where, why, and what it looks like.

use std::fmt;

use http::{HeaderMap, HeaderName};

/// How much a decoder looks at. What exceeds it is an error before anything is decoded.
///
/// ```
/// use tower_client_cert::dialect::{Limits, Skipper};
///
/// let dialect = Skipper::new().with_limits(Limits::new().max_certificates(3).max_value_size(16 * 1024));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    max_certificates: usize,
    max_value_size: usize,
}

impl Limits {
    /// 10 certificates, and 64 KiB per value.
    #[must_use]
    pub const fn new() -> Self {
        Self { max_certificates: 10, max_value_size: 64 * 1024 }
    }

    /// The most certificates to accept in one request, the client's own included.
    #[must_use]
    pub const fn max_certificates(self, max: usize) -> Self {
        Self { max_certificates: max, ..self }
    }

    /// The largest value to accept, in bytes.
    #[must_use]
    pub const fn max_value_size(self, bytes: usize) -> Self {
        Self { max_value_size: bytes, ..self }
    }

    pub(super) const fn certificates(self) -> usize {
        self.max_certificates
    }

    pub(super) const fn value_size(self) -> usize {
        self.max_value_size
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

/// A header that is there and is not what its dialect would have written: which, where and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header `{header}`, byte {offset}: {kind}{}", Hint(.looks_like))]
pub struct DecodeError {
    header: HeaderName,
    offset: usize,
    kind: DecodeErrorKind,
    looks_like: Option<&'static str>,
}

/// What is wrong with a header's value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The header occurs more than once, so two parties wrote it.
    #[error("the header occurs more than once")]
    Duplicated,
    /// The value, or an item of its list, is empty.
    #[error("empty where a certificate is expected")]
    Empty,
    /// The value is `(null)`: what Apache sends for a variable that is not set.
    #[error("`(null)`, which is what Apache sends for a variable that is not set")]
    Null,
    /// The value is larger than [`Limits::max_value_size`].
    #[error("more than the {max} bytes allowed")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// There are more certificates than [`Limits::max_certificates`].
    #[error("more than the {max} certificates allowed")]
    TooManyCertificates {
        /// The limit.
        max: usize,
    },
    /// The value is not canonical base64 with padding (RFC 4648 section 4).
    #[error("not base64: {0}")]
    Base64(String),
    /// A `%` that is not followed by two hexadecimal digits, or a byte that should have been escaped.
    #[error("not percent-encoded")]
    Percent,
    /// Not the PEM (RFC 7468) that the dialect's encoder writes.
    #[error("not PEM: {0}")]
    Pem(&'static str),
    /// Not the structured field (RFC 8941) that is expected.
    #[error("not a structured field: {0}")]
    StructuredField(&'static str),
    /// Not an element of Envoy's `x-forwarded-client-cert`.
    #[error("{0}")]
    Xfcc(&'static str),
    /// What was decoded is not one DER `SEQUENCE` from its first byte to its last, as a certificate is.
    #[error("not the DER of a certificate")]
    Der,
    /// The value is none of the words the status may have.
    #[error("expected SUCCESS, FAILED:reason or NONE")]
    Status,
    /// Not a number as HAProxy's `ssl_c_verify` prints it.
    #[error("expected one of OpenSSL's verify codes, a number")]
    VerifyCode,
    /// Not printable ASCII.
    #[error("not printable ASCII")]
    Text,
    /// Not what a header of [`Fields`](super::Fields) may hold.
    #[error("{0}")]
    Field(&'static str),
    /// Two headers, or two parts of one, contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
    /// The dialect is for display only, since what it says can be forged by the name in a certificate.
    #[error("this dialect is for display: it can be forged, and is never read")]
    WriteOnly,
}

struct Hint<'a>(&'a Option<&'static str>);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(dialect) => write!(f, "; it looks like the dialect of {dialect}"),
            None => Ok(()),
        }
    }
}

impl DecodeError {
    /// An error in `header`, at this byte of its value.
    #[must_use]
    pub fn new(header: &HeaderName, offset: usize, kind: DecodeErrorKind) -> Self {
        Self { header: header.clone(), offset, kind, looks_like: None }
    }

    /// Base64 in the value of `header` that does not decode, at this byte, for the reason that a decoder gives.
    #[must_use]
    pub fn base64(header: &HeaderName, offset: usize, reason: impl fmt::Display) -> Self {
        Self::new(header, offset, DecodeErrorKind::Base64(reason.to_string()))
    }

    /// The one value of `header`, or `None` if it is not there.
    ///
    /// # Errors
    ///
    /// [`Duplicated`](DecodeErrorKind::Duplicated), [`Empty`](DecodeErrorKind::Empty) and
    /// [`Null`](DecodeErrorKind::Null).
    pub fn single<'a>(headers: &'a HeaderMap, header: &HeaderName) -> Result<Option<&'a [u8]>, Self> {
        let kind = match only(headers, header)? {
            Some(b"") => DecodeErrorKind::Empty,
            Some(b"(null)") => DecodeErrorKind::Null,
            value => return Ok(value),
        };
        Err(Self::new(header, 0, kind))
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &HeaderName {
        &self.header
    }

    /// The byte of its value at which reading stopped, from 0.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> &DecodeErrorKind {
        &self.kind
    }

    /// Whose dialect the value looks like, if it looks like another than the one expected: dialects are easily mixed
    /// up, and several share one header's name.
    #[must_use]
    pub fn looks_like(&self) -> Option<&'static str> {
        self.looks_like
    }
}

/// The one value of a header, empty or not.
pub(super) fn only<'a>(headers: &'a HeaderMap, header: &HeaderName) -> Result<Option<&'a [u8]>, DecodeError> {
    let mut values = headers.get_all(header).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(DecodeError::new(header, 0, DecodeErrorKind::Duplicated));
    }
    Ok(value.map(http::HeaderValue::as_bytes))
}

/// One value that is to become certificates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) header: &'a HeaderName,
    pub(super) value: &'a [u8],
    /// Where `value` begins in the header's, of which it may be a part.
    start: usize,
    expected: Shape,
    limits: Limits,
}

impl<'a> Field<'a> {
    /// The one value of `header`, neither empty nor too large; `None` if it is not there.
    pub(super) fn single(
        headers: &'a HeaderMap,
        header: &'a HeaderName,
        expected: Shape,
        limits: Limits,
    ) -> Result<Option<Self>, DecodeError> {
        let Some(value) = DecodeError::single(headers, header)? else { return Ok(None) };
        Self::new(header, value, expected, limits).map(Some)
    }

    pub(super) fn new(
        header: &'a HeaderName,
        value: &'a [u8],
        expected: Shape,
        limits: Limits,
    ) -> Result<Self, DecodeError> {
        let max = limits.value_size();
        if value.len() > max {
            return Err(DecodeError::new(header, max, DecodeErrorKind::TooLarge { max }));
        }
        Ok(Self { header, value, start: 0, expected, limits })
    }

    /// A part of the value that is in another shape.
    pub(super) fn part(&self, start: usize, value: &'a [u8], expected: Shape) -> Self {
        Self { value, start, expected, ..*self }
    }

    /// An error at this byte, with the dialect the value looks like instead.
    pub(super) fn error(&self, offset: usize, kind: DecodeErrorKind) -> DecodeError {
        self.with_hint(DecodeError::new(self.header, self.start + offset, kind))
    }

    pub(super) fn base64_error(&self, start: usize, error: base64::DecodeError) -> DecodeError {
        let within = match error {
            base64::DecodeError::InvalidByte(offset, _)
            | base64::DecodeError::InvalidLastSymbol { offset, .. } => offset,
            _ => 0,
        };
        self.with_hint(DecodeError::base64(self.header, self.start + start + within, error))
    }

    fn with_hint(&self, mut error: DecodeError) -> DecodeError {
        error.looks_like = Shape::of(self.value).filter(|shape| *shape != self.expected).map(Shape::dialects);
        error
    }

    /// Whether there is room for one certificate more than `so_far`.
    pub(super) fn check_count(&self, so_far: usize, offset: usize) -> Result<(), DecodeError> {
        let max = self.limits.certificates();
        if so_far < max {
            return Ok(());
        }
        Err(self.error(offset, DecodeErrorKind::TooManyCertificates { max }))
    }
}

/// What a value looks like at first sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Base64,
    Base64List,
    EscapedBase64,
    PercentPem,
    SpacedPem,
    StructuredField,
    TraefikInfo,
    Xfcc,
    XfccJson,
}

impl Shape {
    /// From the first bytes, and the commas of a list.
    fn of(value: &[u8]) -> Option<Self> {
        const XFCC_KEYS: [&[u8]; 7] = [b"by=", b"hash=", b"cert=", b"chain=", b"subject=", b"uri=", b"dns="];
        let starts =
            |prefix: &[u8]| value.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        // The first bytes of a SEQUENCE of 256 bytes or more, as base64.
        Some(if starts(b"MII") {
            if value.contains(&b'%') {
                Self::EscapedBase64
            } else if value.contains(&b',') {
                Self::Base64List
            } else {
                Self::Base64
            }
        } else if starts(b"-----BEGIN%20") {
            Self::PercentPem
        } else if starts(b"-----BEGIN ") {
            Self::SpacedPem
        } else if starts(b":MI") {
            Self::StructuredField
        } else if starts(b"[{") {
            Self::XfccJson
        } else if starts(b"Subject%3D%22") || starts(b"Issuer%3D%22") {
            Self::TraefikInfo
        } else if XFCC_KEYS.into_iter().any(starts) {
            Self::Xfcc
        } else {
            return None;
        })
    }

    const fn dialects(self) -> &'static str {
        match self {
            Self::Base64 => "aspnet-core, azure, caddy, cloudflare, cloud-foundry or haproxy",
            Self::Base64List => "skipper, traefik or tower-client-cert",
            Self::EscapedBase64 => "traefik-2.9.1",
            Self::PercentPem => "nginx, ingress-nginx or aws-alb",
            Self::SpacedPem => "apache",
            Self::StructuredField => "rfc9440",
            Self::TraefikInfo => "traefik-info",
            Self::Xfcc | Self::XfccJson => "envoy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn absent_empty_null_and_twice_are_four_answers() {
        let name = HeaderName::from_static("x");
        let single = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(&name, HeaderValue::from_static(value));
            }
            DecodeError::single(&headers, &name)
                .map(|value| value.map(<[u8]>::to_vec))
                .map_err(|error| error.kind)
        };
        assert_eq!(single(&[]), Ok(None));
        assert_eq!(single(&["a"]), Ok(Some(b"a".to_vec())));
        assert_eq!(single(&[""]), Err(DecodeErrorKind::Empty));
        assert_eq!(single(&["(null)"]), Err(DecodeErrorKind::Null));
        assert_eq!(single(&["a", "a"]), Err(DecodeErrorKind::Duplicated));
    }

    #[test]
    fn the_text_of_an_error_names_the_header_the_byte_and_the_look_alike() {
        let name = HeaderName::from_static("client-cert");
        let field = Field::new(&name, b"-----BEGIN%20CERT", Shape::StructuredField, Limits::new()).unwrap();
        let error = field.error(0, DecodeErrorKind::StructuredField("no `:` in front of the base64"));
        assert_eq!(
            error.to_string(),
            "header `client-cert`, byte 0: not a structured field: no `:` in front of the base64; \
             it looks like the dialect of nginx, ingress-nginx or aws-alb"
        );
    }
}
