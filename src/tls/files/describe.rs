//! A certificate in one line of a log.

use crate::telemetry::printable;
use crate::x509::{Certificate, Fingerprint, Name};

/// Describes a certificate by its subject, as RFC 4514 writes it, and its SHA-256.
pub(crate) fn describe(der: &[u8]) -> String {
    let subject = Certificate::read(der).ok().and_then(|certificate| Name::read(certificate.subject));
    let subject = subject.map(|name| printable(name.rfc4514())).filter(|text| !text.is_empty());
    let separator = if subject.is_some() { ", " } else { "" };
    format!("{}{separator}SHA-256 {}", subject.unwrap_or_default(), Fingerprint::of_bytes(der))
}
