//! Counters, in one place. Without the feature `metrics` each of these does nothing, and costs nothing.
//!
//! They go to the `metrics` facade rather than to a trait of this crate: whoever runs Prometheus has an exporter for
//! it already, nothing has to be handed to the acceptor and to each layer, and no name of it is in the public API.
//! The names and labels are listed in the crate's documentation, under `metrics`.
#![cfg_attr(not(feature = "metrics"), allow(unused_variables))]

/// A handshake is over: with a certificate that is `none`, `verified` or `unverified`, or without a connection, for a
/// reason.
#[cfg(feature = "tls")]
pub(crate) fn handshake(result: Result<&'static str, &'static str>) {
    #[cfg(feature = "metrics")]
    match result {
        Ok(certificate) => {
            metrics::counter!("client_cert_connections_total", "certificate" => certificate).increment(1);
        }
        Err(reason) => {
            metrics::counter!("client_cert_handshake_failures_total", "reason" => reason).increment(1);
        }
    }
}

/// A request came with headers that only the layer may write.
pub(crate) fn stripped(headers: usize) {
    #[cfg(feature = "metrics")]
    metrics::counter!("client_cert_stripped_headers_total").increment(headers as u64);
}

/// What a request says of its client's certificate is not believed, or can't be.
pub(crate) fn forwarded_refused(reason: Option<&'static str>) {
    #[cfg(feature = "metrics")]
    if let Some(reason) = reason {
        metrics::counter!("client_cert_forwarded_refused_total", "reason" => reason).increment(1);
    }
}

/// What a connection's header would hold was too large, and part of it or all was left out.
pub(crate) fn too_large() {
    #[cfg(feature = "metrics")]
    metrics::counter!("client_cert_too_large_total").increment(1);
}

/// A trusted proxy wrote a field of XFCC that is not known.
pub(crate) fn unknown_field() {
    #[cfg(feature = "metrics")]
    metrics::counter!("client_cert_unknown_fields_total").increment(1);
}
