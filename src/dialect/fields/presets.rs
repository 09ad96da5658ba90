//! What real proxies write, from their vendors' documentation.

use super::field::Field::{
    Certificate, Chain, DnsNames, FullChain, Identity, Issuer, NotAfter, NotBefore, Present, Reason, Revoked,
    SerialNumber, Sha256, SpiffeId, Stripped, Subject, Uris, Validity, Verdict,
};
use super::field::{
    CertEncoding, Field, HashEncoding, ListEncoding, NameEncoding, SerialEncoding, TimeEncoding,
    Verdict as Words,
};
use super::{Fields, FieldsBuilder};

/// The option that sets the name of the header, the name, and what is in it.
type Row = (&'static str, &'static str, Field);

const TRUE_OR_FALSE: Field = Verdict(Words::Words { verified: "true", failed: "false", none: Some("false") });

const GOOGLE_CLOUD: [Row; 14] = [
    ("present", "x-client-cert-present", Present { yes: "true", no: "false" }),
    ("verify", "x-client-cert-chain-verified", TRUE_OR_FALSE),
    ("reason", "x-client-cert-error", Reason),
    ("hash", "x-client-cert-hash", Sha256(HashEncoding::Base64)),
    ("serial", "x-client-cert-serial-number", Stripped),
    ("spiffe", "x-client-cert-spiffe", SpiffeId),
    ("uris", "x-client-cert-uri-sans", Uris(ListEncoding::Base64Commas)),
    ("dns", "x-client-cert-dnsname-sans", DnsNames(ListEncoding::Base64Commas)),
    ("not-before", "x-client-cert-valid-not-before", NotBefore(TimeEncoding::Rfc3339)),
    ("not-after", "x-client-cert-valid-not-after", NotAfter(TimeEncoding::Rfc3339)),
    ("issuer", "x-client-cert-issuer-dn", Issuer(NameEncoding::Base64Der)),
    ("subject", "x-client-cert-subject-dn", Subject(NameEncoding::Base64Der)),
    ("certificate", "x-client-cert-leaf", Certificate(CertEncoding::Rfc9440)),
    ("chain", "x-client-cert-chain", Chain(CertEncoding::Rfc9440)),
];

const CLOUDFRONT: [Row; 7] = [
    ("present", "cloudfront-viewer-cert-present", Present { yes: "1", no: "0" }),
    ("certificate", "cloudfront-viewer-cert-pem", Certificate(CertEncoding::PercentPem)),
    ("serial", "cloudfront-viewer-cert-serial-number", SerialNumber(SerialEncoding::HexColons)),
    ("issuer", "cloudfront-viewer-cert-issuer", Issuer(NameEncoding::Rfc2253)),
    ("subject", "cloudfront-viewer-cert-subject", Subject(NameEncoding::Rfc2253)),
    ("hash", "cloudfront-viewer-cert-sha256", Sha256(HashEncoding::Hex)),
    ("validity", "cloudfront-viewer-cert-validity", Validity),
];

const CLOUDFLARE: [Row; 4] = [
    ("certificate", "client-cert", Certificate(CertEncoding::Rfc9440)),
    ("chain", "client-cert-chain", Chain(CertEncoding::Rfc9440)),
    ("verify", "cf-cert-verified", TRUE_OR_FALSE),
    ("revoked", "cf-cert-revoked", Revoked { yes: "true", no: "false" }),
];

const AZURE_APP_GATEWAY: [Row; 8] = [
    ("certificate", "x-client-certificate", Certificate(CertEncoding::PercentPem)),
    ("verify", "x-client-certificate-verification", Verdict(Words::Nginx)),
    ("subject", "x-client-certificate-subject", Subject(NameEncoding::Rfc2253)),
    ("issuer", "x-client-certificate-issuer", Issuer(NameEncoding::Rfc2253)),
    ("serial", "x-client-certificate-serial", Stripped),
    ("fingerprint", "x-client-certificate-fingerprint", Stripped),
    ("not-before", "x-client-certificate-start-date", Stripped),
    ("not-after", "x-client-certificate-end-date", Stripped),
];

const PUPPET: [Row; 3] = [
    ("verify", "x-client-verify", Verdict(Words::Nginx)),
    ("subject", "x-client-dn", Subject(NameEncoding::Rfc2253)),
    ("certificate", "x-client-cert", Certificate(CertEncoding::PercentPem)),
];

const KONG: [Row; 6] = [
    ("certificate", "x-client-cert", Certificate(CertEncoding::PercentPem)),
    ("serial", "x-client-cert-serial", SerialNumber(SerialEncoding::Hex)),
    ("issuer", "x-client-cert-issuer-dn", Issuer(NameEncoding::Rfc2253)),
    ("subject", "x-client-cert-subject-dn", Subject(NameEncoding::Rfc2253)),
    ("fingerprint", "x-client-cert-fingerprint", Stripped),
    ("chain", "x-client-cert-chain", FullChain(CertEncoding::PercentPem)),
];

const LINKERD: [Row; 1] = [("identity", "l5d-client-id", Identity)];

const NGINX_VARIABLES: [Row; 8] = [
    ("certificate", "x-ssl-client-cert", Certificate(CertEncoding::PercentPem)),
    ("verify", "x-ssl-client-verify", Verdict(Words::Nginx)),
    ("subject", "x-ssl-client-s-dn", Subject(NameEncoding::Rfc2253)),
    ("issuer", "x-ssl-client-i-dn", Issuer(NameEncoding::Rfc2253)),
    ("serial", "x-ssl-client-serial", SerialNumber(SerialEncoding::Hex)),
    ("fingerprint", "x-ssl-client-fingerprint", Stripped),
    ("not-before", "x-ssl-client-v-start", NotBefore(TimeEncoding::OpenSsl)),
    ("not-after", "x-ssl-client-v-end", NotAfter(TimeEncoding::OpenSsl)),
];

fn of(rows: &[Row]) -> FieldsBuilder {
    rows.iter().fold(FieldsBuilder::new(), |builder, (_, name, field)| builder.header(name, *field))
}

/// Whether the original lets its user name the headers.
const SETTABLE: bool = true;

/// The preset of this name, and the options that set the names of its headers, in their order.
pub(in crate::dialect) fn named(name: &str) -> Option<(FieldsBuilder, Vec<&'static str>)> {
    let (builder, rows, settable): (_, &[Row], _) = match name {
        "google-cloud" => (Fields::google_cloud(), &GOOGLE_CLOUD, SETTABLE),
        "cloudfront" => (Fields::cloudfront(), &CLOUDFRONT, !SETTABLE),
        "cloudflare-rfc9440" => (Fields::cloudflare_rfc9440(), &CLOUDFLARE, SETTABLE),
        "azure-app-gateway" => (Fields::azure_app_gateway(), &AZURE_APP_GATEWAY, SETTABLE),
        "puppet" => (Fields::puppet(), &PUPPET, !SETTABLE),
        "kong" => (Fields::kong(), &KONG, SETTABLE),
        "linkerd" => (Fields::linkerd(), &LINKERD, !SETTABLE),
        "nginx-variables" => (Fields::nginx_variables(), &NGINX_VARIABLES, SETTABLE),
        _ => return None,
    };
    let keys = rows.iter().map(|(key, ..)| *key).filter(|_| settable);
    Some((builder, keys.collect()))
}

/// Presets. Each is a builder, so that headers may get other names or be left out.
impl Fields {
    /// Google Cloud's Application Load Balancers: `X-Client-Cert-*`, the names of Google's own examples. The names are
    /// free, so [`rename`](FieldsBuilder::rename) takes others.
    ///
    /// ```text
    /// x-client-cert-present: true
    /// x-client-cert-chain-verified: true
    /// x-client-cert-hash: Afv5T+9VaXU0IMNJ9Jrb/YCvUnU3eBbjqx+zcbKctYY=
    /// x-client-cert-leaf: :MIIB…==:
    /// ```
    ///
    /// The verdict is `true` or `false`, with the reason in `-Error`. The certificate and its chain are empty unless
    /// Google validated them, and so may be whatever is too large: an empty value is read as none. Without a certificate
    /// `-Present` and `-Chain-Verified` are `false`. How Google spells a serial number is not documented: that header is
    /// stripped, and neither written nor read. Source: [Create custom headers in backend services].
    ///
    /// [Create custom headers in backend services]:
    ///     https://cloud.google.com/load-balancing/docs/https/custom-headers#mtls-variables
    #[must_use]
    pub fn google_cloud() -> FieldsBuilder {
        of(&GOOGLE_CLOUD).empty_is_absent()
    }

    /// Amazon CloudFront's viewer mTLS: `CloudFront-Viewer-Cert-*`.
    ///
    /// ```text
    /// cloudfront-viewer-cert-present: 1
    /// cloudfront-viewer-cert-pem: -----BEGIN%20CERTIFICATE-----%0AMIIB…
    /// cloudfront-viewer-cert-serial-number: 4a:3f:5c:92:d1:e8:7b:6c
    /// ```
    ///
    /// There is no verdict: in its mode "passthrough" CloudFront verifies nothing and sends the same headers. Without a
    /// certificate `-Present` is `0`. Functions at the edge see all but the certificate, and may send what they see.
    /// Source: [Viewer mTLS headers].
    ///
    /// [Viewer mTLS headers]:
    ///     https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/viewer-mtls-headers.html
    #[must_use]
    pub fn cloudfront() -> FieldsBuilder {
        of(&CLOUDFRONT)
    }

    /// Cloudflare's fields in RFC 9440, with the verdict that belongs to them.
    ///
    /// ```text
    /// client-cert: :MIIB…==:
    /// cf-cert-verified: true
    /// cf-cert-revoked: false
    /// ```
    ///
    /// `Client-Cert` and `Client-Cert-Chain` come from request header rules, and are **filled whether or not the
    /// certificate is valid**. So a reader needs the other two, from the managed transform "Add TLS client auth headers":
    /// the certificate is verified if the one is `true` and the other is not, for Cloudflare calls a revoked one verified.
    /// Without `cf-cert-verified` there is no verdict. Without a certificate the first two are absent or empty, and the
    /// verdict is `false`. Cloudflare passes on what clients send under the first two unless a rule removes it. Sources:
    /// [Forward a client certificate], [Available managed transforms].
    ///
    /// [Forward a client certificate]: https://developers.cloudflare.com/ssl/client-certificates/forward-a-client-certificate/
    /// [Available managed transforms]: https://developers.cloudflare.com/rules/transform/managed-transforms/reference/
    #[must_use]
    pub fn cloudflare_rfc9440() -> FieldsBuilder {
        of(&CLOUDFLARE).empty_is_absent()
    }

    /// Azure Application Gateway's server variables, under their own names with `X-` in front. The names are free: they
    /// are those of a rewrite rule.
    ///
    /// ```text
    /// x-client-certificate: -----BEGIN%20CERTIFICATE-----%0AMIIB…
    /// x-client-certificate-verification: SUCCESS
    /// ```
    ///
    /// The verdict is nginx's; under "passthrough" it may be `PASSTHROUGH`, which is a failure. Without a certificate it is
    /// `NONE`, and the others are absent or empty. The fingerprint is a SHA-1, and how serial numbers and dates are spelt
    /// is not documented: those headers are stripped, and neither written nor read. Source: [Rewrite HTTP headers and URL].
    ///
    /// [Rewrite HTTP headers and URL]: https://learn.microsoft.com/en-us/azure/application-gateway/rewrite-http-headers-url
    #[must_use]
    pub fn azure_app_gateway() -> FieldsBuilder {
        of(&AZURE_APP_GATEWAY).empty_is_absent()
    }

    /// What Puppet Server (and OpenVox) reads behind a proxy, with `allow-header-cert-info: true`.
    ///
    /// ```text
    /// x-client-verify: SUCCESS
    /// x-client-dn: CN=agent.example
    /// x-client-cert: -----BEGIN%20CERTIFICATE-----%0AMIIB…
    /// ```
    ///
    /// The name is RFC 2253; OpenSSL's `/CN=agent.example` is read too. Without a certificate the verdict is `NONE` and
    /// the others are absent; a certificate that was not verified is `FAILED:reason`. The names are fixed. Source:
    /// [External SSL termination].
    ///
    /// [External SSL termination]: https://www.puppet.com/docs/puppet/8/server/external_ssl_termination
    #[must_use]
    pub fn puppet() -> FieldsBuilder {
        of(&PUPPET)
    }

    /// Kong's plugin `tls-metadata-headers`, whose configuration names the headers.
    ///
    /// ```text
    /// x-client-cert: -----BEGIN%20CERTIFICATE-----%0AMIIB…
    /// x-client-cert-serial: 03A5B1
    /// x-client-cert-subject-dn: CN=alice,O=Example
    /// ```
    ///
    /// The plugin verifies nothing and says nothing of it, so certificates that nobody verified are written too. Without a
    /// certificate it writes none of them, and **passes on what the client sent under these names**. The fingerprint is a
    /// SHA-1: it is stripped, and neither written nor read. Newer versions add `X-Client-Cert-Chain`, the client's own
    /// certificate included. Source: [TLS Metadata Headers].
    ///
    /// [TLS Metadata Headers]: https://developer.konghq.com/plugins/tls-metadata-headers/
    #[must_use]
    pub fn kong() -> FieldsBuilder {
        of(&KONG).forwards_unverified()
    }

    /// linkerd's `l5d-client-id`: the name of the client, and no certificate.
    ///
    /// ```text
    /// l5d-client-id: default.emojivoto.serviceaccount.identity.linkerd.cluster.local
    /// ```
    ///
    /// It is a DNS name, or a SPIFFE ID, and only [told](crate::dialect::CertDetails). There is no verdict; linkerd has
    /// verified the client and removes the header where it has not. Source: [`set_identity_header.rs`].
    ///
    /// [`set_identity_header.rs`]:
    ///     https://github.com/linkerd/linkerd2-proxy/blob/main/linkerd/app/inbound/src/http/set_identity_header.rs
    #[must_use]
    pub fn linkerd() -> FieldsBuilder {
        of(&LINKERD)
    }

    /// nginx's `$ssl_client_*`, all that this crate can write, under the names of the variables after `X-`. nginx gives
    /// the headers no names.
    ///
    /// ```text
    /// x-ssl-client-cert: -----BEGIN%20CERTIFICATE-----%0AMIIB…
    /// x-ssl-client-verify: SUCCESS
    /// x-ssl-client-s-dn: CN=alice,O=Example
    /// x-ssl-client-v-end: Jul  1 18:05:09 2032 GMT
    /// ```
    ///
    /// Without a certificate there is the verdict `NONE` alone. nginx sends no header for an empty variable, so an empty
    /// value is malformed. The fingerprint is a SHA-1: it is stripped, and neither written nor read. For certificate and
    /// verdict alone [`Nginx`](crate::dialect::Nginx) is shorter. Source: [`ngx_http_ssl_module`].
    ///
    /// [`ngx_http_ssl_module`]: https://nginx.org/en/docs/http/ngx_http_ssl_module.html#variables
    #[must_use]
    pub fn nginx_variables() -> FieldsBuilder {
        of(&NGINX_VARIABLES)
    }
}
