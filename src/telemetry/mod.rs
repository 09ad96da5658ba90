//! What operators see: spans, counters, how often something is said, and text that is fit for a log.
//!
//! Words go in. Nothing of the rest of the crate is known here.

mod counters;
#[cfg(feature = "tracing")]
pub(crate) mod limit;
#[cfg(any(feature = "tracing", feature = "tls"))]
mod printable;
mod span;

#[cfg(feature = "tls")]
pub(crate) use counters::handshake;
pub(crate) use counters::{forwarded_refused, stripped, too_large};
#[cfg(any(feature = "tracing", feature = "tls"))]
pub(crate) use printable::printable;
pub(crate) use span::ConnectionSpan;
