//! One binary, so that it links once: a file per subject, over a shared PKI and harness.

#[cfg(unix)]
mod edge_proxy;
#[cfg(feature = "x509")]
mod forge;
#[allow(dead_code)]
mod harness;
#[allow(dead_code)]
mod pki;

#[cfg(feature = "x509")]
mod authorize;
mod forward;
#[cfg(feature = "x509")]
mod identity;
#[cfg(feature = "x509")]
mod names;
mod policy;
#[cfg(unix)]
mod reload;
mod resumption;
mod resumption_clients;
mod revocation;
#[cfg(feature = "x509")]
mod rules;
#[cfg(feature = "x509")]
mod second_opinion;
mod serve;
mod sni;
mod spoofing;
#[cfg(feature = "ticket-keys")]
mod ticket_keys;
mod verifier;
mod warnings;
