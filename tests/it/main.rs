//! One binary, so that it links once: a file per subject, over a shared PKI and harness.

#[allow(dead_code)]
mod harness;
#[allow(dead_code)]
mod pki;

mod forward;
mod policy;
mod resumption;
mod resumption_clients;
mod revocation;
mod serve;
mod spoofing;
#[cfg(feature = "ticket-keys")]
mod ticket_keys;
mod verifier;
mod warnings;
