//! Bytes that nobody should send are refused, with an error that says where and why.

use http::HeaderMap;
use tower_client_cert::dialect::{
    Apache, AwsAlb, Base64Der, DecodeErrorKind, Dialect, HaProxy, Limits, Nginx, Outgoing, Rfc9440, Skipper,
    TowerClientCert, VerifyStatus,
};

use super::{named, wrong};
use crate::vectors::{WITH_CHAIN, chain, map, value};

#[test]
fn i8_absent_empty_null_twice_and_malformed_are_different_answers() {
    use DecodeErrorKind::{Duplicated, Empty, Null};
    let headers = [
        ("skipper", "x-forwarded-tls-client-cert"),
        ("envoy", "x-forwarded-client-cert"),
        ("nginx", "x-ssl-client-cert"),
        ("aws-alb", "x-amzn-mtls-clientcert"),
        ("aws-alb-verify", "x-amzn-mtls-clientcert-leaf"),
    ];
    for (name, header) in headers {
        let dialect = named(name);
        assert_eq!(wrong(&dialect, &[(header, "")]), Empty, "{name}");
        assert_eq!(wrong(&dialect, &[(header, "(null)")]), Null, "{name}");
        assert_eq!(wrong(&dialect, &[(header, "a"), (header, "a")]), Duplicated, "{name}");
        assert!(!matches!(wrong(&dialect, &[(header, "?")]), Empty | Null | Duplicated), "{name}");
    }
    assert_eq!(wrong(&Base64Der::azure(), &[("x-arr-clientcert", "(null)")]), Null);
    assert_eq!(wrong(&HaProxy::new(), &[("x-ssl-client-cert", "(null)")]), Null);
    assert_eq!(wrong(&Apache::new(), &[("ssl_client_cert", "")]), Empty);
}

#[test]
fn i8_what_is_not_one_der_sequence_is_no_certificate() {
    // Not a SEQUENCE; cut short; with a byte too many; of a length written in two ways; of BER's indefinite length.
    let cases =
        [&[0x31, 0][..], &[0x30, 1], &[0x30, 0, 0], &[0x30, 0x81, 1, 0], &[0x30, 0x80, 0, 0], &[0x30], &[]];
    for der in cases {
        use base64::Engine as _;
        let base64 = base64::engine::general_purpose::STANDARD.encode(der);
        let pem = pem::encode_config(
            &pem::Pem::new("CERTIFICATE", der),
            pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
        );
        let escaped = pem.replace('\n', "%0A").replace(' ', "%20").replace('=', "%3D");
        let field = format!(":{base64}:");
        let expected = |kind| matches!(kind, DecodeErrorKind::Der | DecodeErrorKind::Empty);
        assert!(expected(wrong(&Skipper::new(), &[("x-forwarded-tls-client-cert", &base64)])), "{der:?}");
        assert!(expected(wrong(&Rfc9440::new(), &[("client-cert", &field)])), "{der:?}");
        assert!(expected(wrong(&Nginx::new(), &[("x-ssl-client-cert", &escaped)])), "{der:?}");
        assert!(
            expected(wrong(&Apache::new(), &[("ssl_client_cert", &pem.trim_end().replace('\n', " "))])),
            "{der:?}"
        );
    }
}

#[test]
fn i8_pem_is_read_only_as_it_is_written() {
    let good = value("nginx.ssl_client_escaped_cert");
    let leaf = |value: &str| Nginx::new().decode(&map(&[("x-ssl-client-cert", value)])).map(drop);
    assert!(leaf(&good).is_ok());
    for (what, bad) in [
        ("two certificates", format!("{good}{good}")),
        ("no line feed at the end", good.trim_end_matches("%0A").to_owned()),
        ("text in front", format!("a%0A{good}")),
        ("text behind", format!("{good}a")),
        ("a space", good.replacen("%20", " ", 1)),
        ("plus for space", good.replacen("%20", "+", 1)),
        ("a percent sign alone", format!("{good}%")),
        ("half an escape", good.replacen("%0A", "%0", 1)),
        ("CRLF", good.replace("%0A", "%0D%0A")),
        ("one long line", {
            let (begin, rest) = good.split_at("-----BEGIN%20CERTIFICATE-----%0A".len());
            let (body, end) = rest.split_at(rest.find("-----END").unwrap());
            format!("{begin}{}%0A{end}", body.replace("%0A", ""))
        }),
        ("another kind of block", good.replace("CERTIFICATE", "X509%20CRL")),
        ("nginx's $ssl_client_cert", value("nginx.ssl_client_cert.legacy-folded").replace('\n', " ")),
    ] {
        let error = leaf(&bad).expect_err(what);
        assert!(error.offset() <= bad.len(), "{what}: {error}");
    }
}

#[test]
fn an_error_names_the_header_the_byte_and_whose_dialect_it_looks_like() {
    let nginx = value("nginx.ssl_client_escaped_cert");
    let error = Rfc9440::new().decode(&map(&[("client-cert", &nginx)])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "header `client-cert`, byte 0: not a structured field: no `:` in front of the base64; \
         it looks like the dialect of nginx, ingress-nginx or aws-alb"
    );

    let values = [
        (
            "skipper",
            std::fs::read_to_string(format!("{}/data/traefik-two.value", env!("CARGO_MANIFEST_DIR")))
                .unwrap(),
        ),
        ("rfc9440", value("rfc9440.client-cert")),
        ("nginx", nginx),
        ("apache", value("apache.SSL_CLIENT_CERT").trim_end().to_owned()),
        ("haproxy", value("b64der.leaf")),
        ("traefik-2.9.1", value("traefik-le-2.9.1.leaf.escaped")),
        ("traefik-info", value("traefik.info-minimalCheeseCrt")),
        ("envoy", value("envoy-doc-example-1")),
    ];
    for reader in ["skipper", "rfc9440", "nginx", "apache", "aspnet-core", "envoy", "aws-alb"] {
        let dialect = named(reader);
        let header = dialect.header_names()[0].as_str();
        for (writer, value) in &values {
            let Err(error) = dialect.decode(&map(&[(header, value)])) else { continue };
            let hint = error.looks_like();
            let own = matches!((reader, *writer), ("envoy", "envoy") | ("skipper", "skipper"));
            assert_eq!(
                hint.is_some_and(|hint| hint.contains(writer)),
                !own,
                "{writer} read as {reader}: {error}"
            );
        }
    }

    // The byte is never past the value's end.
    let error =
        Apache::new().decode(&map(&[("ssl_client_cert", "-----BEGIN CERTIFICATE-----")])).unwrap_err();
    assert_eq!(error.offset(), "-----BEGIN CERTIFICATE-----".len());

    // The byte is one of the value as it came, escapes and all.
    let value = value("nginx.ssl_client_escaped_cert");
    let cut = value.len() - "%0A".len();
    let error = AwsAlb::passthrough()
        .decode(&map(&[("x-amzn-mtls-clientcert", &format!("{value}{}", &value[..cut]))]));
    let error = error.unwrap_err();
    assert_eq!(error.offset(), value.len() + "-----BEGIN%20CERTIFICATE-----%0A".len());
    assert!(matches!(error.kind(), DecodeErrorKind::Pem(_)), "{error}");
}

#[test]
fn limits_are_kept_before_anything_is_decoded() {
    let certificates = chain("rfc9440-chain.pem");
    let limits = Limits::new().max_certificates(2);
    let refused = |dialect: &dyn Dialect| {
        let mut headers = HeaderMap::new();
        dialect.encode(&Outgoing::new(&certificates, VerifyStatus::Success), &mut headers);
        let error = dialect.decode(&headers).unwrap_err();
        assert_eq!(*error.kind(), DecodeErrorKind::TooManyCertificates { max: 2 }, "{error}");
    };
    refused(&Skipper::new().with_limits(limits));
    refused(&Rfc9440::new().with_limits(limits));
    refused(&Apache::new().with_limits(limits));
    refused(&HaProxy::new().with_limits(limits));
    refused(&HaProxy::new().chain_in_headers().with_limits(limits));
    refused(&AwsAlb::passthrough().with_limits(limits));
    for name in WITH_CHAIN {
        refused(&named(name).with_limits(limits));
    }

    let limits = Limits::new().max_value_size(100);
    let garbage = "!".repeat(101);
    let too_large = DecodeErrorKind::TooLarge { max: 100 };
    assert_eq!(
        wrong(&Skipper::new().with_limits(limits), &[("x-forwarded-tls-client-cert", &garbage)]),
        too_large
    );
    assert_eq!(wrong(&Nginx::new().with_limits(limits), &[("x-ssl-client-cert", &garbage)]), too_large);
    assert_eq!(wrong(&Base64Der::caddy().with_limits(limits), &[("x-client-cert", &garbage)]), too_large);
    // A chain in several lines counts as one value.
    let line = format!(":{}:", "A".repeat(60));
    let lines = [
        ("client-cert", ":MAA=:"),
        ("client-cert-chain", line.as_str()),
        ("client-cert-chain", line.as_str()),
    ];
    assert_eq!(wrong(&Rfc9440::new().with_limits(limits), &lines), too_large);
}

#[test]
fn what_contradicts_itself_is_refused() {
    let contradiction = |dialect: &dyn Dialect, lines: &[(&str, &str)]| {
        let error = dialect.decode(&map(lines)).unwrap_err();
        assert!(matches!(error.kind(), DecodeErrorKind::Contradiction(_)), "{error}");
    };
    let leaf = value("rfc9440.client-cert");
    contradiction(&Rfc9440::new(), &[("client-cert-chain", &leaf)]);
    contradiction(&TowerClientCert::new(), &[("x-forwarded-tls-client-cert-verify", "SUCCESS")]);
    let nginx = value("nginx.ssl_client_escaped_cert");
    contradiction(&Nginx::new(), &[("x-ssl-client-cert", &nginx), ("x-ssl-client-verify", "NONE")]);
    let apache = value("apache.SSL_CLIENT_CERT");
    contradiction(&Apache::new(), &[("ssl_client_cert_chain_0", apache.trim_end())]);
    let base64 = value("b64der.leaf");
    contradiction(&HaProxy::new(), &[("x-ssl-client-chain", &base64)]);
    // nginx may keep the certificate to itself.
    let verdict = Nginx::ingress().decode(&map(&[("ssl-client-verify", "SUCCESS")])).unwrap().unwrap();
    assert_eq!((verdict.status, verdict.certificates), (Some(VerifyStatus::Success), vec![]));
}
