//! Properties of every dialect, over certificates and values that nobody would think of.

use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use proptest::sample::Index;
use rustls::pki_types::CertificateDer;
use sfv::{BareItem, Item, List, ListEntry, Parser, Version};
use tower_client_cert::dialect::{
    AnyDialect, Apache, Base64Der, Dialect, Envoy, HaProxy, Nginx, Rfc9440, Skipper, VerifyStatus, XfccMode,
};

use crate::pki::{der, generate};
use crate::vectors::{WITH_CHAIN, WITHOUT_CERTIFICATE, chain, encode, value};

/// What has the outline of a certificate: all that a dialect without names looks at.
fn outline() -> impl Strategy<Value = CertificateDer<'static>> {
    let content = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        // Either side of each length's own size.
        prop_oneof![Just(0), Just(0x7F), Just(0x80), Just(0xFF), Just(0x100), Just(3000)]
            .prop_map(|length| vec![7; length]),
    ];
    content.prop_map(|content| der(0x30, &content).into())
}

fn outlines() -> impl Strategy<Value = Vec<CertificateDer<'static>>> {
    proptest::collection::vec(outline(), 1..6)
}

fn statuses() -> impl Strategy<Value = VerifyStatus> {
    prop_oneof![
        Just(VerifyStatus::Success),
        "[ -~]{0,40}".prop_map(|reason| VerifyStatus::Failed(reason.into())),
    ]
}

/// Every dialect that can be read, and whether it carries the whole chain.
fn readable() -> Vec<(Box<dyn Dialect>, bool, String)> {
    let mut all: Vec<(Box<dyn Dialect>, bool, String)> = AnyDialect::NAMES
        .iter()
        .filter(|name| !WITHOUT_CERTIFICATE.contains(name))
        .map(|name| {
            let chain = WITH_CHAIN.contains(name);
            (Box::new(name.parse::<AnyDialect>().unwrap()) as Box<dyn Dialect>, chain, (*name).to_owned())
        })
        .collect();
    all.push((Box::new(HaProxy::new().chain_in_headers()), true, "haproxy, a header each".to_owned()));
    all.push((Box::new(Envoy::new().chain(true).by("spiffe://a?b=c")), true, "envoy with Chain".to_owned()));
    all.push((
        Box::new(Envoy::new().mode(XfccMode::AppendForward).hops(1)),
        false,
        "envoy appending".to_owned(),
    ));
    all.push((
        Box::new(Envoy::new().json().chain(true).by("spiffe://a?b=c")),
        true,
        "envoy's JSON".to_owned(),
    ));
    all
}

proptest! {
    #[test]
    fn i8_what_was_written_is_read(chain in outlines(), status in statuses()) {
        for (dialect, whole, name) in readable() {
            let headers = encode(&*dialect, &chain, status.clone());
            let read = dialect.decode(&headers).unwrap_or_else(|error| panic!("{name}: {error}")).unwrap();
            prop_assert_eq!(&read.certificates, &chain[..if whole { chain.len() } else { 1 }], "{}", name);
            let words = ["tower-client-cert", "nginx", "ingress-nginx", "apache", "puppet", "azure-app-gateway", "nginx-variables"].contains(&name.as_str());
            if words {
                prop_assert_eq!(read.status.as_ref(), Some(&status), "{}", name);
            }
        }
    }
}

/// Text to put into certificates: what separates fields in some dialect, controls, and any other character.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    let char = prop_oneof![
        4 => proptest::sample::select(vec!['"', '\\', ',', ';', '=', '+', '\r', '\n', '\0', ' ', '#', '%', ':', '<', '\x7F']),
        1 => any::<char>(),
        1 => proptest::char::range('a', 'z'),
    ];
    prop_oneof![
        9 => proptest::collection::vec(char, 0..40).prop_map(|chars| chars.into_iter().collect()),
        1 => Just("\",;\r\n=é".repeat(1250)), // 10 KB
        2 => proptest::sample::select(vec![
            "x\";Hash=0;URI=spiffe://admin,By=\"",
            "x;Cert=y",
            "x\\,Cert=y",
            "x,Chain=y\\",
            "x%3BCert=y%2CHash=z%22",
        ])
        .prop_map(str::to_owned),
    ]
}

pub(crate) fn hostile_certificate() -> impl Strategy<Value = CertificateDer<'static>> {
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};
    static KEY: LazyLock<KeyPair> = LazyLock::new(generate);

    let sans = || proptest::collection::vec(hostile(), 0..4);
    (hostile(), hostile(), sans(), sans()).prop_map(|(name, organization, uris, dns_names)| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.distinguished_name.push(DnType::OrganizationName, organization);
        let ia5 = |names: Vec<String>| {
            names.into_iter().filter_map(|name| Ia5String::try_from(name).ok()).collect::<Vec<_>>()
        };
        params.subject_alt_names = ia5(uris).into_iter().map(SanType::URI).collect();
        params.subject_alt_names.extend(ia5(dns_names).into_iter().map(SanType::DnsName));
        params.self_signed(&*KEY).unwrap().der().clone()
    })
}

/// The bytes a dialect's certificate headers may hold.
fn alphabet(name: &str, byte: u8) -> bool {
    let base64 = byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    let escaped = byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
    match name {
        "skipper" | "traefik" | "traefik-2.9.1" | "tower-client-cert" => base64 || byte == b',',
        "rfc9440" => base64 || b":, ".contains(&byte),
        "nginx" | "aws-alb" => escaped,
        "apache" => base64 || b"- ".contains(&byte),
        "traefik-info" => escaped || byte == b'+',
        // Text of the certificate: printable ASCII.
        "envoy" | "envoy with Chain" | "envoy appending" | "envoy's JSON" | "ingress-nginx"
        | "aws-alb-verify" | "google-cloud" | "cloudfront" | "azure-app-gateway" | "puppet" | "kong"
        | "nginx-variables" | "cloudflare-rfc9440" => (b' '..=b'~').contains(&byte),
        _ => base64,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn i7_no_encoder_leaves_its_alphabet_whatever_the_certificate_says(leaf in hostile_certificate()) {
        let chain = [leaf.clone(), leaf];
        let info = AnyDialect::NAMES.iter().filter(|name| **name == "traefik-info");
        let info = info.map(|name| (Box::new(name.parse::<AnyDialect>().unwrap()) as Box<dyn Dialect>, true, (*name).to_owned()));
        for (dialect, whole, name) in readable().into_iter().chain(info) {
            let headers = encode(&*dialect, &chain, VerifyStatus::Success);
            for (header, value) in headers.iter().filter(|(header, _)| !header.as_str().ends_with("-verify")) {
                let stray = value.as_bytes().iter().find(|byte| !alphabet(&name, **byte));
                prop_assert!(stray.is_none() || header == "ssl_client_verify", "{}: {:?} in {:?}", name, stray, value);
            }
            let too_large = headers.values().any(|value| value.len() > 64 * 1024);
            match dialect.decode(&headers) {
                Ok(read) => prop_assert_eq!(read.unwrap().certificates.len(), if whole { 2 } else { 1 }),
                Err(error) => prop_assert!(too_large || name == "traefik-info", "{}: {}", name, error),
            }
        }
    }

    /// No name ends up in a field of another kind, or in an element of its own.
    #[test]
    fn i7_names_stay_in_their_fields(leaf in hostile_certificate()) {
        use tower_client_cert::dialect::Limits;
        use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

        let headers = encode(&Envoy::new(), std::slice::from_ref(&leaf), VerifyStatus::Success);
        let envoy = Envoy::new().with_limits(Limits::new().max_value_size(1 << 20));
        let read = envoy.decode(&headers).unwrap().unwrap().details;
        let (_, parsed) = X509Certificate::from_der(&leaf).unwrap();
        let names = parsed.subject_alternative_name().unwrap();
        let names: Vec<_> = names.iter().flat_map(|names| &names.value.general_names).collect();
        let graphic = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        let uris = names.iter().filter_map(|name| match name { GeneralName::URI(uri) => Some(*uri), _ => None });
        let dns = names.iter().filter_map(|name| match name { GeneralName::DNSName(dns) => Some(*dns), _ => None });
        prop_assert_eq!(read.uris, uris.filter(graphic).collect::<Vec<_>>());
        prop_assert_eq!(read.dns_names, dns.filter(graphic).collect::<Vec<_>>());
        prop_assert!(read.by.is_empty());
    }
}

/// A value with some bytes replaced, inserted or removed.
fn damaged(value: String) -> impl Strategy<Value = String> {
    let change = (any::<Index>(), 0..3_u8, proptest::sample::select(b"AQgw+/=,:;% \"\\aZ0-9.\n*?".to_vec()));
    proptest::collection::vec(change, 0..3).prop_map(move |changes| {
        let mut bytes = value.clone().into_bytes();
        for (at, kind, byte) in changes {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        String::from_utf8(bytes).unwrap()
    })
}

/// Reads a damaged value, and if it is accepted, writes it again.
fn rewritten(dialect: &dyn Dialect, header: &'static str, value: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(header, HeaderValue::from_str(value).ok()?);
    let read = dialect.decode(&headers).ok()??;
    (!read.certificates.is_empty()).then(|| encode(dialect, &read.certificates, VerifyStatus::Success))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn i8_what_was_read_is_written_again(
        list in damaged(std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/data/traefik-two.value")).unwrap()),
        base64 in damaged(value("b64der.leaf")),
        spaced in damaged(value("apache.SSL_CLIENT_CERT").trim_end().to_owned()),
        percent in damaged(value("nginx.ssl_client_escaped_cert")),
        concatenated in damaged(value("haproxy.ssl_c_chain_der_base64.intermediate+root")),
    ) {
        if let Some(again) = rewritten(&Skipper::new(), "x-forwarded-tls-client-cert", &list) {
            prop_assert_eq!(again["x-forwarded-tls-client-cert"].as_bytes(), list.as_bytes());
        }
        if let Some(again) = rewritten(&Base64Der::azure(), "x-arr-clientcert", &base64) {
            prop_assert_eq!(again["x-arr-clientcert"].as_bytes(), base64.as_bytes());
        }
        if let Some(again) = rewritten(&Apache::new(), "ssl_client_cert", &spaced) {
            prop_assert_eq!(again["ssl_client_cert"].to_str().unwrap(), spaced.trim_end());
        }
        if let Some(again) = rewritten(&Nginx::new(), "x-ssl-client-cert", &percent) {
            // Other bytes may be escaped, or fewer; what they stand for is the same.
            let decoded = |value: &str| percent_encoding::percent_decode_str(value).collect::<Vec<u8>>();
            prop_assert_eq!(decoded(again["x-ssl-client-cert"].to_str().unwrap()), decoded(&percent));
        }
        let mut headers = HeaderMap::new();
        headers.insert("x-ssl-client-cert", HeaderValue::from_str(&value("b64der.leaf")).unwrap());
        if let Ok(concatenated) = HeaderValue::from_str(&concatenated) {
            headers.insert("x-ssl-client-chain", concatenated.clone());
            if let Ok(Some(read)) = HaProxy::new().decode(&headers) {
                let again = encode(&HaProxy::new(), &read.certificates, VerifyStatus::Success);
                let quoted = concatenated.as_bytes().starts_with(b"\"");
                prop_assert!(quoted || concatenated.is_empty() || again["x-ssl-client-chain"] == concatenated);
            }
        }
    }
}

/// The bytes of a list's or an item's byte sequences, if it is made of nothing else.
fn sfv_item(value: &str) -> Option<Vec<u8>> {
    let item: Item = Parser::new(value).with_version(Version::Rfc8941).parse().ok()?;
    match item.bare_item {
        BareItem::ByteSequence(bytes) => Some(bytes),
        _ => None,
    }
}

fn sfv_list(value: &str) -> Option<Vec<Vec<u8>>> {
    let list: List = Parser::new(value).with_version(Version::Rfc8941).parse().ok()?;
    list.into_iter()
        .map(|entry| match entry {
            ListEntry::Item(Item { bare_item: BareItem::ByteSequence(bytes), .. }) => Some(bytes),
            _ => None,
        })
        .collect()
}

/// Small certificates in structured fields that are nearly right.
fn field() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        ":MAA=:",
        ":MAA:",
        ":MAB=:",
        ":MAIFAA==:",
        ":MAIFAA:",
        "::",
        ":",
        ":MQA=:",
        ",",
        ", ",
        " ,\t",
        "  ",
        "\t",
        ";a",
        ";a=1",
        ";a=-12.345",
        ";a=1.",
        ";a=1234567890123456",
        ";a=1234567890123.1",
        ";*a=\"b\\\"\"",
        ";a=\"",
        ";a=\"\\a\"",
        ";a=?1",
        ";a=?2",
        ";a=tok/en:*",
        ";a=:AA==:",
        ";a=:A:",
        ";A",
        "; a",
        " ;a",
        ";a =1",
        ";a=@1",
        ";a=",
        "a",
        "?1",
        "(:MAA=:)",
    ]);
    let pieces = proptest::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat());
    prop_oneof![pieces, damaged(":MAIFAA==:;a=1;b=\"c\\\\\";c=?0, :MAA=:".to_owned())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn i8_rfc_9440_is_read_as_the_structured_fields_crate_reads_it(leaf in field(), chain in field()) {
        let certificate = |der: &Vec<u8>| matches!(der.as_slice(), [0x30, 0] | [0x30, 2, _, _]);
        let read = |lines: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_str(value).ok()?);
            }
            let read = Rfc9440::new().decode(&headers).ok()??;
            Some(read.certificates.iter().map(|der| der.to_vec()).collect::<Vec<_>>())
        };
        let tame = |value: &str| HeaderValue::from_str(value).is_ok();
        if tame(&leaf) {
            let expected = sfv_item(&leaf).filter(certificate).map(|der| vec![der]);
            prop_assert_eq!(read(&[("client-cert", &leaf)]), expected, "{}", leaf);
        }
        if tame(&chain) {
            let expected = sfv_list(&chain).filter(|list| list.iter().all(certificate));
            let read = read(&[("client-cert", ":MAA=:"), ("client-cert-chain", &chain)]).map(|mut all| all.split_off(1));
            prop_assert_eq!(read, expected, "{}", chain);
        }
    }
}

#[test]
fn i8_what_rfc_9440_writes_the_structured_fields_crate_writes_too() {
    let certificates = chain("rfc9440-chain.pem");
    let headers = encode(&Rfc9440::new(), &certificates, VerifyStatus::Success);
    let item = Item::new(BareItem::ByteSequence(certificates[0].to_vec()));
    assert_eq!(headers["client-cert"], sfv::FieldType::serialize(&item));
    let list: List = certificates[1..]
        .iter()
        .map(|der| ListEntry::Item(Item::new(BareItem::ByteSequence(der.to_vec()))))
        .collect();
    assert_eq!(headers["client-cert-chain"], sfv::FieldType::serialize(&list).unwrap());
}
