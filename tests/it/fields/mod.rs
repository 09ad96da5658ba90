//! The declarative dialect and its presets.

mod builder;
mod hostile;
mod presets;
mod refused;
mod reviewed;
mod told;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use rustls::pki_types::CertificateDer;
use tower_client_cert::dialect::{DecodeErrorKind, Dialect, Fields, ForwardedCert, VerifyStatus};

use crate::forge::{CN, DNS, Forged, O, URI, UTF8, alt_names, name};
use crate::pki::der;

/// A certificate whose parts are those of the vendors' examples.
fn alice() -> Vec<CertificateDer<'static>> {
    let subject = name(&[&[(O, UTF8, b"mTLS")], &[(CN, UTF8, b"alice, of wonderland")]]);
    let forged = Forged {
        serial: der(0x02, &[0x4A, 0x3F, 0x5C, 0x92, 0xD1, 0xE8, 0x7B, 0x6C]),
        issuer: name(&[&[(O, UTF8, b"mTLS")], &[(CN, UTF8, b"rootcamtls.com")]]),
        subject,
        not_before: der(0x17, b"230901015017Z"),
        not_after: der(0x17, b"491220015017Z"),
        ..Forged::default()
    };
    let names: [(u8, &[u8]); 3] =
        [(DNS, b"alice.example"), (URI, b"spiffe://example/alice"), (URI, b"https://example/a,b")];
    vec![forged.with(crate::forge::ALT_NAMES, &alt_names(&names)).der().into()]
}

fn bob() -> Vec<CertificateDer<'static>> {
    vec![Forged::subject(&[&[(CN, UTF8, b"bob")]]).der().into()]
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn percent_pem(certificates: &[CertificateDer<'_>]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    let pem: String = certificates
        .iter()
        .map(|der| pem::encode_config(&pem::Pem::new("CERTIFICATE", der.to_vec()), config))
        .collect();
    let escape = |text: String, (from, to): (&str, &str)| text.replace(from, to);
    [(" ", "%20"), ("\n", "%0A"), ("+", "%2B"), ("/", "%2F"), ("=", "%3D")].into_iter().fold(pem, escape)
}

/// What is read of these headers after something was done to them.
fn after(
    dialect: &Fields,
    headers: &HeaderMap,
    change: &[(&str, Option<&str>)],
) -> Result<Option<ForwardedCert>, DecodeErrorKind> {
    let mut headers = headers.clone();
    for (name, value) in change {
        headers.remove(*name);
        if let Some(value) = value {
            headers.insert(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
        }
    }
    dialect.decode(&headers).map_err(|error| error.kind().clone())
}

fn failed(reason: &str) -> Option<VerifyStatus> {
    Some(VerifyStatus::Failed(reason.to_owned().into()))
}
