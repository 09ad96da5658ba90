#![no_main]

//! Whatever stands before a CA in a file, the CA is read or the file is refused.

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier as _;
use tower_client_cert::ClientAuthPolicy;

const CA: &[u8] = include_bytes!("ca.pem");

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let builder = || ClientAuthPolicy::RequireAndVerifyClientCert.verifier().provider(Arc::clone(&PROVIDER));
    let names = |bytes: &[u8]| {
        let verifier = builder().roots_from_pem(bytes).build().ok()?;
        let names = verifier.root_hint_subjects().iter();
        Some(names.map(|name| name.as_ref().to_vec()).collect::<Vec<_>>())
    };
    let ca = names(CA).expect("the CA alone is read");
    for bytes in [[file, CA].concat(), [file, b"\n", CA].concat(), [CA, file].concat()] {
        // A file in DER has room for one only.
        if let Some(names) = names(&bytes) {
            assert!(names.contains(&ca[0]), "{}", String::from_utf8_lossy(&bytes));
        }
    }
    // The same bytes as a CRL.
    let _ = builder().roots_from_pem(CA).crls_from_pem(file).build();
});
