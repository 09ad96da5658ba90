//! What the handshake found out about the peer: its certificates, and what they are worth.

mod certificates;
mod connection;
mod encoded;
mod verification;

pub use certificates::PeerCertificates;
pub use connection::{TlsConnectInfo, TlsVersion, WithTlsConnectInfo};
pub(crate) use encoded::{Headers, LayerId};
pub use verification::{UnverifiedReason, Verification};
