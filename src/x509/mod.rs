//! X.509 certificates: the only place that knows DER. It imports nothing of the rest of the crate.

#[cfg(feature = "tls")]
pub(crate) mod der;
mod fingerprint;
#[cfg(feature = "x509")]
pub(crate) mod name;
#[cfg(feature = "tls")]
pub(crate) mod outline;
#[cfg(feature = "tls")]
pub(crate) mod validity;

pub use fingerprint::{Fingerprint, ParseFingerprintError};
