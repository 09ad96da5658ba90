//! The headers of this crate's own layer, read where it is known to stand in front.

use http::{HeaderMap, HeaderName};

use super::decode::{DecodeErrorKind, Limits};
use super::encoding::{agree, decode_status};
use super::skipper::{NAMES, Skipper};
use super::{DecodeError, Dialect, ForwardedCert, Outgoing};

/// What [`Skipper`] writes, read by a backend that has this crate's [`ClientCertLayer`](crate::ClientCertLayer) in front
/// of it.
///
/// ```text
/// x-forwarded-tls-client-cert: MIIB…==,MIIC…=
/// x-forwarded-tls-client-cert-verify: SUCCESS
/// ```
///
/// The bytes are the same. What differs is what the reader may believe: the layer removes what a client sends under
/// these names and says of every certificate what it is worth, so here the verdict counts, and must be there. A
/// certificate without one is malformed: it came from another proxy, or around the layer. **Behind Skipper or Traefik
/// this reader is wrong**: they pass a client's own `SUCCESS` on. Read with [`Skipper`] there.
///
/// The layer writes a verdict on every request, `NONE` where the client presented no certificate. So neither header is
/// what a request looks like that did not pass it: a health check of plain HTTP, for example. It is read as
/// [`Absent`](crate::forwarded::ForwardedClientCertError::Absent), a request without a certificate.
///
#[cfg_attr(feature = "axum", doc = "```")]
#[cfg_attr(not(feature = "axum"), doc = "```ignore")]
/// use axum::{Router, routing::get};
/// use tower_client_cert::dialect::TowerClientCert;
/// use tower_client_cert::forwarded::{ForwardedClientCert, ForwardedClientCertLayer, TrustedProxies};
///
/// async fn hello(client: ForwardedClientCert<TowerClientCert>) -> &'static str {
///     if client.is_verified_by_proxy() { "verified" } else { "anybody's" }
/// }
///
/// let proxy: std::net::IpAddr = "10.1.0.4".parse()?;
/// let reader = ForwardedClientCertLayer::new(TowerClientCert::new(), TrustedProxies::none().ip_range(proxy));
/// let app: Router = Router::new().route("/", get(hello)).layer(reader);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TowerClientCert {
    skipper: Skipper,
}

impl TowerClientCert {
    /// Both headers.
    #[must_use]
    pub const fn new() -> Self {
        Self { skipper: Skipper::new() }
    }

    /// How much to read.
    #[must_use]
    pub const fn with_limits(self, limits: Limits) -> Self {
        Self { skipper: self.skipper.with_limits(limits) }
    }
}

impl Dialect for TowerClientCert {
    fn header_names(&self) -> &[HeaderName] {
        self.skipper.header_names()
    }

    fn forwards_unverified(&self) -> bool {
        self.skipper.forwards_unverified()
    }

    fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap) {
        self.skipper.encode(client, headers);
    }

    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        let [_, verify] = &NAMES;
        let certificates = self.skipper.certificates(headers)?;
        match (certificates, decode_status(headers, verify, &[])?) {
            (None, None) => Ok(None),
            (Some(_), None) => {
                let kind = DecodeErrorKind::Contradiction(
                    "a certificate, but no verdict, and ClientCertLayer writes both. Skipper and Traefik write none: \
                     their dialect is `skipper`",
                );
                Err(DecodeError::new(verify, 0, kind))
            }
            (certificates, status) => {
                let certificates = certificates.unwrap_or_default();
                agree(verify, &certificates, status.as_ref())?;
                Ok(Some(ForwardedCert::judged(certificates, status)))
            }
        }
    }
}
