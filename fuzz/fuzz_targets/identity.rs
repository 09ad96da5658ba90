//! Any bytes as a certificate; after an `s` as the subject of one, after an `a` as its alternative names.
//!
//! Nothing panics; a name reads back from what it prints, which holds no control character; and nobody is let in by a
//! rule and by its opposite.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tower_client_cert::authorize::Rule;
use tower_client_cert::identity::DistinguishedName;
use tower_client_cert::{ClientIdentity, Verification};

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
    let client = match input {
        [0x30, ..] => ClientIdentity::from_der(input),
        [b's', subject @ ..] => ClientIdentity::from_der(&certificate(subject, &[])),
        [b'a', alt_names @ ..] => ClientIdentity::from_der(&certificate(&[], alt_names)),
        _ => return,
    };
    let Ok(client) = client else { return };

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
});

/// A certificate with these contents for its subject and its extension of alternative names.
fn certificate(subject: &[u8], alt_names: &[u8]) -> Vec<u8> {
    let algorithm = der(0x30, &der(0x06, &[0x2B, 0x65, 0x70]));
    let time = der(0x17, b"240101000000Z");
    let extension = der(0x30, &[der(0x06, &[0x55, 0x1D, 0x11]), der(0x04, alt_names)].concat());
    let signed = [
        der(0xA0, &[0x02, 0x01, 0x02]),
        der(0x02, &[0x01]),
        algorithm.clone(),
        der(0x30, &[]),
        der(0x30, &[&time[..], &time].concat()),
        der(0x30, subject),
        der(0x30, &[&algorithm[..], &der(0x03, &[0; 33])].concat()),
        der(0xA3, &der(0x30, &extension)),
    ];
    der(0x30, &[der(0x30, &signed.concat()), algorithm, der(0x03, &[0; 65])].concat())
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
