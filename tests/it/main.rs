//! One binary, so that it links once: a file per subject, over a shared PKI and harness.

#[cfg(unix)]
mod edge_proxy;
#[allow(dead_code)]
mod harness;
#[allow(dead_code)]
mod pki;

mod forward;
mod forwarded;
mod hostile;
mod observing;
mod peers;
mod plaintext;
mod policy;
mod serve;
mod servers;
mod shutdown;
mod spoofing;
mod target;
mod verifier;
mod warnings;
