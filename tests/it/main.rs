//! One binary, so that it links once: a file per subject, over a shared PKI and harness.

#[cfg(feature = "x509")]
mod forge;
#[allow(dead_code)]
mod harness;
#[allow(dead_code)]
mod pki;

mod forward;
#[cfg(feature = "x509")]
mod authorize;
#[cfg(feature = "x509")]
mod identity;
mod policy;
mod serve;
mod spoofing;
mod verifier;
mod warnings;
#[cfg(feature = "x509")]
mod rules;
#[cfg(feature = "x509")]
mod second_opinion;
