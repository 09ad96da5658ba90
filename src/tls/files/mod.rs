//! Files of certificates, CRLs and keys: what they hold, and whether it has changed since they were read.

mod armour;
mod chain;
mod contents;
#[cfg(feature = "tracing")]
mod describe;
mod fault;
#[cfg_attr(not(feature = "reload"), allow(dead_code))]
mod file;
mod kind;
mod origin;
mod role;
mod scan;
mod server_cert;
mod suspect;
mod trust;
mod verifier_error;

pub use fault::PemFault;
#[cfg(feature = "reload")]
pub(super) use file::Change;
pub(super) use file::FileRead;
pub use origin::Origin;
#[cfg(feature = "ticket-keys")]
pub(super) use scan::Lines;
pub(super) use server_cert::ServerCert;
pub use server_cert::ServerCertError;
pub(super) use trust::{Bytes, CrlSource, GivenCrl, IntermediateSource, RootSource};
pub use verifier_error::VerifierError;
