//! The client's certificate in words.

use rustls_pki_types::CertificateDer;

use super::certificate::{Certificate, printable};
use crate::x509::Fingerprint;

/// What some dialects say of the client's certificate in words, beside it or instead of it.
///
/// Where the certificate is there ([`ForwardedCert::certificates`](super::ForwardedCert::certificates)), all of this but
/// [`by`](Self::by) is taken from it, and the proxy's words about it are not read; the one that is, the
/// [`hash`](Self::hash), fits it.
///
/// Where it is not there, all of this is *told*: text that the proxy wrote, true only if the proxy is, and if its
/// configuration lets no client write any of it. A hash is told as much as a name is. Envoy, for example, writes names
/// without quotes, so one name may arrive as two, or as a hash. Whoever decides by it trusts every CA that the proxy
/// trusts not to sign such names. To be on the safe side have the proxy pass the certificate on and compare that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertDetails {
    /// The SHA-256 of the certificate's DER, where the dialect has it.
    pub hash: Option<Fingerprint>,
    /// The subject, usually as RFC 2253 has it.
    pub subject: Option<String>,
    /// The issuer, likewise.
    pub issuer: Option<String>,
    /// The serial number, usually hexadecimal.
    pub serial_number: Option<String>,
    /// `NotBefore=…;NotAfter=…`, RFC 3339, as AWS writes it.
    pub validity: Option<String>,
    /// The subject alternative names that are URIs.
    pub uris: Vec<String>,
    /// The subject alternative names that are DNS names.
    pub dns_names: Vec<String>,
    /// The URIs of the proxy's own certificate. They are always told.
    pub by: Vec<String>,
}

impl CertDetails {
    /// What the certificate says. Nothing, if it is none that can be read.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        let Some(certificate) = Certificate::parse(certificate) else { return Self::default() };
        let text = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            subject: text(certificate.subject_text()),
            issuer: text(certificate.issuer_text()),
            serial_number: text(certificate.serial.to_string()),
            validity: Some(certificate.validity_text()),
            uris: certificate.uris().into_iter().filter(|uri| printable(uri)).collect(),
            dns_names: certificate.dns_names().into_iter().filter(|name| printable(name)).collect(),
            ..Self::default()
        }
    }
}
