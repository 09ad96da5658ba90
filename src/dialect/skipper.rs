//! `X-Forwarded-Tls-Client-Cert`, as Skipper's `tlsPassClientCertificates()` writes it.

use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode;
use rustls_pki_types::CertificateDer;

use super::decode::{DecodeErrorKind, Field, Limits, Shape};
use super::encoding::{agree, base64_item, base64_list, decode_status, insert, percent_encoded};
use super::{DecodeError, Dialect, ForwardedCert, Outgoing};

/// Skipper's header, which is also that of Traefik's `passTLSClientCert.pem`, and a companion for the verdict.
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
/// to guess, the companion says `SUCCESS`, `FAILED:reason` or `NONE`, nginx's words. It can be switched off with
/// [`without_verify_header`](Self::without_verify_header).
///
/// [`filters/tls/pass_client.go`]: https://github.com/zalando/skipper/blob/master/filters/tls/pass_client.go
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipper {
    verify_header: bool,
    escaped_items: bool,
    limits: Limits,
}

static NAMES: [HeaderName; 2] = [
    HeaderName::from_static("x-forwarded-tls-client-cert"),
    HeaderName::from_static("x-forwarded-tls-client-cert-verify"),
];

impl Skipper {
    /// Both headers.
    #[must_use]
    pub const fn new() -> Self {
        Self { verify_header: true, escaped_items: false, limits: Limits::new() }
    }

    /// The certificate header alone. One that a client sends under the companion's name is stripped all the same.
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
            insert(headers, verify, client.status.to_string());
        }
    }

    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        let [cert, verify] = &NAMES;
        let list = Field::single(headers, cert, Shape::Base64List, self.limits)?;
        let status = if self.verify_header { decode_status(headers, verify)? } else { None };
        if list.is_none() && status.is_none() {
            return Ok(None);
        }
        let mut certificates = Vec::new();
        let mut start = 0;
        for (field, item) in list
            .iter()
            .flat_map(|field| field.value.split(|&byte| byte == b',').map(move |item| (field, item)))
        {
            field.check_count(certificates.len(), start)?;
            certificates.push(self.item(field, start, item)?);
            start += item.len() + 1;
        }
        agree(verify, &certificates, status.as_ref())?;
        Ok(Some(ForwardedCert::judged(certificates, status)))
    }
}
