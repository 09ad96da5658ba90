//! One binary, so that it links once: a file per subject, over a shared PKI and harness.

#[allow(dead_code)]
mod harness;
#[allow(dead_code)]
mod pki;

mod dialects;
mod forward;
mod policy;
mod properties;
mod serve;
mod spoofing;
mod verifier;
mod warnings;
mod xfcc;
