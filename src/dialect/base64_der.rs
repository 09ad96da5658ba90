//! One header with the client's own certificate in base64, under one of several names.

use http::{HeaderMap, HeaderName};

use super::decode::{Field, Limits, Shape, only};
use super::encoding::{base64_list, decode_base64, insert};
use super::{DecodeError, Dialect, ForwardedCert, Outgoing};

/// The client's own certificate in one header: the standard base64 of its DER (RFC 4648 section 4), on one line.
///
/// ```text
/// x-client-cert: MIIB…==
/// ```
///
/// It is absent if there is no certificate. An empty value says the same, since Caddy and Cloudflare send one; under
/// Azure's and Cloud Foundry's names, which are absent then, it is an error. No word on verification.
///
/// ```
/// use http::HeaderName;
/// use tower_client_cert::ClientCertLayer;
/// use tower_client_cert::dialect::Base64Der;
///
/// let layer = ClientCertLayer::with_dialect(Base64Der::new(HeaderName::from_static("x-our-client")));
/// let layer = ClientCertLayer::with_dialect(Base64Der::aspnet_core());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base64Der {
    name: HeaderName,
    /// The values that say that there is no certificate.
    nothing: &'static [&'static str],
    limits: Limits,
}

impl Base64Der {
    /// Under a name of your own.
    #[must_use]
    pub const fn new(name: HeaderName) -> Self {
        Self::with_nothing(name, &[""])
    }

    const fn with_nothing(name: HeaderName, nothing: &'static [&'static str]) -> Self {
        Self { name, nothing, limits: Limits::new() }
    }

    /// `X-Client-Cert`: the default of ASP.NET Core's `AddCertificateForwarding`.
    #[must_use]
    pub const fn aspnet_core() -> Self {
        Self::new(HeaderName::from_static("x-client-cert"))
    }

    /// `X-ARR-ClientCert`: Azure App Service, and what its apps expect.
    #[must_use]
    pub const fn azure() -> Self {
        Self::with_nothing(HeaderName::from_static("x-arr-clientcert"), &[])
    }

    /// `Cf-Client-Cert-Der-Base64`: Cloudflare with `client_certificate_forwarding`. On a connection that is kept
    /// alive it may come with the first request only.
    #[must_use]
    pub const fn cloudflare() -> Self {
        Self::new(HeaderName::from_static("cf-client-cert-der-base64"))
    }

    /// `X-Forwarded-Client-Cert`: Cloud Foundry's gorouter. The same name as Envoy's header, and other bytes.
    #[must_use]
    pub const fn cloud_foundry() -> Self {
        Self::with_nothing(HeaderName::from_static("x-forwarded-client-cert"), &[])
    }

    /// `X-Client-Cert`, from Caddy's `header_up X-Client-Cert {http.request.tls.client.certificate_der_base64}`.
    ///
    /// Before 2.11.2 Caddy sends the placeholder's own text where there is no certificate: it is read as that. For a
    /// configuration that is right in every version see [Caddy](super#caddy).
    #[must_use]
    pub const fn caddy() -> Self {
        let nothing = &["", "{http.request.tls.client.certificate_der_base64}"];
        Self::with_nothing(HeaderName::from_static("x-client-cert"), nothing)
    }

    /// How much to read.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}

impl Dialect for Base64Der {
    fn header_names(&self) -> &[HeaderName] {
        std::slice::from_ref(&self.name)
    }

    fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap) {
        if let Some(leaf) = client.certificates.get(..1) {
            insert(headers, &self.name, base64_list(leaf, ""));
        }
    }

    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        let value = only(headers, &self.name)?;
        if value.is_some_and(|value| self.nothing.iter().any(|nothing| nothing.as_bytes() == value)) {
            return Ok(Some(ForwardedCert::new(Vec::new())));
        }
        let field = Field::single(headers, &self.name, Shape::Base64, self.limits)?;
        let Some(field) = field else { return Ok(None) };
        field.check_count(0, 0)?;
        Ok(Some(ForwardedCert::new(vec![decode_base64(&field)?])))
    }
}
