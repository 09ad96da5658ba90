//! Any bytes as a certificate; after an `s` as the subject of one, after an `a` as its alternative names, after a `k` as
//! its key usage, after a `t` as the text of its times.
//!
//! Nothing panics, and x509-parser reads the same. A name reads back from what it prints, which holds no control
//! character; nobody is let in by a rule and by its opposite; and the dialects that repeat what a certificate says write
//! printable ASCII, whatever it says.
#![no_main]

use std::sync::LazyLock;

use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use tower_client_cert::authorize::Rule;
use tower_client_cert::dialect::{
    AwsAlb, DecodeErrorKind, Dialect, Envoy, Limits, Nginx, Outgoing, TraefikInfo, VerifyStatus,
};
use tower_client_cert::identity::DistinguishedName;
use tower_client_cert::{ClientIdentity, Verification};

#[path = "../../tests/it/oracle.rs"]
mod oracle;

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    [
        Rule::common_name(["a"]),
        Rule::issuer_dn(["CN=a"]),
        Rule::san_dns(["a.b", "*.c"]),
        Rule::san_uri(["a:b"]),
        Rule::san_uri_glob(["a:*[b-d]?"]),
        Rule::spiffe_trust_domain(["a"]),
        Rule::spiffe_id(["spiffe://a/*"]),
        Rule::san_ip(["0.0.0.0/1", "::/2"]),
    ]
    .map(Result::unwrap)
    .into()
});

fuzz_target!(|input: &[u8]| {
    let certificate = match input {
        [b's', subject @ ..] => certificate(subject, [TIME; 2], &[]),
        [b'a', alt_names @ ..] => certificate(&[], [TIME; 2], &extension(0x11, alt_names)),
        [b'k', usage @ ..] => certificate(&[], [TIME; 2], &extension(0x0F, usage)),
        [b't', kind, times @ ..] => {
            let tag = if kind & 1 == 0 { 0x17 } else { 0x18 };
            let (from, to) = times.split_at(times.len() / 2);
            certificate(&[], [(tag, from), (tag, to)], &[])
        }
        der => der.to_vec(),
    };
    oracle::agrees(&certificate);
    identity(&certificate);
    dialects(certificate);
});

fn identity(certificate: &[u8]) {
    let Ok(client) = ClientIdentity::from_der(certificate) else { return };
    for name in [client.subject(), client.issuer()] {
        assert!(!name.as_str().contains(char::is_control));
        // An arc beyond 128 bits is printed, and not read.
        if !name.attributes().any(|attribute| attribute.oid().starts_with('x')) {
            assert_eq!(&name.as_str().parse::<DistinguishedName>().unwrap(), name);
        }
    }
    let _ =
        (client.serial_hex(), client.key_usage(), client.extended_key_usage(), client.subject_alt_names());
    if let Ok(id) = client.spiffe_id() {
        assert_eq!(id.as_str(), format!("spiffe://{}{}", id.trust_domain(), id.path()));
    }
    for rule in &*RULES {
        let yes = rule.check(&client, Verification::Verified).is_ok();
        let no = Rule::not(rule.clone()).check(&client, Verification::Verified).is_ok();
        assert!(!(yes && no));
    }
}

fn dialects(certificate: Vec<u8>) {
    let certificates = [certificate.into()];
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
            Err(error) => assert!(matches!(error.kind(), DecodeErrorKind::Der), "{error}"),
        }
    }
}

const TIME: (u8, &[u8]) = (0x17, b"240101000000Z");

/// A certificate with these contents for its subject, these times, and these extensions.
fn certificate(subject: &[u8], times: [(u8, &[u8]); 2], extensions: &[u8]) -> Vec<u8> {
    let algorithm = der(0x30, &der(0x06, &[0x2B, 0x65, 0x70]));
    let signed = [
        der(0xA0, &[0x02, 0x01, 0x02]),
        der(0x02, &[0x01]),
        algorithm.clone(),
        der(0x30, &[]),
        der(0x30, &times.map(|(tag, text)| der(tag, text)).concat()),
        der(0x30, subject),
        der(0x30, &[&algorithm[..], &der(0x03, &[0; 33])].concat()),
        der(0xA3, &der(0x30, extensions)),
    ];
    der(0x30, &[der(0x30, &signed.concat()), algorithm, der(0x03, &[0; 65])].concat())
}

fn extension(number: u8, value: &[u8]) -> Vec<u8> {
    der(0x30, &[der(0x06, &[0x55, 0x1D, number]), der(0x04, value)].concat())
}

fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let [.., high, middle, low] = contents.len().to_be_bytes();
    let header = match contents.len() {
        0..=0x7F => vec![tag, low],
        0x80..=0xFF => vec![tag, 0x81, low],
        0x100..=0xFFFF => vec![tag, 0x82, middle, low],
        _ => vec![tag, 0x83, high, middle, low],
    };
    [&header, contents].concat()
}
