//! Our reader of certificates beside x509-parser, and on what is meant to hurt it.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tower_client_cert::ClientIdentity;
use tower_client_cert::dialect::{AnyDialect, VerifyStatus};
use tower_client_cert::identity::{ExtensionError, IdentityError, SanKind, SubjectAltName};

use crate::forge::{ALT_NAMES, CN, DNS, EXTENDED_KEY_USAGE, Forged, IP, KEY_USAGE, URI, UTF8, name};
use crate::oracle::agrees;
use crate::pki::{Authority, Identity, der};
use crate::properties::hostile_certificate;
use crate::vectors::encode;

/// Every certificate in a file of PEM below a directory.
fn stored(directory: &Path) -> Vec<CertificateDer<'static>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.extension() {
            _ if path.is_dir() => stored(&path),
            Some(extension) if extension == "pem" => {
                CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect()
            }
            _ => vec![],
        })
        .collect()
}

#[test]
fn every_certificate_that_a_tool_made_is_read_as_x509_parser_reads_it() {
    let ca = Authority::root("client CA");
    let mut certificates = stored(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data"));
    assert!(certificates.len() > 5, "{}", certificates.len());
    certificates.extend([
        ca.der(),
        Identity::self_signed("alice").chain.remove(0),
        ca.client("bob").chain.remove(0),
    ]);
    for certificate in certificates {
        ClientIdentity::from_der(&certificate).unwrap();
        agrees(&certificate);
    }
}

/// With something of everything in it.
fn varied() -> Forged {
    let names = [
        der(DNS, b"a.test"),
        der(URI, b"spiffe://a/b"),
        der(IP, &[10, 0, 0, 1]),
        der(0xA4, &name(&[&[(CN, UTF8, b"a"), (CN, UTF8, b"b")]])),
        der(0xA0, &[der(0x06, &[0x2B, 6]), der(0xA0, &der(UTF8, b"x"))].concat()),
        der(0x88, &[0x2B, 6]),
    ];
    Forged::subject(&[&[(CN, UTF8, b"alice")], &[(&[0x2A, 3], 0x1E, b"\0a"), (CN, 0x13, b"b")]])
        .with(ALT_NAMES, &der(0x30, &names.concat()))
        .with(KEY_USAGE, &der(0x03, &[7, 0x80, 0x80]))
        .with(EXTENDED_KEY_USAGE, &der(0x30, &der(0x06, &[0x2B, 6, 1, 5, 5, 7, 3, 2])))
}

#[test]
fn whatever_single_byte_is_damaged_what_we_take_x509_parser_reads_alike() {
    let whole = varied().der();
    agrees(&whole);
    let mut taken = 0;
    for position in 0..whole.len() {
        for value in 0..=0xFF {
            let mut damaged = whole.clone();
            damaged[position] = value;
            agrees(&damaged);
            taken += usize::from(ClientIdentity::from_der(&damaged).is_ok());
        }
    }
    // What says nothing about the outline may be anything.
    assert!(taken > 10_000, "{taken}");
}

proptest! {
    #[test]
    fn hostile_certificates_are_read_as_x509_parser_reads_them(leaf in hostile_certificate()) {
        prop_assert!(ClientIdentity::from_der(&leaf).is_ok());
        agrees(&leaf);
    }

    #[test]
    fn any_contents_of_names_and_extensions_are_read_alike(
        subject in prop::collection::vec(any::<u8>(), 0..12),
        alt_names in prop::collection::vec((0x80..=0xAA_u8, prop::collection::vec(any::<u8>(), 0..9)), 0..4),
        usage in prop::collection::vec(any::<u8>(), 0..5),
        seconds in "[0-9]{10}|[0-9]{12}",
    ) {
        let alt_names: Vec<_> = alt_names.iter().map(|(tag, contents)| der(*tag, contents)).collect();
        let forged = Forged {
            subject: name(&[&[(CN, subject.first().copied().unwrap_or(0) & 0x1E, &subject)]]),
            not_before: der(0x17, &[seconds.as_bytes(), b"Z"].concat()),
            ..Forged::default()
        };
        agrees(&forged.with(ALT_NAMES, &der(0x30, &alt_names.concat())).with(KEY_USAGE, &der(0x03, &usage)).der());
    }
}

#[test]
fn times_are_read_in_their_one_form_and_with_days_that_there_are() {
    let read =
        |not_after: Vec<u8>| ClientIdentity::from_der(&Forged { not_after, ..Forged::default() }.der());
    for good in [der(0x17, b"491231235959Z"), der(0x18, b"20240229000000Z"), der(0x18, b"00010101000000Z")] {
        assert!(read(good).is_ok());
    }
    for wrong in [
        der(0x17, b"4912312359Z"),
        der(0x17, b"491231235959"),
        der(0x17, b"491231235959+0000"),
        der(0x17, b"491231235960Z"),
        der(0x17, b"490229000000Z"),
        der(0x18, b"20491231235959.5Z"),
        der(0x18, b"491231235959Z"),
        der(0x16, b"491231235959Z"),
    ] {
        assert_eq!(read(wrong.clone()), Err(IdentityError::NotACertificate), "{wrong:x?}");
    }
}

#[test]
fn a_number_and_an_algorithm_have_one_form() {
    let refused = |forged: Forged| ClientIdentity::from_der(&forged.der()).is_err();
    for serial in [der(0x02, &[]), der(0x02, &[0, 1]), der(0x02, &[0xFF, 0x80]), der(0x0A, &[1])] {
        assert!(refused(Forged { serial, ..Forged::default() }));
    }
    for algorithm in
        [vec![], der(0x05, &[]), der(0x06, &[0x80, 1]), [der(0x06, &[0x2A]), vec![5, 0, 5, 0]].concat()]
    {
        let key = der(0x30, &[der(0x30, &algorithm), der(0x03, &[0; 33])].concat());
        assert!(refused(Forged { key, ..Forged::default() }), "{algorithm:x?}");
    }
}

#[test]
fn a_name_in_the_wrong_form_is_none_and_no_other() {
    for (tag, kind) in
        [(0xA1, SanKind::Email), (0xA2, SanKind::Dns), (0xA6, SanKind::Uri), (0xA7, SanKind::Ip)]
    {
        let client = ClientIdentity::from_der(&Forged::alt_names(&[(tag, b"a.test")]).der()).unwrap();
        let expected = SubjectAltName::Malformed { kind, value: b"a.test"[..].into() };
        assert_eq!(client.subject_alt_names(), Ok(&[expected][..]));
    }
    let universal = ClientIdentity::from_der(&Forged::alt_names(&[(0x16, b"a.test")]).der()).unwrap();
    assert_eq!(universal.subject_alt_names(), Err(ExtensionError::Malformed));
}

/// 64 KB of whatever is smallest, which is the most of it: time that grows with the square would be seen here.
#[test]
fn a_certificate_of_64_kb_is_read_and_written_in_every_dialect() {
    const SIZE: usize = 64 * 1024;
    let attribute = der(0x31, &der(0x30, &[der(0x06, &[0x2A]), der(UTF8, b"\"")].concat()));
    let extension = der(0x30, &[der(0x06, &[0x2A]), der(0x04, &[])].concat());
    let many = |part: &[u8]| part.repeat(SIZE / part.len());
    let nested =
        (0..SIZE / 4).fold(vec![], |inner, _| if inner.len() < SIZE { der(0x30, &inner) } else { inner });
    let long = vec![b'a'; SIZE];
    let large = [
        Forged { subject: der(0x30, &many(&attribute)), ..Forged::default() },
        Forged { serial: der(0x02, &[&[1][..], &long].concat()), ..Forged::default() },
        Forged { extensions: vec![many(&extension)], ..Forged::default() },
        Forged::subject(&[&[(CN, 0x30, &nested)]]),
        Forged::subject(&[&[(&[&[0x2A][..], &vec![0x81; SIZE], &[1]].concat(), UTF8, b"a")]]),
        Forged::subject(&[&[(&[&[0x2A][..], &vec![1; SIZE]].concat(), UTF8, b"a")]]),
        Forged::subject(&[&[(CN, UTF8, &long)]]),
        Forged::default().with(ALT_NAMES, &der(0x30, &many(&der(DNS, b"")))),
        Forged::default().with(ALT_NAMES, &der(0x30, &der(URI, &long))),
        Forged::default().with(ALT_NAMES, &der(0x30, &der(0xA4, &der(0x30, &many(&attribute))))),
        Forged::default().with(EXTENDED_KEY_USAGE, &der(0x30, &many(&der(0x06, &[0x2A])))),
        Forged::default().with(KEY_USAGE, &der(0x03, &[&[0][..], &long].concat())),
    ];
    for forged in large {
        let certificate = CertificateDer::from(forged.der());
        let client = ClientIdentity::from_der(&certificate).unwrap();
        assert!(certificate.len() > SIZE / 2);
        let _ = (client.subject().to_string(), client.serial_hex(), client.spiffe_id());
        for name in AnyDialect::NAMES {
            let dialect: AnyDialect = name.parse().unwrap();
            encode(&dialect, std::slice::from_ref(&certificate), VerifyStatus::Success);
        }
    }
}
