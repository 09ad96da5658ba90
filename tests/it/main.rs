//! One binary, so that it links once: a file per subject, over a shared PKI and harness.

mod forge;
mod harness;
mod pki;

mod authorize;
#[cfg(unix)]
mod backend;
mod dialects;
#[cfg(unix)]
mod edge_proxy;
mod forward;
mod forwarded;
mod identity;
mod names;
mod peers;
mod policy;
mod properties;
mod readers;
mod reload;
mod resumption;
mod resumption_clients;
mod revocation;
mod rules;
mod second_opinion;
mod serve;
mod sni;
mod spoofing;
mod ticket_keys;
#[cfg(unix)]
mod trust_lost;
mod verifier;
mod warnings;
mod xfcc;
