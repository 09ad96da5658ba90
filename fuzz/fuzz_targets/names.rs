#![no_main]

//! The dialects that repeat what a certificate says, for certificates that say anything.

use http::HeaderMap;
use tower_client_cert::dialect::{
    AwsAlb, Dialect, Envoy, Limits, Nginx, Outgoing, TraefikInfo, VerifyStatus,
};

libfuzzer_sys::fuzz_target!(|der: &[u8]| {
    let certificates = [der.to_vec().into()];
    let client = Outgoing::new(&certificates, VerifyStatus::Success);
    let limits = Limits::new().max_value_size(usize::MAX);
    let dialects: [Box<dyn Dialect>; 4] = [
        Box::new(Envoy::new().with_limits(limits)),
        Box::new(Nginx::ingress().with_limits(limits)),
        Box::new(AwsAlb::verify().with_limits(limits)),
        Box::new(TraefikInfo::new()),
    ];
    for dialect in dialects {
        let mut headers = HeaderMap::new();
        dialect.encode(&client, &mut headers);
        for value in headers.values() {
            assert!(value.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte)), "{value:?}");
        }
        // An input that parses as X.509 is one DER SEQUENCE, so what was written of it must be readable.
        if headers.contains_key("x-forwarded-tls-client-cert-info") {
            continue;
        }
        match dialect.decode(&headers) {
            Ok(read) => assert!(read.is_none_or(|read| read.certificates == certificates)),
            Err(error) => {
                assert!(matches!(error.kind(), tower_client_cert::dialect::DecodeErrorKind::Der), "{error}")
            }
        }
    }
});
