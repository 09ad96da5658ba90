#![no_main]

use tower_client_cert::dialect::{Skipper, TowerClientCert};
use tower_client_cert_fuzz::decode;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    decode(&Skipper::new(), input);
    decode(&Skipper::new().accept_escaped_items(), input);
    decode(&TowerClientCert::new(), input);
});
