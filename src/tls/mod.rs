//! The TLS side on rustls: the verifier a policy calls for, and the acceptor that captures what it found.

mod accept_error;
mod acceptor;
mod certificate;
mod crl;
mod endpoint;
#[cfg_attr(not(feature = "reload"), allow(dead_code))]
mod file;
mod files;
mod fingerprint;
mod handshake;
mod linger;
mod plaintext;
mod refused;
#[cfg(feature = "reload")]
mod reload;
mod report;
mod server_cert;
mod server_names;
mod sessions;
mod standing;
#[cfg(feature = "ticket-keys")]
mod tickets;
mod trust;
mod trust_lost;
mod validity;
mod verdicts;
mod verifier;

pub use accept_error::AcceptError;
pub use acceptor::ClientCertAcceptor;
pub use files::PemFault;
pub use refused::{ClaimedCertificate, Refusal, RefusalReason};
#[cfg(feature = "reload")]
pub use reload::{ReloadError, Reloader};
pub use server_cert::ServerCertError;
pub use server_names::ServerNames;
#[cfg(feature = "ticket-keys")]
pub use tickets::{SharedTicketer, TicketKeyError};
pub use trust::{Origin, VerifierError};
pub use trust_lost::TrustLost;
pub use verifier::{ChainError, ClientVerifier, ClientVerifierBuilder};
