#![no_main]

use tower_client_cert::dialect::Base64Der;
use tower_client_cert_fuzz::decode;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    decode(&Base64Der::aspnet_core(), input);
});
