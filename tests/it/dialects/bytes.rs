//! The bytes of the proxies that the dialects are named after are written, and read.

use http::HeaderMap;
use tower_client_cert::dialect::{
    AnyDialect, Apache, AwsAlb, Base64Der, DecodeErrorKind, Dialect, ForwardedCert, HaProxy, Nginx, Skipper,
    TowerClientCert, VerifyStatus,
};

use super::{named, wrong};
use crate::vectors::{WITH_CHAIN, WITHOUT_CERTIFICATE, chain, encode, map, value};

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
    for name in AnyDialect::NAMES.iter().filter(|name| !WITHOUT_CERTIFICATE.contains(name)) {
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
