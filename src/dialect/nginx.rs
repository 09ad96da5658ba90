//! nginx's `$ssl_client_escaped_cert` and `$ssl_client_verify`, under names that nginx leaves to its users.

use http::{HeaderMap, HeaderName};

use super::certificate::Certificate;
use super::decode::{DecodeErrorKind, Field, Limits, Shape};
use super::encoding::{
    decode_percent_pem, decode_status, decode_text, insert, insert_status, insert_text, none_is_none,
    percent_pem,
};
use super::{DecodeError, Dialect, ForwardedCert, Outgoing};

/// The client's own certificate as percent-encoded PEM, and the verdict.
///
/// ```text
/// x-ssl-client-cert: -----BEGIN%20CERTIFICATE-----%0AMIIB…%0A-----END%20CERTIFICATE-----%0A
/// x-ssl-client-verify: SUCCESS
/// ```
///
/// These are nginx's `$ssl_client_escaped_cert` and `$ssl_client_verify`. nginx gives the headers no names; the
/// defaults here are what its users write most, and [`with_names`](Self::with_names) takes others. In nginx:
///
/// ```text
/// proxy_set_header X-SSL-Client-Cert   $ssl_client_escaped_cert;
/// proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
/// ```
///
/// There is no chain. `+` is written as `%2B`, since half of the readers take a literal one for a space. Without a
/// certificate there is the verdict `NONE` alone. A reader must look at the verdict: under `optional_no_ca` nginx
/// passes on what it did not verify. It may also send the verdict without the certificate. `FAILED` without a reason,
/// as nginx wrote before 1.11.7, is read as a failure, and so is Azure Application Gateway's `PASSTHROUGH`. An empty
/// value is an error: nginx sends no header at all then. Source: [`ngx_event_openssl.c`].
///
/// [`ngx_event_openssl.c`]: https://github.com/nginx/nginx/blob/master/src/event/ngx_event_openssl.c
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nginx {
    /// Certificate and verdict; then, if they are wanted, subject and issuer.
    names: Vec<HeaderName>,
    limits: Limits,
}

/// What was said of a certificate that was presented and not verified: by nginx before 1.11.7, and by Azure Application
/// Gateway's `client_certificate_verification`.
pub(super) const FAILURES: [(&str, &str); 2] =
    [("FAILED", "no reason given"), ("PASSTHROUGH", "PASSTHROUGH")];

impl Nginx {
    /// `X-SSL-Client-Cert` and `X-SSL-Client-Verify`.
    #[must_use]
    pub fn new() -> Self {
        Self::with_names(
            HeaderName::from_static("x-ssl-client-cert"),
            HeaderName::from_static("x-ssl-client-verify"),
        )
    }

    /// Under names of your own.
    #[must_use]
    pub fn with_names(certificate: HeaderName, verify: HeaderName) -> Self {
        Self { names: vec![certificate, verify], limits: Limits::new() }
    }

    /// ingress-nginx with `auth-tls-pass-certificate-to-upstream`: `ssl-client-cert`, `ssl-client-verify`, and
    /// `ssl-client-subject-dn` and `ssl-client-issuer-dn`, which are RFC 2253. A delimiter that is part of a value is
    /// written as `\2C`, where nginx writes `\,`: the same name, and not two to a reader that splits at commas.
    ///
    /// The two names are read only where the certificate is not there, and are then no more than
    /// [told](super::CertDetails).
    #[must_use]
    pub fn ingress() -> Self {
        let names = ["ssl-client-cert", "ssl-client-verify", "ssl-client-subject-dn", "ssl-client-issuer-dn"];
        Self { names: names.map(HeaderName::from_static).to_vec(), limits: Limits::new() }
    }

    /// How much to read.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}

impl Default for Nginx {
    fn default() -> Self {
        Self::new()
    }
}

impl Dialect for Nginx {
    fn header_names(&self) -> &[HeaderName] {
        &self.names
    }

    fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap) {
        let [certificate, verify, names @ ..] = self.names.as_slice() else { return };
        insert_status(headers, verify, &client.status);
        let Some(leaf) = client.certificates.get(..1) else { return };
        insert(headers, certificate, percent_pem(leaf));
        if let [subject, issuer] = names {
            if let Some(leaf) = leaf.first().and_then(|der| Certificate::parse(der)) {
                insert_text(headers, subject, leaf.subject_text());
                insert_text(headers, issuer, leaf.issuer_text());
            }
        }
    }

    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        let [certificate, verify, names @ ..] = self.names.as_slice() else { return Ok(None) };
        let field = Field::single(headers, certificate, Shape::PercentPem, self.limits)?;
        let status = decode_status(headers, verify, &FAILURES)?;
        let certificates = field.as_ref().map_or_else(|| Ok(Vec::new()), decode_percent_pem)?;
        if let (Some(field), [_, another, ..]) = (&field, certificates.as_slice()) {
            let kind = DecodeErrorKind::Pem("more than one certificate");
            let offset = field.value.len().saturating_sub(percent_pem(std::slice::from_ref(another)).len());
            return Err(field.error(offset, kind));
        }
        none_is_none(verify, &certificates, status.as_ref())?;
        let mut forwarded = match names {
            [] => ForwardedCert::new(certificates),
            _ => ForwardedCert::described(certificates),
        };
        forwarded.status = status;
        if let ([subject, issuer], []) = (names, forwarded.certificates.as_slice()) {
            forwarded.details.subject = decode_text(headers, subject)?;
            forwarded.details.issuer = decode_text(headers, issuer)?;
        }
        let anything = self.names.iter().any(|name| headers.contains_key(name));
        Ok(anything.then_some(forwarded))
    }
}
