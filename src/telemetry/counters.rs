//! All counters. Without the feature `metrics` these functions do nothing, and cost nothing.
//!
//! The counters use the `metrics` facade rather than a trait of this crate: there is an exporter for Prometheus
//! already, nothing has to be passed to the acceptor and to each layer, and no type of `metrics` is in the public API.
//! The crate's documentation lists the names and labels, under `metrics`.
#![cfg_attr(not(feature = "metrics"), allow(unused_variables))]

/// Counts a handshake: one that succeeded, by its certificate (`none`, `verified` or `unverified`), or one that failed,
/// by its reason.
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

/// Counts headers of a request that only the layer may write.
pub(crate) fn stripped(headers: usize) {
    #[cfg(feature = "metrics")]
    metrics::counter!("client_cert_stripped_headers_total").increment(headers as u64);
}

/// Counts a request whose claims about its client's certificate are not believed.
pub(crate) fn forwarded_refused(reason: Option<&'static str>) {
    #[cfg(feature = "metrics")]
    if let Some(reason) = reason {
        metrics::counter!("client_cert_forwarded_refused_total", "reason" => reason).increment(1);
    }
}

/// Counts a connection whose certificate or chain was too large to forward, so that part of it or all was left out.
pub(crate) fn too_large() {
    #[cfg(feature = "metrics")]
    metrics::counter!("client_cert_too_large_total").increment(1);
}

/// A trusted proxy wrote a field of XFCC that is not known.
pub(crate) fn unknown_field() {
    #[cfg(feature = "metrics")]
    metrics::counter!("client_cert_unknown_fields_total").increment(1);
}
