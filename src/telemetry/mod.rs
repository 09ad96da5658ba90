//! What operators see: spans, counters, limits on how often something is logged, and text that is safe to log.
//!
//! This module takes words and numbers, and knows nothing about the rest of the crate.

mod counters;
#[cfg(feature = "tracing")]
pub(crate) mod limit;
#[cfg(any(feature = "tracing", feature = "tls"))]
mod printable;
mod span;

#[cfg(feature = "tls")]
pub(crate) use counters::handshake;
pub(crate) use counters::{forwarded_refused, stripped, too_large, unknown_field};
#[cfg(any(feature = "tracing", feature = "tls"))]
pub(crate) use printable::printable;
pub(crate) use span::ConnectionSpan;
