//! Names whose makers wanted them to be something else.

use proptest::prelude::*;
use tower_client_cert::dialect::fields::{
    CertEncoding, Field, HashEncoding, ListEncoding, NameEncoding, SerialEncoding, TimeEncoding,
};
use tower_client_cert::dialect::{Dialect as _, Fields, Limits, VerifyStatus};

use crate::forge::{CN, Forged, O, UTF8};
use crate::properties::hostile_certificate;
use crate::vectors::encode;

/// Every kind of field, in one of its encodings, with the certificate or without it.
fn dialects(with_certificate: bool) -> Vec<Fields> {
    let names =
        [NameEncoding::Rfc2253, NameEncoding::Rfc4514, NameEncoding::Slashes, NameEncoding::Base64Der];
    let lists = [ListEncoding::Commas, ListEncoding::Base64Commas];
    let serials = [SerialEncoding::Hex, SerialEncoding::HexColons, SerialEncoding::Decimal];
    let times = [TimeEncoding::Rfc3339, TimeEncoding::OpenSsl];
    let dialect = |index: usize| {
        let mut builder = Fields::builder()
            .header("x-subject", Field::Subject(names[index]))
            .header("x-issuer", Field::Issuer(names[(index + 1) % 4]))
            .header("x-serial", Field::SerialNumber(serials[index % 3]))
            .header("x-hash", Field::Sha256([HashEncoding::Hex, HashEncoding::Base64][index % 2]))
            .header("x-uris", Field::Uris(lists[index % 2]))
            .header("x-dns", Field::DnsNames(lists[index / 2]))
            .header("x-spiffe", Field::SpiffeId)
            .header("x-id", Field::Identity)
            .header("x-from", Field::NotBefore(times[index % 2]))
            .header("x-to", Field::NotAfter(times[index / 2]))
            .limits(Limits::new().max_value_size(1 << 20));
        if with_certificate {
            builder = builder.header("x-cert", Field::Certificate(CertEncoding::Base64));
        }
        builder.build().unwrap()
    };
    (0..4).map(dialect).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Beside the certificate everything that was written fits it. Without it, each name is one of the certificate's.
    #[test]
    fn i7_i8_what_was_written_is_read_whatever_the_names(leaf in hostile_certificate()) {
        use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

        let (_, parsed) = X509Certificate::from_der(&leaf).unwrap();
        let names = parsed.subject_alternative_name().unwrap();
        let names: Vec<_> = names.iter().flat_map(|names| &names.value.general_names).collect();
        let own = |name: &String| names.iter().any(|own| {
            matches!(own, GeneralName::URI(own) | GeneralName::DNSName(own) if own == name)
        });
        for dialect in dialects(true) {
            let headers = encode(&dialect, std::slice::from_ref(&leaf), VerifyStatus::Success);
            let read = dialect.decode(&headers).unwrap_or_else(|error| panic!("{error}: {headers:?}")).unwrap();
            prop_assert_eq!(&read.certificates[..], std::slice::from_ref(&leaf));
        }
        for dialect in dialects(false) {
            let headers = encode(&dialect, std::slice::from_ref(&leaf), VerifyStatus::Success);
            for value in headers.values() {
                prop_assert!(!value.as_bytes().iter().any(u8::is_ascii_control), "{:?}", value);
            }
            let read = dialect.decode(&headers).unwrap_or_else(|error| panic!("{error}: {headers:?}")).unwrap();
            let details = read.details;
            prop_assert!(details.uris.iter().chain(&details.dns_names).all(own), "{:?} {:?}", details, names);
        }
    }

    /// Whatever a header holds is an answer, and no panic.
    #[test]
    fn i8_any_text_is_an_answer(text in "[ -~\u{e9}]{0,60}", index in 0..4_usize, position in 0..11_usize) {
        let dialect = &dialects(true)[index];
        let leaf = super::alice();
        let mut headers = encode(dialect, &leaf, VerifyStatus::Success);
        let name = &dialect.header_names()[position];
        headers.insert(name, http::HeaderValue::from_bytes(text.as_bytes()).unwrap());
        let _ = dialect.decode(&headers);
        headers.remove("x-cert");
        let _ = dialect.decode(&headers);
    }
}

/// OpenSSL's slashes have no escape: two names may have one text, so it is not written.
#[test]
fn a_name_with_a_slash_is_not_written_in_slashes() {
    let dialect = Fields::builder()
        .header("x-subject", Field::Subject(NameEncoding::Slashes))
        .header("x-issuer", Field::Issuer(NameEncoding::Slashes))
        .build()
        .unwrap();
    for (value, written) in [
        ("alice", true),
        ("alice/CN=admin", false),
        ("al\u{ed}ce", false),
        (r"al\xice", false),
        ("a,b;c\"=", true),
    ] {
        let leaf = Forged::subject(&[&[(O, UTF8, b"Example")], &[(CN, UTF8, value.as_bytes())]]).der().into();
        let headers = encode(&dialect, &[leaf], VerifyStatus::Success);
        let subject = headers.get("x-subject").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(subject, written.then(|| format!("/O=Example/CN={value}")));
        assert_eq!(headers["x-issuer"], "/CN=forger");
    }
}

/// What is left out is said.
#[test]
fn names_that_are_left_out_are_in_the_log() {
    let log = crate::log::Log::start();
    let dialect = Fields::builder().header("x-uris", Field::Uris(ListEncoding::Commas)).build().unwrap();
    let headers = encode(&dialect, &super::alice(), VerifyStatus::Success);
    assert_eq!(headers["x-uris"], "spiffe://example/alice");
    let lines = log.text();
    assert!(lines.contains("left out of a header") && lines.contains("x-uris"), "{lines}");
}
