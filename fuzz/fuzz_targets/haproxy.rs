#![no_main]

use tower_client_cert::dialect::HaProxy;
use tower_client_cert_fuzz::decode;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    decode(&HaProxy::new(), input);
    decode(&HaProxy::new().chain_in_headers(), input);
});
