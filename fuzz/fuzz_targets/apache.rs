#![no_main]

use tower_client_cert::dialect::Apache;
use tower_client_cert_fuzz::decode;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    decode(&Apache::new(), input);
});
