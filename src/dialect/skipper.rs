//! `X-Forwarded-Tls-Client-Cert`, as Skipper's `tlsPassClientCertificates()` writes it.

use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode;
use rustls_pki_types::CertificateDer;

use super::decode::{DecodeErrorKind, Field, Limits, Shape};
use super::encoding::{base64_item, base64_list, insert, insert_status, percent_encoded};
use super::{DecodeError, Dialect, ForwardedCert, Outgoing};

/// Skipper's header, which is also that of Traefik's `passTLSClientCert.pem`, and, written only, a companion for the
/// verdict.
///
/// ```text
/// x-forwarded-tls-client-cert: MIIB…==,MIIC…=
/// x-forwarded-tls-client-cert-verify: SUCCESS
/// ```
///
/// The first is the standard base64 (RFC 4648 section 4, padded) of each certificate's DER, the client's own first,
/// joined by `,`; absent if there is no certificate. Source: [`filters/tls/pass_client.go`] of Skipper.
///
/// Skipper forwards what the client presented, verified or not, and says nothing about it. So that no backend is left
/// to guess, this crate's layer adds the companion, which says `SUCCESS`, `FAILED:reason` or `NONE`, nginx's words. It
/// can be switched off with [`without_verify_header`](Self::without_verify_header).
///
/// # Reading
///
/// [`decode`](Dialect::decode) is for a backend behind Skipper or Traefik, and **never looks at the companion**: these
/// proxies don't know it, so one that arrives was written by the client, who may write `SUCCESS`. The status is always
/// `None`. What a certificate is worth, [`ForwardedClientCert::verify_again`] tells, by the backend's own roots. Behind
/// this crate's [`ClientCertLayer`](crate::ClientCertLayer) read with [`TowerClientCert`](super::TowerClientCert).
///
/// Skipper also passes on a client's own certificate header where the client presented no certificate. In Skipper:
///
/// ```text
/// dropRequestHeader("X-Forwarded-Tls-Client-Cert") -> dropRequestHeader("X-Forwarded-Tls-Client-Cert-Verify") -> tlsPassClientCertificates()
/// ```
///
/// Traefik removes it unless `forwardedHeaders.insecure` is set or the peer is one of its `trustedIPs`.
///
/// [`filters/tls/pass_client.go`]: https://github.com/zalando/skipper/blob/master/filters/tls/pass_client.go
#[cfg_attr(
    feature = "tls",
    doc = "[`ForwardedClientCert::verify_again`]: crate::forwarded::ForwardedClientCert::verify_again"
)]
#[cfg_attr(
    not(feature = "tls"),
    doc = "[`ForwardedClientCert::verify_again`]: crate::forwarded::ForwardedClientCert"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipper {
    verify_header: bool,
    escaped_items: bool,
    limits: Limits,
}

/// The certificates, and the verdict on the first of them.
pub(super) static NAMES: [HeaderName; 2] = [
    HeaderName::from_static("x-forwarded-tls-client-cert"),
    HeaderName::from_static("x-forwarded-tls-client-cert-verify"),
];

impl Skipper {
    /// Writes both headers.
    #[must_use]
    pub const fn new() -> Self {
        Self { verify_header: true, escaped_items: false, limits: Limits::new() }
    }

    /// Writes the certificate header alone. One that a client sends under the companion's name is stripped all the same.
    #[must_use]
    pub const fn without_verify_header(self) -> Self {
        Self { verify_header: false, ..self }
    }

    /// Also read items whose `+`, `/` and `=` are percent-encoded, as Traefik up to 2.9.1 wrote them.
    #[must_use]
    pub const fn accept_escaped_items(self) -> Self {
        Self { escaped_items: true, ..self }
    }

    /// How much to read.
    #[must_use]
    pub const fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The certificates of the first header. `None` if it is not there.
    pub(super) fn certificates(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<Vec<CertificateDer<'static>>>, DecodeError> {
        let [cert, _] = &NAMES;
        let Some(field) = Field::single(headers, cert, Shape::Base64List, self.limits)? else {
            return Ok(None);
        };
        let mut certificates = Vec::new();
        let mut start = 0;
        for item in field.value.split(|&byte| byte == b',') {
            field.check_count(certificates.len(), start)?;
            certificates.push(self.item(&field, start, item)?);
            start += item.len() + 1;
        }
        Ok(Some(certificates))
    }

    fn item(
        &self,
        field: &Field<'_>,
        start: usize,
        item: &[u8],
    ) -> Result<CertificateDer<'static>, DecodeError> {
        if !self.escaped_items || !item.contains(&b'%') {
            return base64_item(field, start, item);
        }
        let unescaped: Vec<u8> = percent_decode(item).collect();
        if percent_encoded(&unescaped).as_bytes() != item {
            return Err(field.error(start, DecodeErrorKind::Percent));
        }
        base64_item(field, start, &unescaped)
    }
}

impl Default for Skipper {
    fn default() -> Self {
        Self::new()
    }
}

impl Dialect for Skipper {
    fn header_names(&self) -> &[HeaderName] {
        &NAMES
    }

    fn forwards_unverified(&self) -> bool {
        true
    }

    fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap) {
        let [cert, verify] = &NAMES;
        if !client.certificates.is_empty() {
            insert(headers, cert, base64_list(client.certificates, ","));
        }
        if self.verify_header {
            insert_status(headers, verify, &client.status);
        }
    }

    /// Neither Skipper nor Traefik writes the verdict, so whoever sends one is their client.
    fn reads(&self, name: &HeaderName) -> bool {
        let [cert, _] = &NAMES;
        name == cert
    }

    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        Ok(self.certificates(headers)?.map(ForwardedCert::new))
    }
}
