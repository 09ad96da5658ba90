#![no_main]

use tower_client_cert::dialect::{Envoy, XfccMode};
use tower_client_cert_fuzz::{append, decode};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    decode(&Envoy::new().chain(true), input);
    decode(&Envoy::new().mode(XfccMode::AppendForward).hops(1).chain(true), input);
    // Both formats are read by each. What follows writes JSON, and appends to what came in as far as it is well-formed.
    let json = Envoy::new().mode(XfccMode::AppendForward).hops(1).chain(true).json();
    decode(&json, input);
    append(&json, input);
});
