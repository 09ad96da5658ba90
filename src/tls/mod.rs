//! The TLS side on rustls: the verifier a policy calls for, and the acceptor that captures what it found.

mod acceptor;
mod certificate;
mod crl;
mod endpoint;
#[cfg_attr(not(feature = "reload"), allow(dead_code))]
mod file;
mod fingerprint;
mod handshake;
mod plaintext;
#[cfg(feature = "reload")]
mod reload;
mod server_cert;
mod server_names;
mod sessions;
#[cfg(feature = "ticket-keys")]
mod tickets;
mod trust;
mod trust_lost;
mod validity;
mod verdicts;
mod verifier;

pub use acceptor::{AcceptError, ClientCertAcceptor};
#[cfg(feature = "reload")]
pub use reload::{ReloadError, Reloader};
pub use server_cert::ServerCertError;
pub use server_names::ServerNames;
#[cfg(feature = "ticket-keys")]
pub use tickets::{SharedTicketer, TicketKeyError};
pub use trust::VerifierError;
pub use trust_lost::TrustLost;
pub use verifier::{ChainError, ClientVerifier, ClientVerifierBuilder};
