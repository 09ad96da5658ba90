//! Which client certificate stood behind a request, at the proxy and at the backend.
#![cfg_attr(docsrs, feature(doc_cfg))]
// What a client sends must never panic the server. Tests and examples may.
#![cfg_attr(
    not(test),
    warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)
)]

mod client_cert;
pub mod dialect;
#[cfg(feature = "axum")]
mod extract;
pub mod forwarded;
mod peer;
mod policy;
#[cfg(all(feature = "axum", feature = "tls"))]
mod serve;
mod strip;
#[cfg(feature = "tls")]
mod tls;

pub use client_cert::{ClientCert, ClientCertLayer};
#[cfg(feature = "axum")]
pub use extract::{MissingTlsConnectInfo, PeerCertificatesRejection};
pub use peer::{
    PeerCertificates, TlsConnectInfo, TlsVersion, UnverifiedReason, Verification, WithTlsConnectInfo,
};
pub use policy::{ClientAuthPolicy, ParsePolicyError};
#[cfg(all(feature = "axum", feature = "tls"))]
pub use serve::{Captured, MakeService, TlsListener, make_service};
pub use strip::StripTrailers;
#[cfg(feature = "tls")]
pub use tls::{
    AcceptError, ChainError, ClientCertAcceptor, ClientVerifier, ClientVerifierBuilder, VerifierError,
};
