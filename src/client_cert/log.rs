//! The event that a layer logs for each request: the headers that the request came with, those that the layer removed,
//! and those that it wrote. It is meant for debugging, as Skipper's `logHeader()` is, but it holds no values: they are
//! personal data, or the client's own invention.

use http::{HeaderName, HeaderValue, Request};
use rustls_pki_types::CertificateDer;

use crate::peer::PeerCertificates;
use crate::strip::{OwnedHeaders, Received};
use crate::x509::{Certificate, Fingerprint, Name};

/// The longest list that is logged, in bytes. A client may send some 60 KB of header names.
const MAX_LENGTH: usize = 2 * 1024;

/// The headers that a request came with, as text for the log.
pub(super) struct CameWith {
    all: String,
    stripped: String,
}

impl CameWith {
    pub(super) fn new<B>(request: &Request<B>, owned: &OwnedHeaders) -> Self {
        let taken = request.extensions().get().map(|Received { headers, .. }| headers);
        let lines = || request.headers().iter().chain(taken.into_iter().flatten());
        Self { all: list(lines()), stripped: list(lines().filter(|(name, _)| owned.strips(name))) }
    }

    /// Logs the headers that the request came with and those that were written.
    pub(super) fn log(&self, written: &[(HeaderName, HeaderValue)], peer: Option<&PeerCertificates>) {
        tracing::info!(
            received = %self.all,
            stripped = %self.stripped,
            written = %list(written.iter().map(|(name, value)| (name, value))),
            certificate = %peer.map_or_else(|| "none".to_owned(), describe),
            "client certificate headers"
        );
    }
}

/// Lists the names and sizes of headers.
fn list<'a>(lines: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>) -> String {
    let mut list = String::new();
    for (name, value) in lines {
        if !list.is_empty() {
            list.push_str(", ");
        }
        let line = format!("{name} ({} bytes)", value.len());
        if list.len() + line.len() > MAX_LENGTH {
            list.push('…');
            break;
        }
        list.push_str(&line);
    }
    list
}

/// Describes a certificate: its hash, whether it was verified, and its subject.
fn describe(peer: &PeerCertificates) -> String {
    let end_entity = peer.end_entity();
    format!("sha256:{} {}{}", Fingerprint::of(end_entity), peer.verification(), subject(end_entity))
}

fn subject(certificate: &CertificateDer<'_>) -> String {
    let name = Certificate::read(certificate).ok().and_then(|certificate| Name::read(certificate.subject));
    name.map_or_else(String::new, |name| format!(" {}", crate::telemetry::printable(name.rfc4514())))
}
