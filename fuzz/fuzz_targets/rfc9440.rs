#![no_main]

use tower_client_cert::dialect::Rfc9440;
use tower_client_cert_fuzz::decode;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    decode(&Rfc9440::new(), input);
});
