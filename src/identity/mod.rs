//! The names in a client's certificate, and what else the certificate says about its holder.
//!
//! ```
//! use tower_client_cert::ClientIdentity;
//! use tower_client_cert::identity::SpiffeError;
//!
//! # fn der() -> Result<Vec<u8>, rcgen::Error> {
//! #     let mut params = rcgen::CertificateParams::new(["alice.example.org".to_owned()])?;
//! #     params.distinguished_name = rcgen::DistinguishedName::new();
//! #     params.distinguished_name.push(rcgen::DnType::OrganizationName, "Example");
//! #     params.distinguished_name.push(rcgen::DnType::CommonName, "alice");
//! #     Ok(params.self_signed(&rcgen::KeyPair::generate()?)?.der().to_vec())
//! # }
//! # let der = der()?;
//! let client = ClientIdentity::from_der(&der)?;
//! assert_eq!(client.common_name(), Ok("alice"));
//! assert_eq!(*client.subject(), "CN=alice,O=Example".parse()?);
//! assert_eq!(client.dns_names().collect::<Vec<_>>(), ["alice.example.org"]);
//! assert_eq!(client.spiffe_id(), Err(SpiffeError::Missing));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`PeerCertificates::identity`](crate::PeerCertificates::identity) parses a [`ClientIdentity`] the first time it is
//! called on a connection, and shares it from then on. Only the client's own certificate counts: the certificates that
//! came along with it say nothing about who the client is.
//!
//! Anybody can make a certificate that says anything. So this module never guesses. It does not choose between two
//! common names, it reports a name that breaks the rules of its kind as [`Malformed`](SubjectAltName::Malformed)
//! instead of repairing it, and it tells a part that is missing from one that is broken.
//!
//! In axum handlers [`ClientIdentity`] is an extractor, and so is [`Identified`](crate::Identified) with a type of your
//! own that is made from one (feature `axum`).

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
