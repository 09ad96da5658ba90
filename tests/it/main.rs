//! One binary, so that it links once: a file per subject, over a shared PKI and harness.

mod forge;
mod forge_crl;
mod harness;
mod log;
mod pki;

mod authorize;
#[cfg(unix)]
mod backend;
mod crl_sets;
mod crls;
mod dialects;
#[cfg(unix)]
mod edge_proxy;
mod forward;
mod forwarded;
mod hostile;
mod identity;
mod names;
mod observing;
mod peers;
mod plaintext;
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
mod servers;
mod shutdown;
mod sni;
mod spoofing;
mod target;
mod ticket_keys;
#[cfg(unix)]
mod trust_lost;
mod verifier;
mod warnings;
mod xfcc;
