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
//!
#![doc = include_str!("../docs/dialects.md")]

mod any;
mod apache;
mod aws_alb;
mod base64_der;
mod certificate;
mod decode;
mod details;
mod encoding;
mod envoy;
pub mod fields;
mod haproxy;
mod named;
mod nginx;
mod options;
mod rfc9440;
mod skipper;
mod structured;
mod tower_client_cert;
mod traefik_info;
mod xfcc;
mod xfcc_element;
mod xfcc_json;
mod xfcc_write;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use rustls_pki_types::CertificateDer;

pub use any::AnyDialect;
pub use apache::Apache;
pub use aws_alb::AwsAlb;
pub use base64_der::Base64Der;
pub use decode::{DecodeError, DecodeErrorKind, Limits};
pub use details::CertDetails;
pub use envoy::{Envoy, XfccMode};
pub use fields::Fields;
pub use haproxy::HaProxy;
pub use nginx::Nginx;
pub use options::ParseDialectError;
pub use rfc9440::Rfc9440;
pub use skipper::Skipper;
pub use tower_client_cert::TowerClientCert;
pub use traefik_info::TraefikInfo;

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

    /// What to keep of the headers a request came with. Nothing, unless said otherwise: they are stripped.
    ///
    /// For dialects that grow hop by hop, as Envoy's `APPEND_FORWARD` does. It is called for every request, before
    /// stripping; `forwarding` tells whether the connection has a certificate that the layer passes on. What it
    /// returns goes in front of what [`encode`](Self::encode) wrote under the same name: see [`append`](Self::append). What
    /// it returns under a name that is not among [`header_names`](Self::header_names) is dropped.
    fn keep(&self, received: &HeaderMap, forwarding: bool) -> HeaderMap {
        let _ = (received, forwarding);
        HeaderMap::new()
    }

    /// Puts what this hop wrote behind what was [kept](Self::keep) of the same header: `kept,own`, unless said otherwise.
    ///
    /// For dialects whose values are not lists with a `,` between the items, as Envoy's JSON. Where it returns `None`,
    /// this hop's own is sent alone.
    fn append(&self, kept: &HeaderValue, own: &HeaderValue) -> Option<HeaderValue> {
        HeaderValue::from_bytes(&[kept.as_bytes(), b",", own.as_bytes()].concat()).ok()
    }

    /// Whether the reader looks at this one of its [`header_names`](Self::header_names). It does, unless said otherwise.
    ///
    /// A name that is owned and never read is one that the proxy does not write, so that a client of the proxy may have.
    /// [`ForwardedClientCertLayer`](crate::forwarded::ForwardedClientCertLayer) keeps it from the handlers, too.
    fn reads(&self, name: &HeaderName) -> bool {
        let _ = name;
        true
    }

    /// Reads the headers of one request. `None` if it carries none of this dialect's.
    ///
    /// It tells what the headers say, not whether to believe them: anybody can write a header. Use it on requests
    /// from your own proxy only.
    ///
    /// # Errors
    ///
    /// If a header is there and is not what [`encode`](Self::encode), or the proxy the dialect is named after, would
    /// have written.
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

    fn keep(&self, received: &HeaderMap, forwarding: bool) -> HeaderMap {
        (**self).keep(received, forwarding)
    }

    fn append(&self, kept: &HeaderValue, own: &HeaderValue) -> Option<HeaderValue> {
        (**self).append(kept, own)
    }

    fn reads(&self, name: &HeaderName) -> bool {
        (**self).reads(name)
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
// Not `non_exhaustive`: nginx's three words
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
    /// The certificate in words: its own where it is there, and what the proxy says of it where it is not.
    pub details: CertDetails,
}

impl ForwardedCert {
    /// These certificates, end entity first, of which the proxy says nothing further.
    #[must_use]
    pub fn new(certificates: Vec<CertificateDer<'static>>) -> Self {
        Self { certificates, status: None, details: CertDetails::default() }
    }

    /// Certificates of a dialect that has words for the first of them, which are not read: the certificate has its own.
    pub(crate) fn described(certificates: Vec<CertificateDer<'static>>) -> Self {
        let details = certificates.first().map(CertDetails::of).unwrap_or_default();
        Self { details, ..Self::new(certificates) }
    }

    /// Certificates with a verdict.
    pub(crate) fn judged(certificates: Vec<CertificateDer<'static>>, status: Option<VerifyStatus>) -> Self {
        Self { status, ..Self::new(certificates) }
    }

    /// The client's own certificate.
    #[must_use]
    pub fn end_entity(&self) -> Option<&CertificateDer<'static>> {
        self.certificates.first()
    }
}
