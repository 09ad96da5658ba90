//! One file for each server that the crate plugs into, and what these share: the service that attaches a connection's
//! `TlsConnectInfo` to its requests, and the check that a request belongs on its connection.

mod adopt;
#[cfg(feature = "axum")]
mod advice;
#[cfg(all(feature = "axum", feature = "tls"))]
mod axum;
#[cfg(feature = "axum-server")]
mod axum_server;
mod connect_info;
#[cfg(feature = "axum")]
mod extract;
#[cfg(all(feature = "axum", feature = "x509"))]
mod identified;
#[cfg(feature = "tls")]
mod misdirected;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "tonic")]
mod tonic;

pub use self::adopt::{AdoptConnectInfo, AdoptConnectInfoLayer};
#[cfg(feature = "axum")]
pub(crate) use self::advice::Advice;
#[cfg(all(feature = "axum", feature = "tls"))]
pub use self::axum::{Captured, MakeService, TlsListener, make_service};
pub use self::connect_info::WithTlsConnectInfo;
#[cfg(feature = "axum")]
pub use self::extract::{MissingTlsConnectInfo, PeerCertificatesRejection};
#[cfg(all(feature = "axum", feature = "x509"))]
pub use self::identified::{ClientIdentityRejection, Identified, IdentifiedRejection};
#[cfg(feature = "tls")]
pub use self::misdirected::{RefuseMisdirected, RefuseMisdirectedLayer};
#[cfg(feature = "serve")]
pub use self::serve::{DrainError, Serve, Transport, serve};
