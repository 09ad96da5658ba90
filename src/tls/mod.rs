//! The TLS side, on rustls: the verifier that carries out a policy, and the acceptor that captures the certificates.

mod acceptor;
mod crl;
mod digest;
mod files;
#[cfg(feature = "reload")]
mod reload;
mod sessions;
mod verifier;

pub use acceptor::{AcceptError, ClaimedCertificate, ClientCertAcceptor, Refusal, ServerNames, TrustLost};
pub use files::{Origin, PemFault, ServerCertError, VerifierError};
#[cfg(feature = "reload")]
pub use reload::{ReloadError, Reloader};
#[cfg(feature = "ticket-keys")]
pub use sessions::{SharedTicketer, TicketKeyError};
pub use verifier::{ChainError, ClientVerifier, ClientVerifierBuilder, RefusalReason};
