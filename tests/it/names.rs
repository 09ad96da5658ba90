//! Distinguished names, from a certificate and from text.

use proptest::prelude::*;
use tower_client_cert::ClientIdentity;
use tower_client_cert::identity::{DistinguishedName, ParseNameErrorKind};

use crate::forge::{BMP, CN, Forged, O, OCTETS, OU, T61, UTF8};

#[test]
fn names_are_equal_by_their_attributes_in_order() {
    let parse = |text: &str| text.parse::<DistinguishedName>().unwrap();
    let name = parse("CN=a+OU=b,O=c");
    for same in ["OU=b+CN=a,O=c", "cn=a + 2.5.4.11=b , o=c", "CN=#0C0161+OU=b;O=c", r"CN=\61+OU=b,O=c"] {
        assert_eq!(name, parse(same), "{same}");
    }
    for other in [
        "O=c,CN=a+OU=b",
        "CN=a,OU=b,O=c",
        "CN=A+OU=b,O=c",
        "CN=a+OU=b",
        "CN=a+OU=b,O=c,C=DE",
        r"CN=a\ +OU=b,O=c",
    ] {
        assert_ne!(name, parse(other), "{other}");
    }
}

#[test]
fn text_that_is_no_name_says_where() {
    use ParseNameErrorKind::{Escape, Hex, NoValue, Unescaped, UnknownType};
    for (text, offset, kind) in [
        ("alice", 0, NoValue),
        ("CN=a,", 5, NoValue),
        ("CN=a,b", 5, NoValue),
        (",CN=a", 0, NoValue),
        ("CN=a+", 5, NoValue),
        ("XYZ=a", 0, UnknownType),
        ("2.5.04.3=a", 0, UnknownType),
        ("=a", 0, UnknownType),
        ("CN=\"a\"", 3, Unescaped),
        ("CN=a<b", 4, Unescaped),
        ("CN=a\\", 5, Escape),
        ("CN=a\\z", 5, Escape),
        ("CN=\\FF", 3, Escape),
        ("CN=#", 4, Hex),
        ("CN=#0C", 4, Hex),
        ("CN=#0C0161FF", 4, Hex),
        ("CN=#0C0161x", 10, Unescaped),
    ] {
        let error = text.parse::<DistinguishedName>().unwrap_err();
        assert_eq!((error.offset(), error.kind()), (offset, kind), "{text:?}");
    }
}

fn attribute() -> impl Strategy<Value = (&'static [u8], u8, Vec<u8>)> {
    let oid = prop::sample::select(vec![CN, O, OU, &[0x2A, 0x03, 0x04][..]]);
    let value = prop_oneof![
        any::<String>().prop_map(|text| (UTF8, text.into_bytes())),
        "[ #,+\"\\\\<>;=a\\x00-\\x1F]{0,8}".prop_map(|text| (UTF8, text.into_bytes())),
        prop::collection::vec(any::<u8>(), 0..8).prop_map(|bytes| (BMP, bytes)),
        prop::collection::vec(any::<u8>(), 0..8).prop_map(|bytes| (T61, bytes)),
        prop::collection::vec(any::<u8>(), 0..8).prop_map(|bytes| (OCTETS, bytes)),
    ];
    (oid, value).prop_map(|(oid, (tag, value))| (oid, tag, value))
}

proptest! {
    #[test]
    fn a_name_reads_back_from_what_it_prints(
        rdns in prop::collection::vec(prop::collection::vec(attribute(), 1..3), 0..4),
    ) {
        let rdns: Vec<Vec<_>> =
            rdns.iter().map(|rdn| rdn.iter().map(|(oid, tag, value)| (*oid, *tag, &**value)).collect()).collect();
        let rdns: Vec<_> = rdns.iter().map(Vec::as_slice).collect();
        let client = ClientIdentity::from_der(&Forged::subject(&rdns).der()).unwrap();
        let printed: DistinguishedName = client.subject().as_str().parse().unwrap();
        prop_assert_eq!(&printed, client.subject());
    }

    #[test]
    fn any_text_is_a_name_or_an_error_within_it(text in any::<String>()) {
        if let Err(error) = text.parse::<DistinguishedName>() {
            prop_assert!(error.offset() <= text.len());
        }
    }
}
