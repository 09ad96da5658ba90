#![doc = include_str!("../docs/authorize.md")]

#[cfg(feature = "serde")]
mod config;
mod decide;
mod denied;
mod glob;
mod layer;
mod lists;
mod rule;
mod rule_error;
mod service;
mod source;
mod uri_glob;

pub use denied::{Denied, Reason};
pub use glob::GlobError;
pub use layer::{DeniedResponse, EmptyResponse, RequireClientCertLayer};
pub use rule::Rule;
pub use rule_error::{RuleError, RuleErrorKind};
pub use service::RequireClientCert;
pub use source::{CertificateSource, Evidence, FromConnection, NoEvidence};
