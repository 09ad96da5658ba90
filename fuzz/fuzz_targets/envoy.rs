#![no_main]

use tower_client_cert::dialect::{Envoy, XfccMode};
use tower_client_cert_fuzz::decode;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    decode(&Envoy::new().chain(true), input);
    decode(&Envoy::new().mode(XfccMode::AppendForward).chain(true), input);
});
