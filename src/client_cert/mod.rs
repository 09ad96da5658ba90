//! The layer that passes the client's certificate on in headers. It strips first and then writes.

mod config;
mod layer;
#[cfg(feature = "tracing")]
mod log;
mod service;

pub use layer::ClientCertLayer;
pub use service::ClientCert;
