//! What the handshake found out about the peer: its certificates, and whether they were verified.

mod certificates;
mod connection;
mod encoded;
#[cfg(feature = "x509")]
mod proxied;
mod standing;
mod verification;

pub use certificates::PeerCertificates;
pub use connection::{TlsConnectInfo, TlsVersion};
pub(crate) use encoded::{Headers, LayerId, Written};
#[cfg(feature = "x509")]
pub(crate) use proxied::{ADVICE as PROXIED_ADVICE, Proxied};
#[cfg(feature = "tls")]
pub(crate) use standing::{Demotion, Standing};
pub use verification::{UnverifiedReason, Verification};
