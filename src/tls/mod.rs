//! The TLS side on rustls: the verifier a policy calls for, and the acceptor that captures what it found.

mod acceptor;
mod certificate;
mod handshake;
mod plaintext;
mod trust;
mod verifier;

pub use acceptor::{AcceptError, ClientCertAcceptor};
pub use trust::VerifierError;
pub use verifier::{ChainError, ClientVerifier, ClientVerifierBuilder};
