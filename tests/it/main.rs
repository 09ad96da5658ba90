//! One binary, so that it links once: a file per subject, over a shared PKI and harness.

#[allow(dead_code)]
mod harness;
#[allow(dead_code)]
mod pki;

mod backend;
mod dialects;
mod forward;
mod forwarded;
mod peers;
mod policy;
mod properties;
mod readers;
mod serve;
mod spoofing;
mod verifier;
mod warnings;
mod xfcc;
