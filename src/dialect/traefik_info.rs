//! `X-Forwarded-Tls-Client-Cert-Info`, as Traefik's `passTLSClientCert.info` writes it.

use http::{HeaderMap, HeaderName};

use super::certificate::{Certificate, printable};
use super::decode::{DecodeErrorKind, only};
use super::encoding::{insert, percent_encoded};
use super::{DecodeError, Dialect, ForwardedCert, Outgoing};
use crate::x509::Name;

/// The names in the certificates, for display. **Never decide anything by this header.**
///
/// ```text
/// x-forwarded-tls-client-cert-info: Subject%3D%22C%3DFR%2CO%3DCheese%22%3BIssuer%3D%22…%22%3BSerialNumber%3D%2242%22…
/// ```
///
/// Traefik joins the fields without escaping what is in them, and only then percent-encodes the whole. A client whose
/// organization is called `x";SerialNumber="1` writes fields of its own there. That is why [`decode`](Dialect::decode)
/// always refuses ([`WriteOnly`](DecodeErrorKind::WriteOnly)).
///
/// What is written here is Traefik's, but for a `"`, `;` or `,` in a name: it is percent-encoded once more, as Go does
/// with the `"` of a URI, so that it ends neither the name nor the field.
///
/// Every field is written that Traefik has an option for: subject and issuer, serial number (decimal), `NB` and `NA`
/// (seconds since 1970), subject alternative names. Source: [`pass_tls_client_cert.go`].
///
/// [`pass_tls_client_cert.go`]:
///     https://github.com/traefik/traefik/blob/master/pkg/middlewares/passtlsclientcert/pass_tls_client_cert.go
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraefikInfo(());

static NAMES: [HeaderName; 1] = [HeaderName::from_static("x-forwarded-tls-client-cert-info")];

impl TraefikInfo {
    /// All fields.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl Dialect for TraefikInfo {
    fn header_names(&self) -> &[HeaderName] {
        &NAMES
    }

    fn forwards_unverified(&self) -> bool {
        true
    }

    fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap) {
        let [info] = &NAMES;
        let certificates: Vec<String> = client
            .certificates
            .iter()
            .filter_map(|der| Certificate::parse(der))
            .map(|certificate| fields(&certificate))
            .collect();
        if !certificates.is_empty() {
            // Go's `url.QueryEscape` differs in the space alone.
            let escaped = percent_encoded(certificates.join(",").as_bytes());
            insert(headers, info, escaped.replace("%20", "+"));
        }
    }

    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        let [info] = &NAMES;
        match only(headers, info)? {
            None => Ok(None),
            Some(_) => Err(DecodeError::new(info, 0, DecodeErrorKind::WriteOnly)),
        }
    }
}

fn fields(certificate: &Certificate<'_>) -> String {
    let [from, to] = certificate.validity.map(|time| time.since_1970().to_string());
    let mut names = certificate.dns_names();
    names.extend(certificate.emails());
    names.extend(certificate.ip_addresses());
    names.extend(certificate.uris());
    names.retain(|name| printable(name));
    let names: Vec<String> = names.iter().map(|name| within_field(name)).collect();
    let fields = [
        ("Subject", distinguished_name(&certificate.subject, true)),
        ("Issuer", distinguished_name(&certificate.issuer, false)),
        ("SerialNumber", certificate.serial.decimal()),
        ("NB", from),
        ("NA", to),
        ("SAN", names.join(",")),
    ];
    let present = fields.iter().filter(|(_, value)| !value.is_empty());
    present.map(|(key, value)| format!("{key}=\"{value}\"")).collect::<Vec<_>>().join(";")
}

/// Text that ends no name and no field.
fn within_field(text: &str) -> String {
    text.replace('"', "%22").replace(';', "%3B").replace(',', "%2C")
}

/// The attributes Traefik knows, by kind and not in their order; of the last two kinds, the last one only, as in Go.
fn distinguished_name(name: &Name<'_>, with_organizational_unit: bool) -> String {
    const DOMAIN_COMPONENT: &[u8] = &[0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 0x01, 0x19];
    const ORGANIZATIONAL_UNIT: &[u8] = &[0x55, 4, 11];
    const KINDS: [(&str, &[u8]); 8] = [
        ("DC", DOMAIN_COMPONENT),
        ("C", &[0x55, 4, 6]),
        ("ST", &[0x55, 4, 8]),
        ("L", &[0x55, 4, 7]),
        ("O", &[0x55, 4, 10]),
        ("OU", ORGANIZATIONAL_UNIT),
        ("SN", &[0x55, 4, 5]),
        ("CN", &[0x55, 4, 3]),
    ];
    let mut parts = Vec::new();
    for (key, oid) in KINDS {
        if oid == ORGANIZATIONAL_UNIT && !with_organizational_unit {
            continue;
        }
        let values = name
            .attributes()
            .filter(|attribute| attribute.oid == oid)
            .filter_map(|attribute| attribute.value.text())
            .filter(|value| !value.is_empty());
        let values: Vec<String> = match key {
            "SN" | "CN" => values.last().into_iter().collect(),
            _ => values.collect(),
        };
        parts.extend(values.iter().map(|value| format!("{key}={}", within_field(value))));
    }
    parts.join(",")
}
