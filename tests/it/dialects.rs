//! Every dialect against the bytes of the proxies it is named after, and against bytes nobody should send.

use std::convert::Infallible;

use axum::body::Body;
use clap::Parser as _;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_client_cert::dialect::{
    AnyDialect, Apache, AwsAlb, Base64Der, DecodeErrorKind, Dialect, ForwardedCert, HaProxy, Limits, Nginx,
    Outgoing, Rfc9440, Skipper, TowerClientCert, VerifyStatus,
};
use tower_client_cert::{ClientCertLayer, PeerCertificates, TlsConnectInfo};

pub(crate) fn value(file: &str) -> String {
    let path = format!("{}/tests/data/dialects/{file}.value", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn chain(file: &str) -> Vec<CertificateDer<'static>> {
    let path = format!("{}/tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
    CertificateDer::pem_file_iter(path).unwrap().collect::<Result<_, _>>().unwrap()
}

pub(crate) fn map(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

pub(crate) fn encode(
    dialect: &dyn Dialect,
    chain: &[CertificateDer<'static>],
    status: VerifyStatus,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    dialect.encode(&Outgoing::new(chain, status), &mut headers);
    headers
}

fn named(name: &str) -> AnyDialect {
    name.parse().unwrap()
}

/// The dialects that carry the whole chain.
pub(crate) const WITH_CHAIN: [&str; 8] =
    ["skipper", "traefik", "traefik-2.9.1", "tower-client-cert", "rfc9440", "apache", "haproxy", "aws-alb"];

/// What is wrong with these headers.
fn wrong(dialect: &impl Dialect, lines: &[(&str, &str)]) -> DecodeErrorKind {
    dialect.decode(&map(lines)).expect_err("refused").kind().clone()
}

/// Dialect, header, vector, and which of the three certificates of the RFC's chain are in it.
const VECTORS: [(&str, &str, &str, &[usize]); 12] = [
    ("rfc9440", "client-cert", "rfc9440.client-cert", &[0]),
    ("rfc9440", "client-cert-chain", "rfc9440.client-cert-chain", &[1, 2]),
    ("rfc9440", "client-cert-chain", "rfc9440.client-cert-chain.intermediate-only", &[1]),
    ("nginx", "x-ssl-client-cert", "nginx.ssl_client_escaped_cert", &[0]),
    ("ingress-nginx", "ssl-client-cert", "nginx.ssl_client_escaped_cert", &[0]),
    ("apache", "ssl_client_cert", "apache.SSL_CLIENT_CERT", &[0]),
    ("apache", "ssl_client_cert_chain_0", "apache.SSL_CLIENT_CERT_CHAIN_0", &[1]),
    ("haproxy", "x-ssl-client-cert", "b64der.leaf", &[0]),
    ("haproxy", "x-ssl-client-chain", "haproxy.ssl_c_chain_der_base64.intermediate+root", &[1, 2]),
    ("aspnet-core", "x-client-cert", "b64der.leaf", &[0]),
    ("azure", "x-arr-clientcert", "b64der.leaf", &[0]),
    ("cloudflare", "cf-client-cert-der-base64", "b64der.leaf", &[0]),
];

#[test]
fn every_encoder_writes_its_proxys_bytes() {
    let certificates = chain("rfc9440-chain.pem");
    for (dialect, header, file, which) in VECTORS {
        let last = which.iter().max().unwrap();
        let headers = encode(&named(dialect), &certificates[..=*last], VerifyStatus::Success);
        // Apache's final line feed is a space at the end of the value, which the next parser trims.
        assert_eq!(headers[header], value(file).trim_end(), "{dialect}: {header}");
    }
}

#[test]
fn every_decoder_reads_what_its_encoder_wrote() {
    let certificates = chain("rfc9440-chain.pem");
    for name in AnyDialect::NAMES.iter().filter(|name| **name != "traefik-info") {
        for length in 0..=3 {
            let dialect = named(name);
            let headers = encode(
                &dialect,
                &certificates[..length],
                match length {
                    0 => VerifyStatus::None,
                    _ => VerifyStatus::Success,
                },
            );
            for header in headers.keys() {
                assert!(dialect.header_names().contains(header), "{name} owns {header}");
            }
            let read = dialect.decode(&headers).unwrap_or_else(|error| panic!("{name}: {error}"));
            let read = read.map(|read| read.certificates).unwrap_or_default();
            let leaf_only = !WITH_CHAIN.contains(name);
            assert_eq!(read, certificates[..if leaf_only { length.min(1) } else { length }], "{name}");
        }
    }
}

#[test]
fn the_variants_of_real_proxies_are_read_where_they_are_named() {
    let certificates = chain("rfc9440-chain.pem");
    let leaf = &certificates[..1];
    let read = |dialect: &dyn Fn(&HeaderMap) -> ForwardedCert, lines: &[(&str, &str)]| {
        dialect(&map(lines)).certificates
    };

    let escaped = value("traefik-le-2.9.1.leaf.escaped");
    let traefik = [("x-forwarded-tls-client-cert", escaped.as_str())];
    let old = Skipper::new().accept_escaped_items();
    assert_eq!(read(&|headers| old.decode(headers).unwrap().unwrap(), &traefik), leaf);
    assert!(matches!(wrong(&Skipper::new(), &traefik), DecodeErrorKind::Base64(_)));

    // Today's Traefik, from its own integration test.
    let new = value("traefik.pem-integration");
    assert!(named("traefik").decode(&map(&[("x-forwarded-tls-client-cert", &new)])).unwrap().is_some());

    // AWS may leave `+`, `=` and `/` as they are.
    let literal = value("aws-alb.clientcert.leaf+intermediate+root.plus-slash-eq-literal");
    let aws = [("x-amzn-mtls-clientcert", literal.as_str())];
    assert_eq!(read(&|headers| AwsAlb::passthrough().decode(headers).unwrap().unwrap(), &aws), certificates);
    let literal = value("aws-alb.clientcert-leaf.plus-slash-eq-literal");
    let aws = [("x-amzn-mtls-clientcert-leaf", literal.as_str())];
    assert_eq!(read(&|headers| AwsAlb::verify().decode(headers).unwrap().unwrap(), &aws), leaf);

    // HAProxy's `%{+Q}`.
    let quoted = format!("\"{}\"", value("b64der.leaf"));
    let haproxy = [("x-ssl-client-cert", quoted.as_str())];
    assert_eq!(read(&|headers| HaProxy::new().decode(headers).unwrap().unwrap(), &haproxy), leaf);

    // Apache's trailing space, where HTTP/2 has kept it.
    let spaced = format!("{} ", value("apache.SSL_CLIENT_CERT").trim_end());
    let apache = [("ssl_client_cert", spaced.as_str())];
    assert_eq!(read(&|headers| Apache::new().decode(headers).unwrap().unwrap(), &apache), leaf);
}

#[test]
fn the_words_of_each_proxy_for_no_certificate_are_understood() {
    let nothing = |dialect: &dyn Dialect, lines: &[(&str, &str)]| {
        let read = dialect.decode(&map(lines)).unwrap().expect("the proxy said something");
        assert_eq!(read.certificates, []);
        read.status
    };
    assert_eq!(
        nothing(&TowerClientCert::new(), &[("x-forwarded-tls-client-cert-verify", "NONE")]),
        Some(VerifyStatus::None)
    );
    assert_eq!(nothing(&Nginx::new(), &[("x-ssl-client-verify", "NONE")]), Some(VerifyStatus::None));
    assert_eq!(
        nothing(&HaProxy::new(), &[("x-ssl-client-cert", ""), ("x-ssl-client-verify", "0")]),
        Some(VerifyStatus::None)
    );
    assert_eq!(nothing(&Base64Der::caddy(), &[("x-client-cert", "")]), None);
    let apache =
        [("ssl_client_cert", "(null)"), ("ssl_client_cert_chain_0", "(null)"), ("ssl_client_verify", "NONE")];
    assert_eq!(nothing(&Apache::new(), &apache), Some(VerifyStatus::None));
    // And nothing at all is not the same as that.
    for name in AnyDialect::NAMES {
        assert_eq!(named(name).decode(&map(&[("host", "a")])), Ok(None), "{name}");
    }
}

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
            std::fs::read_to_string(format!("{}/tests/data/traefik-two.value", env!("CARGO_MANIFEST_DIR")))
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

#[test]
fn a_verdict_is_read_word_for_word() {
    let status = |value: &str| {
        Nginx::new().decode(&map(&[("x-ssl-client-verify", value)])).map(|read| read.unwrap().status)
    };
    let failed = |reason: &str| Ok(Some(VerifyStatus::Failed(reason.to_owned().into())));
    assert_eq!(status("FAILED:certificate has expired"), failed("certificate has expired"));
    for bad in ["success", "SUCCESS ", "FAILED ", "failed", "OK", "0", "FAILED:\t"] {
        assert_eq!(status(bad).unwrap_err().kind(), &DecodeErrorKind::Status, "{bad}");
    }
    let generous = Apache::new().decode(&map(&[("ssl_client_verify", "GENEROUS")])).unwrap().unwrap();
    assert_eq!(Ok(generous.status), failed("GENEROUS"));

    let leaf = value("b64der.leaf");
    let haproxy = |code: &str| {
        HaProxy::new()
            .decode(&map(&[("x-ssl-client-cert", &leaf), ("x-ssl-client-verify", code)]))
            .map(|read| read.unwrap().status)
    };
    assert_eq!(haproxy("0"), Ok(Some(VerifyStatus::Success)));
    assert_eq!(haproxy("10"), failed("certificate has expired"));
    assert_eq!(haproxy("99"), failed("verify error 99"));
    for bad in ["00", "-1", "+1", "SUCCESS", "65536"] {
        assert_eq!(haproxy(bad).unwrap_err().kind(), &DecodeErrorKind::VerifyCode, "{bad}");
    }
}

#[test]
fn keycloak_gets_haproxys_chain_in_a_header_each() {
    let certificates = chain("rfc9440-chain.pem");
    let names = ["ssl-cert", "ssl-chain", "ssl-verify"].map(|name| name.parse().unwrap());
    let [leaf, prefix, verify] = names;
    let dialect = HaProxy::with_names(leaf, prefix, verify).chain_in_headers();
    let headers = encode(&dialect, &certificates, VerifyStatus::Success);
    assert_eq!(headers.len(), 4);
    assert_eq!(headers["ssl-cert"], value("b64der.leaf"));
    assert!(headers.contains_key("ssl-chain_0") && headers.contains_key("ssl-chain_1"));
    assert_eq!(dialect.decode(&headers).unwrap().unwrap().certificates, certificates);
}

#[test]
fn a_dialect_is_chosen_by_a_flag() {
    #[derive(clap::Parser)]
    struct Flags {
        #[arg(long, default_value_t)]
        dialect: AnyDialect,
    }
    assert_eq!(Flags::parse_from(["test"]).dialect.name(), "skipper");
    assert_eq!(Flags::parse_from(["test", "--dialect", "envoy"]).dialect.name(), "envoy");
    let Err(error) = Flags::try_parse_from(["test", "--dialect", "nginxx"]) else { panic!("refused") };
    let error = error.to_string();
    assert!(error.contains("ingress-nginx") && error.contains("cloud-foundry"), "{error}");
}

/// The headers behind two layers, the first of which is outside.
async fn behind<A, B>(
    outer: ClientCertLayer<A>,
    inner: ClientCertLayer<B>,
    request: Request<Body>,
) -> HeaderMap
where
    A: Dialect,
    B: Dialect,
{
    let service = inner.layer(service_fn(|request: Request<_>| async move {
        Ok::<_, Infallible>(Response::new(request.headers().clone()))
    }));
    outer.layer(service).oneshot(request).await.unwrap().into_body()
}

#[tokio::test]
async fn i1_two_dialects_at_once_are_both_stripped_and_both_written() {
    let certificates = chain("rfc9440-chain.pem");
    let request = |peer: Option<PeerCertificates>| {
        let mut request = Request::get("/")
            .header("client-cert", ":MAA=:")
            .header("Client_Cert_Chain", ":MAA=:")
            .header("x-forwarded-tls-client-cert", "MAA=")
            .header("x-forwarded-tls-client-cert-verify", "SUCCESS")
            .body(Body::empty())
            .unwrap();
        request.extensions_mut().insert(TlsConnectInfo::new(peer));
        request
    };
    let skipper = ClientCertLayer::new;
    let rfc9440 = || ClientCertLayer::with_dialect(Rfc9440::new()).forward_unverified();

    let peer = PeerCertificates::unverified(certificates.clone());
    for headers in [
        behind(skipper(), rfc9440(), request(peer.clone())).await,
        behind(rfc9440(), skipper(), request(peer.clone())).await,
    ] {
        assert_eq!(headers.len(), 4, "{headers:?}");
        assert_eq!(Skipper::new().decode(&headers).unwrap().unwrap().certificates, certificates);
        assert_eq!(Rfc9440::new().decode(&headers).unwrap().unwrap().certificates, certificates);
    }
    let headers = behind(skipper(), rfc9440(), request(None)).await;
    assert_eq!(headers, map(&[("x-forwarded-tls-client-cert-verify", "NONE")]));
}

#[tokio::test]
async fn unverified_certificates_are_written_only_where_their_own_proxy_does() {
    let peer = PeerCertificates::unverified(chain("rfc9440-chain.pem"));
    for name in AnyDialect::NAMES {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(TlsConnectInfo::new(peer.clone()));
        let layer = ClientCertLayer::with_dialect(named(name));
        let headers = layer.layer(service_fn(|request: Request<_>| async move {
            Ok::<_, Infallible>(Response::new(request.headers().clone()))
        }));
        let headers = headers.oneshot(request).await.unwrap().into_body();
        let written = headers.values().any(|value| value.len() > 200);
        let expected = ["skipper", "traefik", "tower"].iter().any(|start| name.starts_with(start));
        assert_eq!(written, expected, "{name}: {headers:?}");
    }
}

#[test]
fn vary_is_added_once_and_hidden_from_caches_in_front() {
    let shielded = |value: &str| {
        let mut response = map(&[("vary", "origin"), ("vary", value)]);
        Rfc9440::shield_caches(&mut response);
        response.get_all("vary").iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(shielded("Client-Cert"), ["*"]);
    assert_eq!(shielded("accept , client-cert-chain"), ["*"]);
    assert_eq!(shielded("client-certs"), ["origin", "client-certs"]);

    let mut response = map(&[("vary", "origin, CLIENT-CERT")]);
    Rfc9440::vary(&mut response);
    assert_eq!(response.get_all("vary").iter().count(), 1);
}
