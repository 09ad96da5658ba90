#![no_main]

use tower_client_cert::dialect::Nginx;
use tower_client_cert_fuzz::decode;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    decode(&Nginx::new(), input);
    decode(&Nginx::ingress(), input);
});
