//! Readers of XFCC and of names in headers that do not know what quotes and backslashes are for, or each in its own way.
//! None of them may find a field in a name.

use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use rcgen::string::Ia5String;
use rcgen::{DnType, SanType};
use rustls::pki_types::CertificateDer;
use tower_client_cert::dialect::{AwsAlb, Dialect, Envoy, Limits, Nginx, VerifyStatus, XfccMode};
use tower_client_cert::identity::{ClientIdentity, DistinguishedName};

use crate::forge::{BMP, CN, Forged, IA5, O, PRINTABLE, T61, UTF8};
use crate::log::capture;
use crate::pki::Authority;
use crate::properties::{hostile, hostile_certificate};
use crate::vectors::encode;

const XFCC: &str = "x-forwarded-client-cert";
pub(crate) const FIELDS: [&str; 8] = ["by", "hash", "cert", "chain", "subject", "uri", "dns", "issuer"];

/// The fields that a reader finds, keys in lower case.
pub(crate) type Fields = Vec<(String, String)>;

/// Ends a part at a `;` or `,` if `outside` says so, which sees each byte before it is judged.
fn split(value: &str, mut outside: impl FnMut(char) -> bool) -> Fields {
    let mut parts = vec![String::new()];
    for char in value.chars() {
        let outside = outside(char);
        if outside && matches!(char, ';' | ',') {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(char);
        }
    }
    // Whatever a reader may trim, it trims.
    let trimmed = |text: &str| text.trim_matches([' ', '"', '\\', '\'']).to_owned();
    parts
        .iter()
        .filter_map(|part| part.split_once('='))
        .map(|(key, value)| (trimmed(key).to_lowercase(), trimmed(value)))
        .collect()
}

/// Keycloak: every `;` and `,`, quotes or not.
fn everywhere(value: &str) -> Fields {
    split(value, |_| true)
}

/// Every quote opens or closes.
fn toggling(value: &str) -> Fields {
    let mut open = false;
    split(value, |char| {
        open ^= char == '"';
        !open
    })
}

/// As well, but for a quote right after a backslash.
fn escaped_by_the_byte_before(value: &str) -> Fields {
    let (mut open, mut before) = (false, ' ');
    split(value, |char| {
        open ^= char == '"' && before != '\\';
        before = char;
        !open
    })
}

/// As well, a backslash and the byte after it being a pair.
fn escaped_in_pairs(value: &str) -> Fields {
    let (mut open, mut escaped) = (false, false);
    split(value, |char| {
        open ^= char == '"' && !escaped;
        escaped = char == '\\' && !escaped;
        !open
    })
}

/// Decodes first and asks afterwards.
fn decoding_first(value: &str) -> Fields {
    everywhere(&percent_decode_str(value).decode_utf8_lossy())
}

pub(crate) type Reader = fn(&str) -> Fields;

pub(crate) const READERS: [(&str, Reader); 5] = [
    ("everywhere", everywhere),
    ("toggling", toggling),
    ("escaped by the byte before", escaped_by_the_byte_before),
    ("escaped in pairs", escaped_in_pairs),
    ("decoding first", decoding_first),
];

/// What stands in every element of ours, and nothing else may.
fn written(leaf: &CertificateDer<'static>) -> (String, Fields) {
    let chain = [leaf.clone(), leaf.clone()];
    let dialect = Envoy::new().chain(true).by("spiffe://test/edge");
    let value = encode(&dialect, &chain, VerifyStatus::Success)[XFCC].to_str().unwrap().to_owned();
    let bare = dialect.subject(false).uri(false).dns(false);
    let bare = encode(&bare, &chain, VerifyStatus::Success)[XFCC].to_str().unwrap().to_owned();
    (value, everywhere(&bare))
}

/// Percent-decoded, for a reader that has done so already.
fn decoded(fields: impl Iterator<Item = (String, String)>) -> Fields {
    fields.map(|(key, value)| (key, percent_decode_str(&value).decode_utf8_lossy().into_owned())).collect()
}

/// Every reader finds the fields that do not come from a name, once each, and of the others no more than were written.
fn no_reader_is_fooled(leaf: &CertificateDer<'static>) -> Result<(), TestCaseError> {
    let (value, expected) = written(leaf);
    let expected = decoded(expected.into_iter());
    let of_names = ["subject", "uri", "dns"];
    for (reader, read) in READERS {
        let found = read(&value);
        let own = found.iter().filter(|(key, _)| FIELDS.contains(&&**key) && !of_names.contains(&&**key));
        prop_assert_eq!(&decoded(own.cloned()), &expected, "{}: {}", reader, value);
        for (kind, written) in of_names.into_iter().zip([";Subject=", ";URI=", ";DNS="]) {
            let count = found.iter().filter(|(key, _)| key == kind).count();
            prop_assert_eq!(count, value.matches(written).count(), "{}: {}", reader, value);
        }
    }
    prop_assert_eq!(value.matches(";Subject=").count(), 1, "{}", value);
    Ok(())
}

/// A name of attributes of any type, their values of any kind of string.
fn forged_certificate() -> impl Strategy<Value = CertificateDer<'static>> {
    let oid = prop_oneof![
        2 => Just(CN.to_vec()),
        2 => Just(O.to_vec()),
        // Every type that has a name, and others beside them.
        4 => any::<u8>().prop_map(|number| vec![0x55, 0x04, number & 0x7F]),
        2 => any::<u8>().prop_map(|number| [&[0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 0x01][..], &[number & 0x7F]].concat()),
        2 => any::<u8>().prop_map(|number| [&[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09][..], &[number & 0x7F]].concat()),
        1 => Just(b"Cert".to_vec()),
        2 => proptest::collection::vec(any::<u8>(), 0..6),
    ];
    let tag = proptest::sample::select(vec![UTF8, PRINTABLE, T61, IA5, BMP, 0x03]);
    let attribute = (oid, tag, hostile());
    proptest::collection::vec(proptest::collection::vec(attribute, 1..3), 0..4).prop_map(|rdns| {
        let rdns: Vec<Vec<_>> = rdns
            .iter()
            .map(|rdn| rdn.iter().map(|(oid, tag, value)| (oid.as_slice(), *tag, value.as_bytes())).collect())
            .collect();
        Forged::subject(&rdns.iter().map(Vec::as_slice).collect::<Vec<_>>()).der().into()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn i7_no_reader_however_naive_finds_a_field_in_a_name(leaf in hostile_certificate()) {
        no_reader_is_fooled(&leaf)?;
    }

    #[test]
    fn i7_no_type_of_attribute_reads_as_a_field(leaf in forged_certificate()) {
        let value = encode(&Envoy::new(), std::slice::from_ref(&leaf), VerifyStatus::Success)[XFCC].clone();
        // What can't be read has no names in its header.
        if value.to_str().unwrap().contains(";Subject=") {
            no_reader_is_fooled(&leaf)?;
        }
    }

    /// What is escaped is the same name to whoever reads RFC 4514, our own reader of names among them.
    #[test]
    fn i7_the_subject_is_the_same_name_to_a_reader_of_rfc_4514(leaf in prop_oneof![hostile_certificate(), forged_certificate()]) {
        let Ok(identity) = ClientIdentity::from_der(&leaf) else { return Ok(()) };
        let chain = std::slice::from_ref(&leaf);
        let limits = Limits::new().max_value_size(1 << 20);
        let envoy = Envoy::new().cert(false).with_limits(limits);
        let told = envoy.decode(&encode(&envoy, chain, VerifyStatus::Success)).unwrap().unwrap();
        let read = |text: &str| text.parse::<DistinguishedName>().map_err(|error| error.to_string());
        // An attribute without a number for its type is written as no reader takes it.
        let told = read(told.details.subject.as_deref().unwrap());
        if let Ok(told) = told {
            prop_assert_eq!(&told, identity.subject());
        } else {
            prop_assert!(identity.subject().attributes().any(|attribute| attribute.oid().starts_with('x')), "{:?}", told);
        }
        for (dialect, header) in [
            (&Nginx::ingress() as &dyn Dialect, "ssl-client-subject-dn"),
            (&AwsAlb::verify(), "x-amzn-mtls-clientcert-subject"),
        ] {
            let headers = encode(dialect, chain, VerifyStatus::Success);
            let Some(subject) = headers.get(header) else { continue };
            let subject = subject.to_str().unwrap();
            prop_assert!(!subject.contains(['"', ';']), "{}", subject);
            // At every comma that is left an attribute begins.
            let parts = subject.split(',').count();
            prop_assert!(subject.split(',').all(|part| part.contains('=')) && parts <= identity.subject().attributes().count(), "{}", subject);
            if let Ok(subject) = read(subject) {
                prop_assert_eq!(&subject, identity.subject());
            }
        }
    }
}

#[test]
fn i7_an_honest_name_with_a_semicolon_is_still_read_by_keycloak() {
    let ca = Authority::root("CA");
    let leaf = ca
        .issue("alice", |params| params.distinguished_name.push(DnType::OrganizationName, "x;Cert=y"))
        .chain;
    let (value, _) = written(&leaf[0]);
    assert!(value.contains(r#";Subject="O=x\3BCert=y,CN=alice";URI="#), "{value}");
    let certificates: Vec<_> = everywhere(&value).into_iter().filter(|(key, _)| key == "cert").collect();
    let pem = percent_decode_str(&certificates[0].1).decode_utf8().unwrap().into_owned();
    assert_eq!((certificates.len(), pem::parse(pem).unwrap().contents()), (1, &*leaf[0]));

    let name = r#"a, "b" \ 100% <c>+d;"#;
    let leaf =
        ca.issue("alice", |params| params.distinguished_name.push(DnType::OrganizationName, name)).chain;
    let (value, _) = written(&leaf[0]);
    assert!(value.contains(r#";Subject="O=a\2C \22b\22 \5C 100\25 \<c\>\+d\3B,CN=alice";"#), "{value}");
}

#[test]
fn i7_names_that_would_need_a_delimiter_are_left_out_and_counted() {
    let uri = |uri: &str| SanType::URI(Ia5String::try_from(uri).unwrap());
    let dns = |name: &str| SanType::DnsName(Ia5String::try_from(name).unwrap());
    let leaf = Authority::root("CA").issue("alice", |params| {
        params.subject_alt_names = vec![
            uri("spiffe://test/alice?a=b"),
            uri("spiffe://test/a;Cert=b"),
            uri("spiffe://test/a,b"),
            uri("spiffe://test/\"a\""),
            uri("spiffe://test/a\\"),
            uri("spiffe://test/a%3bCert%3Db"),
            uri("spiffe://test/50%25"),
            dns("alice.test"),
            dns("a,b.test"),
        ];
    });
    let log = capture(|| {
        let (value, _) = written(&leaf.chain[0]);
        let names =
            ";Subject=\"CN=alice\";URI=\"spiffe://test/alice?a=b\";URI=spiffe://test/50%25;DNS=alice.test";
        assert!(value.ends_with(names), "{value}");
    });
    // Once for the element, and not a second time for the one without names.
    assert_eq!(log.matches("left_out=6").count(), 1, "{log}");
    assert!(log.contains("WARN") && !log.contains("spiffe"), "{log}");
    // Nothing is lost to our own reader, which asks the certificate.
    let told =
        Envoy::new().decode(&encode(&Envoy::new(), &leaf.chain, VerifyStatus::Success)).unwrap().unwrap();
    assert_eq!((told.details.uris.len(), told.details.dns_names.len()), (7, 2));
    let quiet = Authority::root("CA").client("bob");
    assert_eq!(capture(|| drop(written(&quiet.chain[0]))), "");
}

#[test]
fn i7_the_operators_own_uri_makes_no_field_either() {
    let chain = Authority::root("CA").client("alice").chain;
    for uri in ["spiffe://a;Cert=b", "spiffe://a,b", "a\"b", "a\\", "a b", "a\r\nb", "", "a%2Cb"] {
        let mut dialect = Envoy::new();
        let log = capture(|| dialect = Envoy::new().mode(XfccMode::AppendForward).by(uri));
        assert!(log.contains("WARN") && log.contains("`Envoy::by` is left out"), "{uri}: {log}");
        let value = encode(&dialect, &chain, VerifyStatus::Success)[XFCC].clone();
        assert!(value.to_str().unwrap().starts_with("Hash="), "{value:?}");
    }
    let value = encode(&Envoy::new().by("spiffe://a?b=c"), &chain, VerifyStatus::Success)[XFCC].clone();
    assert!(value.to_str().unwrap().starts_with("By=\"spiffe://a?b=c\";Hash="), "{value:?}");
}
