//! What a certificate says, and what it can't make anybody believe.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use rcgen::string::Ia5String;
use rcgen::{DnType, SanType};
use rustls::pki_types::CertificateDer;
use tower_client_cert::identity::{
    AttributeError, AttributeValue, DistinguishedName, ExtendedKeyUsage, ExtensionError, IdentityError,
    KeyUsage, SanKind, SpiffeError, SubjectAltName,
};
use tower_client_cert::{ClientIdentity, PeerCertificates};

use crate::forge::{
    ALT_NAMES, BMP, CN, DNS, EMAIL, EXTENDED_KEY_USAGE, Forged, IA5, IP, KEY_USAGE, O, OCTETS, PRINTABLE,
    T61, URI, UTF8,
};
use crate::pki::{Authority, der};

fn read(forged: &Forged) -> ClientIdentity {
    ClientIdentity::from_der(&forged.der()).unwrap()
}

#[test]
fn an_honest_certificate_is_read_whole() {
    let ca = Authority::root("client CA");
    let leaf = ca.issue("alice", |params| {
        params.distinguished_name.push(DnType::OrganizationName, "Example, Inc.");
        params.serial_number = Some(vec![0x80, 0x01].into());
        params.subject_alt_names = vec![
            SanType::DnsName(Ia5String::try_from("Alice.Test").unwrap()),
            SanType::URI(Ia5String::try_from("spiffe://example.org/ns/prod/sa/alice").unwrap()),
            SanType::Rfc822Name(Ia5String::try_from("alice@example.org").unwrap()),
            SanType::IpAddress("10.0.0.1".parse().unwrap()),
            SanType::IpAddress("::ffff:10.0.0.2".parse().unwrap()),
            SanType::IpAddress("2001:db8::1".parse().unwrap()),
        ];
    });
    let client = ClientIdentity::from_der(&leaf.chain[0]).unwrap();

    assert_eq!(client.common_name(), Ok("alice"));
    assert_eq!(client.subject().to_string(), r"O=Example\, Inc.,CN=alice");
    assert_eq!(client.issuer().common_name(), Ok("client CA"));
    assert_eq!(client.serial(), [0, 0x80, 0x01]);
    assert_eq!(client.serial_hex(), "8001");
    let day = Duration::from_secs(24 * 60 * 60);
    let now = SystemTime::now();
    assert!(client.not_before() < now && client.not_before() > now - 2 * day);
    assert!(client.not_after() > now + 29 * day && client.not_after() < now + 30 * day);
    assert_eq!(client.dns_names().collect::<Vec<_>>(), ["alice.test"]);
    assert_eq!(
        client.uris().map(ToString::to_string).collect::<Vec<_>>(),
        ["spiffe://example.org/ns/prod/sa/alice"]
    );
    assert_eq!(client.emails().collect::<Vec<_>>(), ["alice@example.org"]);
    let ips: Vec<IpAddr> = ["10.0.0.1", "10.0.0.2", "2001:db8::1"].map(|ip| ip.parse().unwrap()).into();
    assert_eq!(client.ip_addresses().collect::<Vec<_>>(), ips);
    assert_eq!(client.spiffe_id().unwrap().path(), "/ns/prod/sa/alice");
    assert_eq!(client.key_usage(), Ok(Some(KeyUsage::DIGITAL_SIGNATURE)));
    let purposes = client.extended_key_usage().unwrap().unwrap();
    assert!(
        purposes.contains(ExtendedKeyUsage::CLIENT_AUTH) && !purposes.contains(ExtendedKeyUsage::SERVER_AUTH)
    );
    assert_eq!(client.fingerprint().to_string().len(), 64);
}

#[test]
fn a_renewed_certificate_has_another_fingerprint_and_the_same_key() {
    let old = Forged::default();
    let new = Forged { serial: der(0x02, &[2]), ..old.clone() };
    assert_ne!(read(&old).fingerprint(), read(&new).fingerprint());
    assert_eq!(read(&old).spki_hash(), read(&new).spki_hash());
}

#[test]
fn what_a_certificate_does_not_have_is_said_part_by_part() {
    let client = read(&Forged { subject: der(0x30, &[]), ..Forged::default() });
    assert!(client.subject().is_empty());
    assert_eq!(client.subject().to_string(), "");
    assert_eq!(client.common_name(), Err(AttributeError::Missing));
    assert_eq!(client.subject_alt_names(), Ok(&[][..]));
    assert_eq!(client.spiffe_id(), Err(SpiffeError::Missing));
    assert_eq!(client.key_usage(), Ok(None));
    assert_eq!(client.extended_key_usage(), Ok(None));
}

#[test]
fn two_common_names_are_not_one() {
    let apart = Forged::subject(&[&[(CN, UTF8, b"alice")], &[(CN, UTF8, b"mallory")]]);
    let together = Forged::subject(&[&[(CN, UTF8, b"alice"), (CN, UTF8, b"mallory")]]);
    for forged in [apart, together] {
        let client = read(&forged);
        assert_eq!(client.common_name(), Err(AttributeError::Repeated));
        assert_eq!(client.subject().values("cn").collect::<Vec<_>>(), ["alice", "mallory"]);
    }
}

#[test]
fn a_malformed_attribute_type_passes_for_no_other() {
    for oid in [&[0x55, 0x04, 0x03, 0x83][..], &[0x55, 0x04, 0x80, 0x03], &[0x83], &[]] {
        if let Ok(client) = ClientIdentity::from_der(&Forged::subject(&[&[(oid, UTF8, b"admin")]]).der()) {
            assert_eq!(client.common_name(), Err(AttributeError::Missing), "{oid:x?}");
        }
    }
}

#[test]
fn no_value_can_pass_for_more_than_one_attribute() {
    for evil in [
        "alice,O=Bank",
        "alice\0",
        "alice+CN=admin",
        "CN=admin",
        "\" OU=x",
        "a\r\nO=Bank",
        "ALICE",
        " alice ",
    ] {
        let client = read(&Forged::subject(&[&[(O, UTF8, b"Example")], &[(CN, UTF8, evil.as_bytes())]]));
        assert_eq!(client.common_name(), Ok(evil));
        assert_eq!(client.subject().attributes().count(), 2);
        // What it prints reads as the same name, and as no other.
        let printed: DistinguishedName = client.subject().as_str().parse().unwrap();
        assert_eq!(&printed, client.subject());
        assert!(!client.subject().as_str().contains(['\0', '\r', '\n']));
    }
}

#[test]
fn text_is_compared_whatever_its_encoding() {
    for (tag, value) in [
        (UTF8, &b"Alice"[..]),
        (PRINTABLE, b"Alice"),
        (T61, b"Alice"),
        (IA5, b"Alice"),
        (BMP, b"\0A\0l\0i\0c\0e"),
    ] {
        assert_eq!(read(&Forged::subject(&[&[(CN, tag, value)]])).common_name(), Ok("Alice"), "{tag:#x}");
    }
    assert_eq!(read(&Forged::subject(&[&[(CN, T61, b"Andr\xE9")]])).common_name(), Ok("André"));
    assert_eq!(read(&Forged::subject(&[&[(CN, BMP, b"\x6F\x22")]])).common_name(), Ok("漢"));
}

#[test]
fn what_is_no_text_is_none() {
    let odd: &[(u8, &[u8])] =
        &[(BMP, b"\0A\0"), (BMP, b"\xD8\x3D\xDE\0"), (UTF8, b"A\xFF"), (OCTETS, b"Alice"), (0x30, &[])];
    for (tag, value) in odd {
        let Ok(client) = ClientIdentity::from_der(&Forged::subject(&[&[(CN, *tag, value)]]).der()) else {
            panic!("{tag:#x} {value:?}");
        };
        assert_eq!(client.common_name(), Err(AttributeError::NotText), "{tag:#x} {value:?}");
        let attribute = client.subject().attributes().next().unwrap();
        assert_eq!(*attribute.value(), AttributeValue::Der(der(*tag, value).into()));
        assert_eq!(client.subject().as_str().parse::<DistinguishedName>().as_ref(), Ok(client.subject()));
    }
}

#[test]
fn alternative_names_that_are_not_what_their_kind_demands_are_kept_apart() {
    let bad: &[(u8, &[u8], SanKind)] = &[
        (DNS, b"alice.test\0.evil.test", SanKind::Dns),
        (DNS, b"alice.test.", SanKind::Dns),
        (DNS, b"", SanKind::Dns),
        (DNS, b".alice.test", SanKind::Dns),
        (DNS, b"alice..test", SanKind::Dns),
        (DNS, b"alice.test ", SanKind::Dns),
        (DNS, "bücher.test".as_bytes(), SanKind::Dns),
        (DNS, b"b\xFCcher.test", SanKind::Dns),
        (DNS, b"a.*.test", SanKind::Dns),
        (DNS, b"*", SanKind::Dns),
        (URI, b"example.org/a", SanKind::Uri),
        (URI, b"https://example.org/\0", SanKind::Uri),
        (URI, b"https://example.org/%zz", SanKind::Uri),
        (URI, b"https://example.org/\xFF", SanKind::Uri),
        (EMAIL, b"alice", SanKind::Email),
        (EMAIL, b"alice@example.org\0", SanKind::Email),
        (IP, &[10, 0, 0], SanKind::Ip),
        (IP, &[10, 0, 0, 1, 5], SanKind::Ip),
        (IP, &[10, 0, 0, 0, 255, 0, 0, 0], SanKind::Ip),
        (IP, &[], SanKind::Ip),
        (IP, &[0; 17], SanKind::Ip),
    ];
    for (tag, value, kind) in bad {
        let client = read(&Forged::alt_names(&[(*tag, value), (DNS, b"good.test")]));
        let expected = SubjectAltName::Malformed { kind: *kind, value: (*value).into() };
        assert_eq!(client.subject_alt_names().unwrap()[0], expected);
        assert_eq!(client.dns_names().collect::<Vec<_>>(), ["good.test"]);
        assert_eq!(client.uris().count() + client.emails().count() + client.ip_addresses().count(), 0);
    }
}

#[test]
fn spellings_of_one_host_are_one_and_wildcards_stay_wildcards() {
    let client = read(&Forged::alt_names(&[
        (DNS, b"ALICE.test"),
        (DNS, b"XN--Bcher-Kva.test"),
        (DNS, b"*.Wild.test"),
    ]));
    assert_eq!(client.dns_names().collect::<Vec<_>>(), ["alice.test", "xn--bcher-kva.test", "*.wild.test"]);
}

#[test]
fn a_spiffe_id_is_the_only_uri_and_has_one_spelling() {
    let id = |uris: &[&str]| {
        let names: Vec<_> = uris.iter().map(|uri| (URI, uri.as_bytes())).collect();
        read(&Forged::alt_names(&names)).spiffe_id().map(ToString::to_string)
    };
    let good = "spiffe://example.org/web";
    assert_eq!(id(&[good]), Ok(good.to_owned()));
    // An upper-case scheme is lower case by the rules of URIs; an upper-case trust domain is none by SPIFFE's.
    assert_eq!(id(&["SPIFFE://example.org/web"]), Ok(good.to_owned()));
    assert_eq!(id(&["spiffe://EXAMPLE.org/web"]), Err(SpiffeError::TrustDomain));
    assert_eq!(id(&["spiffe://admin@example.org/web"]), Err(SpiffeError::TrustDomain));
    assert_eq!(id(&["spiffe://example.org/w%65b"]), Err(SpiffeError::Path));
    assert_eq!(id(&["https://example.org/web"]), Err(SpiffeError::Scheme));
    assert_eq!(id(&[good, "spiffe://example.org/admin"]), Err(SpiffeError::Repeated));
    assert_eq!(id(&[good, "https://example.org/"]), Err(SpiffeError::Repeated));
    assert_eq!(id(&[good, "not a uri"]), Err(SpiffeError::Repeated));
    assert_eq!(id(&["not a uri"]), Err(SpiffeError::Unreadable));
}

#[test]
fn an_extension_that_cannot_be_read_is_neither_there_nor_missing() {
    for (oid, good) in [
        (ALT_NAMES, der(0x30, &der(DNS, b"a.test"))),
        (KEY_USAGE, der(0x03, &[7, 0x80])),
        (EXTENDED_KEY_USAGE, der(0x30, &der(0x06, &[0x2B, 6, 1, 5, 5, 7, 3, 2]))),
    ] {
        let answer = |forged: Forged| {
            let client = read(&forged);
            match oid {
                ALT_NAMES => client.subject_alt_names().map(<[_]>::len),
                KEY_USAGE => client.key_usage().map(|usage| usage.iter().count()),
                _ => client.extended_key_usage().map(|usage| usage.iter().count()),
            }
        };
        let with = |value: &[u8]| answer(Forged::default().with(oid, value));
        assert_eq!(with(&good), Ok(1));
        assert_eq!(with(&[]), Err(ExtensionError::Malformed));
        assert_eq!(with(&good[1..]), Err(ExtensionError::Malformed));
        assert_eq!(with(&good[..good.len() - 1]), Err(ExtensionError::Malformed));
        assert_eq!(with(&[&good[..], &[0x05, 0x00]].concat()), Err(ExtensionError::Malformed));
        let twice = Forged::default().with(oid, &good).with(oid, &good);
        assert_eq!(answer(twice), Err(ExtensionError::Repeated));
    }
    let spiffe = Forged::default().with(ALT_NAMES, &[0x30]);
    assert_eq!(read(&spiffe).spiffe_id(), Err(SpiffeError::Unreadable));
}

#[test]
fn bytes_that_do_not_belong_are_found_wherever_they_are() {
    let honest = Forged::alt_names(&[(DNS, b"a.test")]);
    let extra = der(0x05, &[]);
    let after = [honest.der(), extra.clone()].concat();
    assert_eq!(ClientIdentity::from_der(&after), Err(IdentityError::TrailingBytes));
    let without_extensions = Forged { tail: extra.clone(), ..Forged::default() }.der();
    assert!(ClientIdentity::from_der(&without_extensions).is_err());
    let in_signed_part = Forged { tail: extra.clone(), ..honest.clone() }.der();
    assert!(ClientIdentity::from_der(&in_signed_part).is_err());
    // A second list of extensions, for a reader that takes the last.
    let second = Forged { tail: der(0xA3, &der(0x30, &honest.extensions.concat())), ..honest.clone() }.der();
    assert!(ClientIdentity::from_der(&second).is_err());
    // A second value in an attribute, a second attribute type in a part of a name.
    let value = [der(0x06, CN), der(UTF8, b"alice"), der(UTF8, b"mallory")].concat();
    for rdn in [der(0x31, &der(0x30, &value)), der(0x31, &[der(0x30, &value[..12]), extra.clone()].concat())]
    {
        let name = Forged { subject: der(0x30, &rdn), ..honest.clone() };
        assert!(ClientIdentity::from_der(&name.der()).is_err(), "{rdn:x?}");
    }
    let third_time = [honest.not_after.clone(), honest.not_after.clone()].concat();
    assert!(ClientIdentity::from_der(&Forged { not_after: third_time, ..honest.clone() }.der()).is_err());
    let extension = der(0x30, &[der(0x06, &[0x2A, 3]), der(OCTETS, &[]), extra.clone()].concat());
    assert!(
        ClientIdentity::from_der(&Forged { extensions: vec![extension], ..honest.clone() }.der()).is_err()
    );
    let key = Forged { key: der(0x30, &[&honest.key[2..], &extra].concat()), ..honest };
    assert_eq!(ClientIdentity::from_der(&key.der()), Err(IdentityError::TrailingBytes));
}

#[test]
fn four_hundred_alternative_names_are_all_read() {
    let hosts: Vec<String> = (0..400).map(|n| format!("host-{n}.example.test")).collect();
    let names: Vec<_> = hosts.iter().map(|host| (DNS, host.as_bytes())).collect();
    let client = read(&Forged::alt_names(&names));
    assert_eq!(client.dns_names().collect::<Vec<_>>(), hosts);
}

#[test]
fn times_before_1970_and_far_ahead_are_read() {
    let client = read(&Forged {
        not_before: der(0x17, b"500101000000Z"),
        not_after: der(0x18, b"99991231235959Z"),
        ..Forged::default()
    });
    let seconds = |time: SystemTime| match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap(),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap(),
    };
    assert_eq!(seconds(client.not_before()), -631_152_000);
    assert_eq!(seconds(client.not_after()), 253_402_300_799);
}

#[test]
fn a_certificate_that_is_cut_or_damaged_never_panics() {
    let whole = Forged::alt_names(&[(DNS, b"a.test"), (URI, b"spiffe://a/b"), (IP, &[1, 2, 3, 4])])
        .with(KEY_USAGE, &der(0x03, &[7, 0x80]))
        .der();
    for length in 0..whole.len() {
        assert!(ClientIdentity::from_der(&whole[..length]).is_err(), "{length}");
    }
    for position in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[position] ^= 1 << bit;
            if let Ok(client) = ClientIdentity::from_der(&damaged) {
                let _ = (client.subject().to_string(), client.spiffe_id(), client.subject_alt_names());
            }
        }
    }
}

#[test]
fn a_connection_reads_its_certificate_once() {
    let peer = PeerCertificates::unverified(vec![Forged::default().der().into()]).unwrap();
    let first = peer.identity().unwrap();
    assert!(std::ptr::eq(first, peer.clone().identity().unwrap()));
    let garbage = PeerCertificates::unverified(vec![CertificateDer::from(vec![0x30, 0x00])]).unwrap();
    assert_eq!(garbage.identity(), Err(IdentityError::NotACertificate));
}

#[test]
fn a_stranger_in_the_chain_is_nobody() {
    let peer = PeerCertificates::unverified(vec![
        Forged::subject(&[&[(CN, UTF8, b"leaf")]]).der().into(),
        Forged::subject(&[&[(CN, UTF8, b"admin")]]).der().into(),
    ]);
    assert_eq!(peer.unwrap().identity().unwrap().common_name(), Ok("leaf"));
}

#[test]
fn debug_shows_no_names() {
    let shown = format!("{:?}", read(&Forged::default()));
    assert!(!shown.contains("forge"), "{shown}");
}

proptest! {
    #[test]
    fn any_bytes_are_a_certificate_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = ClientIdentity::from_der(&bytes);
    }

    #[test]
    fn any_extension_is_read_or_an_error(value in prop::collection::vec(any::<u8>(), 0..100)) {
        let client = read(&Forged::default().with(ALT_NAMES, &value).with(KEY_USAGE, &value).with(EXTENDED_KEY_USAGE, &value));
        let _ = (client.subject_alt_names(), client.key_usage(), client.extended_key_usage(), client.spiffe_id());
    }
}
