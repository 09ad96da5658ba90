//! The same certificates read by others: x509-cert, and the `openssl` command.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use proptest::prelude::*;
use rcgen::SanType;
use tower_client_cert::ClientIdentity;
use tower_client_cert::identity::{AttributeValue, DistinguishedName, SubjectAltName};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::SubjectAltName as TheirAltNames;
use x509_cert::ext::pkix::name::GeneralName;

use crate::forge::{
    ALT_NAMES, BMP, CN, DNS, EMAIL, Forged, IA5, IP, O, OU, PRINTABLE, T61, URI, UTF8, alt_names, name,
};
use crate::pki::{Authority, der};

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the openssl command is needed here");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}");
    output.stdout
}

/// What `openssl x509` prints, after `name=`.
fn field<'a>(printed: &'a str, name: &str) -> &'a str {
    let line = printed.lines().find_map(|line| line.strip_prefix(name)).expect(name);
    line.trim_start_matches('=').trim()
}

/// Certificates that OpenSSL prints without loss.
fn honest() -> Vec<Vec<u8>> {
    let issued = Authority::root("client CA").issue("alice", |params| {
        params.subject_alt_names = vec![
            SanType::DnsName("a.test".try_into().unwrap()),
            SanType::DnsName("*.b.test".try_into().unwrap()),
            SanType::URI("spiffe://example.org/ns/prod".try_into().unwrap()),
            SanType::Rfc822Name("a@b.test".try_into().unwrap()),
            SanType::IpAddress("10.0.0.1".parse().unwrap()),
        ];
    });
    let mut certificates = vec![issued.chain[0].to_vec()];
    let names: &[&[&[crate::forge::Attribute<'_>]]] = &[
        &[],
        &[&[(O, PRINTABLE, b"Example, Inc.")], &[(OU, UTF8, b"a"), (CN, UTF8, b"b")]],
        &[&[(CN, UTF8, " ë漢 \\ \"#+;<>= ".as_bytes())]],
        &[&[(CN, T61, b"Andr\xE9")], &[(O, BMP, b"\x6F\x22\0!")]],
        &[&[(CN, UTF8, b"alice")], &[(CN, UTF8, b"mallory")]],
        &[&[(CN, UTF8, b"alice\0\r\n")]],
        &[
            &[(&[0x2A, 3, 4], IA5, b"x")],
            &[(&[0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 25], IA5, b"org")],
        ],
    ];
    certificates.extend(names.iter().map(|rdns| {
        Forged { subject: name(rdns), serial: der(0x02, &[0, 0x9A, 0xBC]), ..Forged::default() }.der()
    }));
    certificates
}

#[test]
fn openssl_reads_the_same() {
    for certificate in honest() {
        let client = ClientIdentity::from_der(&certificate).unwrap();
        let arguments = [
            "x509",
            "-inform",
            "DER",
            "-noout",
            "-subject",
            "-issuer",
            "-serial",
            "-fingerprint",
            "-sha256",
            "-nameopt",
            "RFC2253,-esc_msb,utf8",
        ];
        let printed = String::from_utf8(openssl(&arguments, &certificate)).unwrap();
        let parse = |text: &str| text.parse::<DistinguishedName>().unwrap();
        // Spaces at the end of a line are escaped.
        let subject = printed.lines().find_map(|line| line.strip_prefix("subject=")).unwrap();
        assert_eq!(client.subject(), &parse(subject), "{printed}");
        assert_eq!(client.issuer(), &parse(field(&printed, "issuer")), "{printed}");
        assert_eq!(client.serial_hex(), field(&printed, "serial"));
        let fingerprint = field(&printed, "sha256 Fingerprint").replace(':', "").to_lowercase();
        assert_eq!(client.fingerprint().to_string(), fingerprint);

        let key = openssl(&["x509", "-inform", "DER", "-noout", "-pubkey"], &certificate);
        let key = openssl(&["pkey", "-pubin", "-outform", "DER"], &key);
        let hash = openssl(&["dgst", "-sha256", "-binary"], &key);
        assert_eq!(client.spki_hash().as_bytes()[..], hash);

        let dates = ["x509", "-inform", "DER", "-noout", "-dates", "-dateopt", "iso_8601"];
        let dates = String::from_utf8(openssl(&dates, &certificate)).unwrap();
        assert_eq!(time(client.not_before()), field(&dates, "notBefore"));
        assert_eq!(time(client.not_after()), field(&dates, "notAfter"));
    }
}

fn time(time: SystemTime) -> String {
    let time = time::OffsetDateTime::from(time);
    let (date, clock) = (time.date(), time.time());
    format!("{date} {:02}:{:02}:{:02}Z", clock.hour(), clock.minute(), clock.second())
}

#[test]
fn openssl_reads_the_same_alternative_names() {
    let certificate = &honest()[0];
    let client = ClientIdentity::from_der(certificate).unwrap();
    let arguments = ["x509", "-inform", "DER", "-noout", "-ext", "subjectAltName"];
    let printed = String::from_utf8(openssl(&arguments, certificate)).unwrap();
    let theirs: BTreeSet<&str> = printed.lines().nth(1).unwrap().trim().split(", ").collect();
    let ours: Vec<String> = client
        .subject_alt_names()
        .unwrap()
        .iter()
        .map(|name| match name {
            SubjectAltName::Dns(host) => format!("DNS:{host}"),
            SubjectAltName::Uri(uri) => format!("URI:{uri}"),
            SubjectAltName::Email(mail) => format!("email:{mail}"),
            SubjectAltName::Ip(ip) => format!("IP Address:{ip}"),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ours.iter().map(String::as_str).collect::<BTreeSet<_>>(), theirs);
}

/// An alternative name as x509-cert has it: the number of its kind, and its bytes.
fn theirs(name: &GeneralName) -> (u8, Vec<u8>) {
    match name {
        GeneralName::Rfc822Name(mail) => (EMAIL, mail.as_bytes().to_vec()),
        GeneralName::DnsName(host) => (DNS, host.as_bytes().to_vec()),
        GeneralName::UniformResourceIdentifier(uri) => (URI, uri.as_bytes().to_vec()),
        GeneralName::IpAddress(ip) => (IP, ip.as_bytes().to_vec()),
        other => panic!("{other:?}"),
    }
}

/// What we make of those bytes must say the same, or that they are malformed.
fn same(ours: &SubjectAltName, (tag, value): &(u8, Vec<u8>)) -> bool {
    let text = String::from_utf8_lossy(value);
    match ours {
        SubjectAltName::Email(mail) => *tag == EMAIL && **mail == *text,
        SubjectAltName::Dns(host) => *tag == DNS && **host == text.to_lowercase(),
        SubjectAltName::Uri(uri) => *tag == URI && uri.as_str().eq_ignore_ascii_case(&text),
        SubjectAltName::Ip(ip) => {
            let bytes = <[u8; 4]>::try_from(&value[..]).map(Into::into);
            let bytes = bytes.or_else(|_| <[u8; 16]>::try_from(&value[..]).map(std::net::IpAddr::from));
            *tag == IP && bytes.unwrap().to_canonical() == *ip
        }
        SubjectAltName::Malformed { value: ours, .. } => **ours == value[..],
        other => panic!("{other:?}"),
    }
}

fn alt_name() -> impl Strategy<Value = (u8, Vec<u8>)> {
    prop_oneof![
        "[A-Za-z0-9.*-]{0,12}".prop_map(|host| (DNS, host.into_bytes())),
        "[Aa][A-Za-z:/@%0-9]{0,12}".prop_map(|uri| (URI, uri.into_bytes())),
        "[a-z@.]{0,8}".prop_map(|mail| (EMAIL, mail.into_bytes())),
        "[ -~]{0,8}".prop_map(|host| (DNS, host.into_bytes())),
        prop::collection::vec(any::<u8>(), 0..18).prop_map(|ip| (IP, ip)),
        any::<[u8; 4]>().prop_map(|ip| (IP, ip.into())),
    ]
}

proptest! {
    #[test]
    fn x509_cert_reads_the_same_alternative_names(names in prop::collection::vec(alt_name(), 0..6)) {
        let names: Vec<_> = names.iter().map(|(tag, value)| (*tag, &**value)).collect();
        let certificate = Forged::default().with(ALT_NAMES, &alt_names(&names)).der();
        let second = x509_cert::Certificate::from_der(&certificate).unwrap();
        let (_, found) = second.tbs_certificate().get_extension::<TheirAltNames>().unwrap().unwrap();
        let client = ClientIdentity::from_der(&certificate).unwrap();
        let ours = client.subject_alt_names().unwrap();
        prop_assert_eq!(ours.len(), found.0.len());
        for (ours, name) in ours.iter().zip(&found.0) {
            prop_assert!(same(ours, &theirs(name)), "{:?} instead of {:?}", ours, name);
        }
    }

    #[test]
    fn x509_cert_reads_the_same_names(
        values in prop::collection::vec((prop::sample::select(vec![CN, O, OU]), any::<String>()), 0..5),
    ) {
        let rdns: Vec<[crate::forge::Attribute<'_>; 1]> =
            values.iter().map(|(oid, text)| [(*oid, UTF8, text.as_bytes())]).collect();
        let rdns: Vec<_> = rdns.iter().map(<[_; 1]>::as_slice).collect();
        let certificate = Forged::subject(&rdns).der();
        let second = x509_cert::Certificate::from_der(&certificate).unwrap();
        let client = ClientIdentity::from_der(&certificate).unwrap();
        let theirs = second.tbs_certificate().subject().iter_rdn().flat_map(|rdn| rdn.iter()).map(|attribute| {
            let text = String::from_utf8(attribute.value.value().to_vec()).unwrap();
            (attribute.oid.to_string(), AttributeValue::Text(text.into()))
        });
        let ours = client.subject().attributes().map(|attribute| (attribute.oid().to_owned(), attribute.value().clone()));
        prop_assert!(ours.eq(theirs));
        let spki = second.tbs_certificate().subject_public_key_info().to_der().unwrap();
        prop_assert_eq!(client.spki_hash().as_bytes().to_vec(), sha256(&spki));
    }

    /// A certificate that we take and x509-cert does not may break the letter of DER, and nothing else.
    #[test]
    fn what_is_damaged_is_read_alike_or_refused(position in 0_usize..1_000, value in any::<u8>()) {
        let mut certificate = Forged::alt_names(&[(DNS, b"a.test"), (IP, &[10, 0, 0, 1])]).der();
        let position = position % certificate.len();
        certificate[position] = value;
        let (Ok(client), Ok(second)) =
            (ClientIdentity::from_der(&certificate), x509_cert::Certificate::from_der(&certificate))
        else {
            return Ok(());
        };
        let second = second.tbs_certificate();
        prop_assert_eq!(client.serial(), second.serial_number().as_bytes());
        prop_assert_eq!(client.subject().attributes().count(), second.subject().iter().count());
        let (ours, theirs) = (client.subject_alt_names(), second.get_extension::<TheirAltNames>());
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            prop_assert_eq!(ours.len(), theirs.map_or(0, |(_, names)| names.0.len()));
        }
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    let hash = rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let rustls::SupportedCipherSuite::Tls13(suite) = hash else { unreachable!() };
    suite.common.hash_provider.hash(bytes).as_ref().to_vec()
}
