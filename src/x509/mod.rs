//! X.509 certificates (RFC 5280), read: the only place that knows DER. It imports nothing of the rest of the crate.
//!
//! It decides nothing. webpki verifies; here is what a certificate says, for whoever has to tell or to compare it, and
//! anybody may have written it. So each part has one reading or none: nothing is left over, nothing is guessed. Where
//! RFC 5280 leaves room, or practice does, Go's `crypto/x509` and OpenSSL are the judges, and the reason stands where the
//! decision is made.
// Which part is used is a matter of features; the reader is the same with all of them.
#![cfg_attr(not(all(feature = "tls", feature = "x509")), allow(dead_code, unreachable_pub, unused_imports))]

mod certificate;
pub(crate) mod der;
pub(crate) mod extension;
mod fingerprint;
pub(crate) mod general_name;
mod name;
mod name_text;
pub(crate) mod oid;
mod serial;
mod time;
pub(crate) mod usage;

pub(crate) use certificate::{Certificate, PublicKey, Unreadable};
pub use extension::ExtensionError;
pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub(crate) use general_name::GeneralName;
pub(crate) use name::{Attribute, Name};
pub(crate) use serial::Serial;
pub(crate) use time::Time;
