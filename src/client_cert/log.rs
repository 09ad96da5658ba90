//! A line for each request: what it came with, what the layer removed, what it wrote. For debugging, as Skipper's
//! `logHeader()` is; but no value is in it, since those are personal data, or the client's own invention.

use http::{HeaderMap, HeaderName};
use rustls_pki_types::CertificateDer;

use crate::forwarded::Fingerprint;
use crate::peer::{Headers, PeerCertificates};
use crate::strip::OwnedHeaders;

/// What a request came with.
pub(super) struct Received {
    all: String,
    owned: String,
}

impl Received {
    pub(super) fn new(headers: &HeaderMap, owned: &OwnedHeaders) -> Self {
        let is_owned = |name: &HeaderName| owned.contains(name.as_str().as_bytes());
        Self { all: list(headers, |_| true), owned: list(headers, is_owned) }
    }

    /// Logs it, beside what came of it.
    pub(super) fn log(&self, written: &Headers, peer: Option<&PeerCertificates>) {
        let written: HeaderMap = written.iter().cloned().collect();
        tracing::info!(
            received = %self.all,
            stripped = %self.owned,
            written = %list(&written, |_| true),
            certificate = %peer.map_or_else(|| "none".to_owned(), describe),
            "client certificate headers"
        );
    }
}

/// Names and sizes.
fn list(headers: &HeaderMap, which: impl Fn(&HeaderName) -> bool) -> String {
    let lines = headers.iter().filter(|(name, _)| which(name));
    lines.map(|(name, value)| format!("{name} ({} bytes)", value.len())).collect::<Vec<_>>().join(", ")
}

/// Whose certificate it is, and what it is worth.
fn describe(peer: &PeerCertificates) -> String {
    let end_entity = peer.end_entity();
    format!("sha256:{} {}{}", Fingerprint::of(end_entity), peer.verification(), subject(end_entity))
}

#[cfg(feature = "x509")]
fn subject(certificate: &CertificateDer<'_>) -> String {
    let parsed = x509_parser::parse_x509_certificate(certificate).ok();
    let name = parsed.map(|(_, parsed)| crate::name::rfc4514(parsed.subject()));
    name.map_or_else(String::new, |name| format!(" {}", crate::printable::printable(name)))
}

#[cfg(not(feature = "x509"))]
fn subject(_: &CertificateDer<'_>) -> &'static str {
    ""
}
