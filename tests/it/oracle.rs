//! What x509-parser makes of a certificate must be what we make of it. The fuzz target `x509` is built from this file too.

use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use tower_client_cert::identity::{AttributeValue, DistinguishedName, KeyUsage, SubjectAltName};
use tower_client_cert::{ClientIdentity, Fingerprint};
use x509_parser::asn1_rs::{Any, Class, Oid};
use x509_parser::certificate::{X509Certificate, X509CertificateParser};
use x509_parser::extensions::{self, GeneralName};
use x509_parser::nom::Parser as _;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

/// Panics if the two read it differently. We may refuse more, for x509-parser passes over much; but whatever we take, it
/// takes too, and all that is in it is the same.
pub(crate) fn agrees(der: &[u8]) {
    let Ok(ours) = ClientIdentity::from_der(der) else { return };
    let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
    let (rest, theirs) = parser.parse(der).expect("x509-parser takes it too");
    assert!(rest.is_empty());

    assert_eq!(ours.serial(), theirs.raw_serial());
    assert_name(ours.subject(), theirs.subject());
    assert_name(ours.issuer(), theirs.issuer());
    let validity = theirs.validity();
    assert_eq!(seconds(ours.not_before()), validity.not_before.timestamp());
    assert_eq!(seconds(ours.not_after()), validity.not_after.timestamp());
    let sha256 = |bytes: &[u8]| Fingerprint::of(&CertificateDer::from(bytes));
    assert_eq!(ours.spki_hash(), sha256(theirs.public_key().raw));
    assert_eq!(ours.fingerprint(), sha256(der));

    if let Ok(usage) = ours.key_usage() {
        let flags = extension(&theirs, "2.5.29.15").map(|value| {
            // It puts a third byte over the first.
            let value = if value.len() > 5 { &[&[3, 3, 0], &value[3..5]].concat() } else { value };
            extensions::KeyUsage::from_der(value).expect("a key usage").1.flags
        });
        let bits = |usage: KeyUsage| {
            BITS.iter().rev().fold(0, |all, bit| all << 1 | u16::from(usage.contains(*bit)))
        };
        assert_eq!(usage.map(bits), flags.map(|flags| flags & 0x1FF));
    }
    if let Ok(purposes) = ours.extended_key_usage() {
        let theirs =
            extension(&theirs, "2.5.29.37").map(|value| <Vec<Oid<'_>>>::from_der(value).expect("purposes").1);
        assert_eq!(purposes.is_some(), theirs.is_some());
        let purposes = purposes.iter().flat_map(|purposes| purposes.purposes());
        purposes.zip(theirs.iter().flatten()).for_each(|(ours, theirs)| assert!(same_oid(ours, theirs)));
    }
    if let Ok(names) = ours.subject_alt_names() {
        let theirs = extension(&theirs, "2.5.29.17")
            .map(|value| extensions::SubjectAlternativeName::from_der(value).expect("names").1.general_names);
        assert_eq!(names.len(), theirs.as_ref().map_or(0, Vec::len));
        names.iter().zip(theirs.iter().flatten()).for_each(|(ours, theirs)| assert_alt_name(ours, theirs));
    }
}

const BITS: [KeyUsage; 9] = [
    KeyUsage::DIGITAL_SIGNATURE,
    KeyUsage::NON_REPUDIATION,
    KeyUsage::KEY_ENCIPHERMENT,
    KeyUsage::DATA_ENCIPHERMENT,
    KeyUsage::KEY_AGREEMENT,
    KeyUsage::KEY_CERT_SIGN,
    KeyUsage::CRL_SIGN,
    KeyUsage::ENCIPHER_ONLY,
    KeyUsage::DECIPHER_ONLY,
];

fn seconds(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_secs() as i64,
        Err(before) => -(before.duration().as_secs() as i64),
    }
}

/// The value of the extension with this identifier. There are no two, where we have read one.
fn extension<'a>(certificate: &'a X509Certificate<'_>, oid: &str) -> Option<&'a [u8]> {
    let mut found = certificate.extensions().iter().filter(|extension| extension.oid.to_id_string() == oid);
    let value = found.next().map(|extension| extension.value);
    assert!(found.next().is_none());
    value
}

/// The contents that dotted decimals stand for. x509-parser's own text is wrong where the first byte is above 119.
fn encoded(dotted: &str) -> Vec<u8> {
    let mut arcs: Vec<u128> = dotted.split('.').map(|arc| arc.parse().expect("a number")).collect();
    // The first two arcs share a number.
    let first = arcs.remove(0);
    arcs[0] = arcs[0].checked_add(first * 40).expect("no larger than a UUID's");
    let arc = |mut arc: u128| {
        let mut bytes = vec![(arc & 0x7F) as u8];
        while arc > 0x7F {
            arc >>= 7;
            bytes.insert(0, 0x80 | (arc & 0x7F) as u8);
        }
        bytes
    };
    arcs.into_iter().flat_map(arc).collect()
}

fn same_oid(ours: &str, theirs: &Oid<'_>) -> bool {
    match ours.strip_prefix('x') {
        // Arcs beyond 128 bits are printed in hexadecimal.
        Some(hex) => hex == theirs.as_bytes().iter().map(|byte| format!("{byte:02X}")).collect::<String>(),
        None => encoded(ours) == theirs.as_bytes(),
    }
}

fn assert_name(ours: &DistinguishedName, theirs: &X509Name<'_>) {
    let mut ours = ours.attributes();
    for rdn in theirs.iter_rdn() {
        // We sort what is a set.
        let mut set: Vec<_> = rdn.iter().map(|_| ours.next().expect("an attribute")).collect();
        for theirs in rdn.iter() {
            let same = |value: &AttributeValue| match value {
                // x509-parser writes a tag of another class anew, as one of the universal class.
                AttributeValue::Der(der) => {
                    let value = theirs.attr_value();
                    der.ends_with(value.data) && u32::from(der[0] & 0x1F) == value.tag().0
                }
                AttributeValue::Text(text) => decoded(theirs.attr_value()).as_deref() == Some(&**text),
            };
            let at =
                set.iter().position(|ours| same_oid(ours.oid(), theirs.attr_type()) && same(ours.value()));
            set.remove(at.expect("the same attribute"));
        }
    }
    assert!(ours.next().is_none());
}

/// The characters of a string, by its tag.
fn decoded(value: &Any<'_>) -> Option<String> {
    if value.class() != Class::Universal || value.header.is_constructed() {
        return None;
    }
    let wide = |width| {
        value.data.chunks(width).map(|unit| unit.iter().fold(0, |all, byte| all << 8 | u32::from(*byte)))
    };
    match value.tag().0 {
        12 => String::from_utf8(value.data.to_vec()).ok(),
        18..=20 | 22 | 26 => wide(1).map(char::from_u32).collect(),
        28 => wide(4).map(char::from_u32).collect(),
        30 => wide(2).map(char::from_u32).collect(),
        _ => None,
    }
}

fn assert_alt_name(ours: &SubjectAltName, theirs: &GeneralName<'_>) {
    match (ours, theirs) {
        (SubjectAltName::Dns(ours), GeneralName::DNSName(theirs)) => {
            assert!(ours.eq_ignore_ascii_case(theirs));
        }
        (SubjectAltName::Uri(ours), GeneralName::URI(theirs)) => {
            assert!(ours.as_str().eq_ignore_ascii_case(theirs));
        }
        (SubjectAltName::Email(ours), GeneralName::RFC822Name(theirs)) => assert_eq!(&**ours, *theirs),
        (SubjectAltName::Ip(ours), GeneralName::IPAddress(theirs)) => {
            let v6: [u8; 16] = match <[u8; 4]>::try_from(*theirs) {
                Ok(v4) => std::net::Ipv4Addr::from(v4).to_ipv6_mapped().octets(),
                Err(_) => (*theirs).try_into().expect("an address"),
            };
            assert_eq!(*ours, std::net::Ipv6Addr::from(v6).to_canonical());
        }
        (SubjectAltName::DirectoryName(ours), GeneralName::DirectoryName(theirs)) => {
            assert_name(ours, theirs);
        }
        (SubjectAltName::OtherName { oid, value }, GeneralName::OtherName(their_oid, their_value)) => {
            assert!(same_oid(oid, their_oid));
            assert_eq!(**value, **their_value);
        }
        (SubjectAltName::Unsupported { tag: 3 }, GeneralName::X400Address(_))
        | (SubjectAltName::Unsupported { tag: 5 }, GeneralName::EDIPartyName(_))
        | (SubjectAltName::Unsupported { tag: 8 }, GeneralName::RegisteredID(_)) => {}
        // Names that break the grammar of their kind, or are constructed where they should be primitive.
        (SubjectAltName::Malformed { .. }, _) => {}
        _ => panic!("{ours:?} instead of {theirs:?}"),
    }
}
