//! One binary, so that it links once: a file per subject, over a shared PKI and harness.

#[cfg(unix)]
mod edge_proxy;
#[allow(dead_code)]
mod harness;
#[allow(dead_code)]
mod pki;

mod forward;
mod policy;
#[cfg(unix)]
mod reload;
mod resumption;
mod resumption_clients;
mod revocation;
mod serve;
mod sni;
mod spoofing;
#[cfg(feature = "ticket-keys")]
mod ticket_keys;
#[cfg(unix)]
mod trust_lost;
mod verifier;
mod warnings;
