//! The TLS side on rustls: the verifier a policy calls for, and the acceptor that captures what it found.

mod acceptor;
mod certificate;
mod fingerprint;
mod handshake;
mod sessions;
#[cfg(feature = "ticket-keys")]
mod tickets;
mod trust;
mod validity;
mod verdicts;
mod verifier;

pub use acceptor::{AcceptError, ClientCertAcceptor};
#[cfg(feature = "ticket-keys")]
pub use tickets::{SharedTicketer, TicketKeyError};
pub use trust::VerifierError;
pub use verifier::{ChainError, ClientVerifier, ClientVerifierBuilder};
