//! The reader of X.509 certificates (RFC 5280), and the only module that knows DER. It imports nothing of the rest of
//! the crate.
//!
//! This module decides nothing: webpki verifies. The module tells what a certificate says, to code that prints or
//! compares it, and anybody may have written the certificate. So each part has one reading or none: the reader leaves
//! no byte over and guesses nothing. Where RFC 5280 or practice leaves room, the reader follows Go's `crypto/x509` and
//! OpenSSL, and a comment there gives the reason.
// The features decide which parts are used, but the reader is the same with all of them.
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
