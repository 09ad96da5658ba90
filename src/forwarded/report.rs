//! Reports requests whose headers are not believed: with a counter by reason, and with one event each, limited in rate.
//!
//! Each layer has one limit for each kind of event, so that the requests of strangers do not hide a proxy's.

use std::sync::Once;
#[cfg(feature = "tracing")]
use std::time::Duration;

#[cfg(feature = "tracing")]
use http::HeaderName;

use super::ForwardedClientCertError as E;
use super::trust::Hop;
#[cfg(feature = "tracing")]
use crate::dialect::AnyDialect;
#[cfg(feature = "tracing")]
use crate::dialect::DecodeError;
use crate::telemetry;
#[cfg(feature = "tracing")]
use crate::telemetry::limit::{Limit, limited};
#[cfg(feature = "tracing")]
use crate::telemetry::printable;
#[cfg(feature = "tracing")]
use crate::x509::Fingerprint;

/// The limits of a layer, shared by its clones.
#[derive(Debug)]
pub(super) struct Reports {
    #[cfg(feature = "tracing")]
    malformed: Limit,
    #[cfg(feature = "tracing")]
    untrusted: Limit,
    /// If layers for several dialects are stacked, all but one of them see headers of another dialect, and that is no
    /// mistake. So this event comes at most once an hour.
    #[cfg(feature = "tracing")]
    instead: Limit,
    hop_unknown: Once,
}

impl Default for Reports {
    fn default() -> Self {
        Self {
            #[cfg(feature = "tracing")]
            malformed: Limit::default(),
            #[cfg(feature = "tracing")]
            untrusted: Limit::default(),
            #[cfg(feature = "tracing")]
            instead: Limit::new(1, Duration::from_secs(3_600)),
            hop_unknown: Once::new(),
        }
    }
}

impl Reports {
    /// Reports why there is no certificate to be believed. Plain absence is not reported.
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
    pub(super) fn refused(&self, hop: &Hop<'_>, error: &E) {
        match error {
            E::Absent | E::NotPresented | E::Withheld { .. } => return,
            E::Untrusted { header: None } => {
                #[cfg(feature = "tracing")]
                tracing::debug!(
                    peer = hop.ip().map(tracing::field::display),
                    "a request without a header to believe does not come from a trusted proxy"
                );
                return;
            }
            E::Untrusted { header: Some(header) } => {
                #[cfg(feature = "tracing")]
                self.untrusted(hop, header);
            }
            E::Malformed(error) => {
                #[cfg(feature = "tracing")]
                self.malformed(hop, error);
            }
            E::HopUnknown => self.hop_unknown.call_once(warn_hop_unknown),
            E::LayerMissing { .. } => {}
        }
        telemetry::forwarded_refused(error.label());
    }

    #[cfg(feature = "tracing")]
    fn untrusted(&self, hop: &Hop<'_>, header: &HeaderName) {
        limited!(
            self.untrusted,
            info,
            peer = hop.ip().map(tracing::field::display),
            peer_certificate = certificate(hop),
            header = printable(header),
            "removed a header that tells of a client certificate, unread: it does not come from a trusted proxy"
        );
    }

    /// An upgrade of the proxy can make every request malformed, so this is a warning.
    #[cfg(feature = "tracing")]
    fn malformed(&self, hop: &Hop<'_>, error: &DecodeError) {
        limited!(
            self.malformed,
            warn,
            peer = hop.ip().map(tracing::field::display),
            header = printable(error.header()),
            byte = error.offset(),
            reason = printable(error.kind()),
            looks_like = error.looks_like(),
            "a trusted proxy forwarded what is not a client certificate in this dialect, and it is refused"
        );
    }

    /// Reports that a trusted proxy forwarded other headers instead of the expected ones.
    #[cfg(feature = "tracing")]
    pub(super) fn instead<'a>(
        &self,
        hop: &Hop<'_>,
        expected: Option<&HeaderName>,
        others: impl Iterator<Item = &'a HeaderName>,
    ) {
        let others: Vec<String> = others.filter_map(whose).take(4).collect();
        if others.is_empty() {
            return;
        }
        limited!(
            self.instead,
            warn,
            peer = hop.ip().map(tracing::field::display),
            expected = expected.map(printable),
            instead = printable(others.join("; ")),
            "a trusted proxy forwarded no header of this dialect, and one of another or in another spelling, which was \
             not read. If the proxy means it, read that dialect; if its client sent it, have the proxy remove it. This is \
             said once an hour at most"
        );
    }
}

/// Names a header, and the dialects that have it in any spelling.
#[cfg(feature = "tracing")]
fn whose(header: &HeaderName) -> Option<String> {
    let dialects = AnyDialect::of_header(header);
    match dialects.split_last() {
        None => None,
        Some((one, [])) => Some(format!("`{header}`, the dialect of {one}")),
        Some((last, others)) => Some(format!("`{header}`, the dialect of {} or {last}", others.join(", "))),
    }
}

/// Describes the hop's own certificate, by which the hop might have been trusted.
#[cfg(feature = "tracing")]
fn certificate(hop: &Hop<'_>) -> Option<String> {
    let peer = hop.peer_certificates()?;
    Some(format!("sha256:{} {}", Fingerprint::of(peer.end_entity()), peer.verification()))
}

fn warn_hop_unknown() {
    #[cfg(feature = "tracing")]
    tracing::warn!("ForwardedClientCertLayer believes nobody: {}", E::HopUnknown);
}
