//! How a certificate is spelt in headers: the trait [`Dialect`], and the dialects proxies speak.
//!
//! A dialect has two ends. The proxy's end, [`Dialect::encode`], is run by
//! [`ClientCertLayer`](crate::ClientCertLayer) once per connection. The backend's end, [`Dialect::decode`], accepts
//! exactly what the encoder can write; everything else is an error that says where and why.
//!
//! The trait is open: a company's own spelling is a dozen lines.
//!
//! ```
//! use base64::Engine as _;
//! use base64::engine::general_purpose::STANDARD;
//! use http::{HeaderMap, HeaderName, HeaderValue};
//! use tower_client_cert::ClientCertLayer;
//! use tower_client_cert::dialect::{DecodeError, Dialect, ForwardedCert, Outgoing};
//!
//! /// The leaf, base64, in `x-our-cert`.
//! struct Ours;
//!
//! static NAMES: [HeaderName; 1] = [HeaderName::from_static("x-our-cert")];
//!
//! impl Dialect for Ours {
//!     fn header_names(&self) -> &[HeaderName] {
//!         &NAMES
//!     }
//!
//!     fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap) {
//!         if let Some(leaf) = client.certificates.first() {
//!             if let Ok(value) = HeaderValue::try_from(STANDARD.encode(leaf)) {
//!                 headers.insert(&NAMES[0], value);
//!             }
//!         }
//!     }
//!
//!     fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
//!         let Some(value) = DecodeError::single(headers, &NAMES[0])? else { return Ok(None) };
//!         let der = STANDARD.decode(value).map_err(|error| DecodeError::base64(&NAMES[0], 0, error))?;
//!         Ok(Some(ForwardedCert::new(vec![der.into()])))
//!     }
//! }
//!
//! let layer = ClientCertLayer::with_dialect(Ours);
//! ```

mod skipper;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use rustls_pki_types::CertificateDer;

pub use skipper::Skipper;

/// One way to spell a client certificate in headers.
///
/// See the [module's documentation](self) for one of your own.
pub trait Dialect {
    /// Every header this dialect owns. A request never reaches the inner service with one of these, in any spelling,
    /// that the layer did not write. What [`encode`](Self::encode) writes under another name is dropped.
    fn header_names(&self) -> &[HeaderName];

    /// Whether its readers expect certificates that nobody verified, as those of Skipper and Traefik do.
    ///
    /// `false`, unless said otherwise: most readers take a certificate they find for one that was checked. It decides
    /// what a layer does by default; see [`ClientCertLayer`](crate::ClientCertLayer).
    fn forwards_unverified(&self) -> bool {
        false
    }

    /// Writes the headers for one connection into an empty map.
    ///
    /// It is called for connections without a certificate too, with no [`certificates`](Outgoing::certificates): most
    /// dialects then write nothing, or a status that says so.
    fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap);

    /// Reads the headers of one request. `None` if it carries none of this dialect's.
    ///
    /// It tells what the headers say, not whether to believe them: anybody can write a header. Use it on requests
    /// from your own proxy only.
    ///
    /// # Errors
    ///
    /// If a header is there and is not exactly what [`encode`](Self::encode) would have written.
    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError>;
}

impl<D: Dialect + ?Sized> Dialect for Arc<D> {
    fn header_names(&self) -> &[HeaderName] {
        (**self).header_names()
    }

    fn forwards_unverified(&self) -> bool {
        (**self).forwards_unverified()
    }

    fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap) {
        (**self).encode(client, headers);
    }

    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        (**self).decode(headers)
    }
}

/// What a dialect is asked to write.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outgoing<'a> {
    /// The certificates to write, end entity first. Empty if the client has none, or none that may be forwarded.
    pub certificates: &'a [CertificateDer<'static>],
    /// What the client's certificate is worth, for dialects that have a header for it.
    pub status: VerifyStatus,
}

impl<'a> Outgoing<'a> {
    /// These certificates, worth that much.
    #[must_use]
    pub fn new(certificates: &'a [CertificateDer<'static>], status: VerifyStatus) -> Self {
        Self { certificates, status }
    }
}

/// nginx's `$ssl_client_verify`: `SUCCESS`, `FAILED:reason` or `NONE`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // nginx's three words
pub enum VerifyStatus {
    /// A certificate was presented and verified.
    Success,
    /// A certificate was presented and not verified, for this reason.
    Failed(Cow<'static, str>),
    /// No certificate was presented.
    None,
}

impl fmt::Display for VerifyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("SUCCESS"),
            Self::Failed(reason) => write!(f, "FAILED:{reason}"),
            Self::None => f.write_str("NONE"),
        }
    }
}

/// What a proxy says about the client: read from headers, so only as true as the proxy that wrote them.
///
/// Compare [`PeerCertificates`](crate::PeerCertificates), which comes from this process's own TLS connection. There
/// is no conversion from one to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForwardedCert {
    /// The certificates, end entity first. Empty if the proxy says that there is none, or does not pass it on.
    pub certificates: Vec<CertificateDer<'static>>,
    /// What the proxy says of the certificate. `None` if its dialect does not say.
    pub status: Option<VerifyStatus>,
}

impl ForwardedCert {
    /// These certificates, end entity first, of which the proxy says nothing further.
    #[must_use]
    pub fn new(certificates: Vec<CertificateDer<'static>>) -> Self {
        Self { certificates, status: None }
    }

    /// The client's own certificate.
    #[must_use]
    pub fn end_entity(&self) -> Option<&CertificateDer<'static>> {
        self.certificates.first()
    }
}

/// A header that is there and is not what its dialect would have written: which, where and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header `{header}`, byte {offset}: {kind}")]
pub struct DecodeError {
    header: HeaderName,
    offset: usize,
    kind: DecodeErrorKind,
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
    /// The value is not canonical base64 with padding (RFC 4648 section 4).
    #[error("not base64: {0}")]
    Base64(base64::DecodeError),
    /// The value is none of `SUCCESS`, `FAILED:reason`, `NONE`.
    #[error("expected SUCCESS, FAILED:reason or NONE")]
    Status,
    /// Two headers contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
}

impl DecodeError {
    /// An error in `header`, at this byte of its value.
    #[must_use]
    pub fn new(header: &HeaderName, offset: usize, kind: DecodeErrorKind) -> Self {
        Self { header: header.clone(), offset, kind }
    }

    /// Base64 that starts at `start` in the value of `header` and does not decode.
    #[must_use]
    pub fn base64(header: &HeaderName, start: usize, error: base64::DecodeError) -> Self {
        let within = match error {
            base64::DecodeError::InvalidByte(offset, _)
            | base64::DecodeError::InvalidLastSymbol { offset, .. } => offset,
            _ => 0,
        };
        Self::new(header, start.saturating_add(within), DecodeErrorKind::Base64(error))
    }

    /// The one value of `header`, or `None` if it is not there.
    ///
    /// # Errors
    ///
    /// [`Duplicated`](DecodeErrorKind::Duplicated) and [`Empty`](DecodeErrorKind::Empty).
    pub fn single<'a>(headers: &'a HeaderMap, header: &HeaderName) -> Result<Option<&'a [u8]>, Self> {
        let mut values = headers.get_all(header).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Self::new(header, 0, DecodeErrorKind::Duplicated));
        }
        if value.is_empty() {
            return Err(Self::new(header, 0, DecodeErrorKind::Empty));
        }
        Ok(Some(value.as_bytes()))
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
}
