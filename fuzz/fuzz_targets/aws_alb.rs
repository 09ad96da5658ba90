#![no_main]

use tower_client_cert::dialect::AwsAlb;
use tower_client_cert_fuzz::decode;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    decode(&AwsAlb::passthrough(), input);
    // Its headers come after that of the other mode.
    decode(&AwsAlb::verify(), &[b"\n", input].concat());
});
