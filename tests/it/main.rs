//! One binary, so that it links once: a file per subject, over a shared PKI and harness.

mod forge;
mod forge_crl;
mod harness;
mod log;
mod pki;

mod authorize;
#[cfg(unix)]
mod backend;
mod backoff;
mod behind_skipper;
mod counted;
mod crl_sets;
mod crls;
mod dialects;
#[cfg(unix)]
mod edge_proxy;
mod forward;
mod forwarded;
mod forwarded_log;
mod from_forwarded;
mod hostile;
mod identity;
mod known_headers;
mod naive_readers;
mod names;
mod names_of_proxies;
mod nothing;
mod observing;
mod own_names;
mod peers;
mod pem_files;
mod pem_kinds;
mod pem_shapes;
mod plaintext;
mod policy;
mod properties;
mod readers;
mod recorded;
mod refused;
mod refused_log;
mod reload;
mod resumption;
mod resumption_clients;
mod revocation;
mod rules;
mod schemes;
mod second_opinion;
mod serve;
mod servers;
mod shutdown;
mod sni;
mod spoofing;
mod standing;
mod strictness;
mod target;
mod ticket_keys;
mod too_large;
mod transparent;
#[cfg(unix)]
mod trust_lost;
mod uri_patterns;
mod verifier;
mod warnings;
mod word_of_a_proxy;
mod xfcc;
