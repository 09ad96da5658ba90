//! The layer that passes the client's certificate on in headers: strip, then write.

mod config;
mod layer;
#[cfg(feature = "tracing")]
mod log;
mod service;

pub use layer::ClientCertLayer;
pub use service::ClientCert;
