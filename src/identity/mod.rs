//! Names in a certificate, and what else it says about its holder.
//!
//! [`ClientIdentity`] is parsed once per connection, the first time somebody asks for it
//! ([`PeerCertificates::identity`](crate::PeerCertificates::identity)), and shared from then on. Only the client's own
//! certificate counts: what came along with it says nothing about who the client is.
//!
//! A certificate can be made by anybody and say anything. So nothing here guesses: two common names are not one, a
//! name that is not what its kind demands is [`Malformed`](SubjectAltName::Malformed) rather than repaired, and each
//! part that a certificate does not have, or has in a broken way, is an answer of its own.
//!
//! In axum handlers [`ClientIdentity`] is an extractor, and so is a type of your own made from one
//! ([`Identified`](crate::Identified), feature `axum`).

mod certificate;
mod distinguished_name;
mod keyword;
mod spiffe;
mod subject_alt_name;
mod uri;
mod usage;

pub use certificate::{ClientIdentity, IdentityError};
pub use distinguished_name::{
    Attribute, AttributeError, AttributeValue, DistinguishedName, ParseNameError, ParseNameErrorKind,
};
pub(crate) use spiffe::is_trust_domain;
pub use spiffe::{SpiffeError, SpiffeId};
pub(crate) use subject_alt_name::check_hostname;
pub use subject_alt_name::{HostnameError, SanKind, SubjectAltName};
pub use uri::{Uri, UriError};
pub use usage::{ExtendedKeyUsage, KeyUsage};

pub use crate::x509::ExtensionError;
