//! "No certificate", in the words of every proxy: absent, empty, empty beside what is full, and twice.

use http::{HeaderMap, HeaderValue};
use tower_client_cert::dialect::{AnyDialect, DecodeErrorKind, Dialect, Envoy, HaProxy, VerifyStatus};
use tower_client_cert::forwarded::{ForwardedClientCertError, ForwardedClientCertLayer, Hop, TrustedProxies};

use crate::vectors::{chain, encode, map, value};

/// What the backend is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Nothing at all.
    Absent,
    /// That there is no certificate.
    NotPresented,
    /// A verdict, and no certificate.
    Withheld,
    /// A certificate, and no verdict.
    Unjudged,
    Failed,
    Verified,
    /// Malformed, as the next four are.
    Empty,
    Twice,
    Contradiction,
    WriteOnly,
    Malformed,
}
use Answer::{
    Absent, Contradiction, Empty, Failed, Malformed, NotPresented, Twice, Unjudged, Verified, Withheld,
    WriteOnly,
};

fn answer<D: Dialect>(dialect: D, headers: &HeaderMap) -> Answer {
    let everybody = TrustedProxies::none().trust_whoever_can_connect();
    match ForwardedClientCertLayer::new(dialect, everybody).read(&Hop::unknown(), headers) {
        Ok(client) => match client.status() {
            None => Unjudged,
            Some(VerifyStatus::Success) => Verified,
            Some(_) => Failed,
        },
        Err(ForwardedClientCertError::Absent) => Absent,
        Err(ForwardedClientCertError::NotPresented) => NotPresented,
        Err(ForwardedClientCertError::Withheld { .. }) => Withheld,
        Err(ForwardedClientCertError::Malformed(error)) => match error.kind() {
            DecodeErrorKind::Empty => Empty,
            DecodeErrorKind::Duplicated => Twice,
            DecodeErrorKind::Contradiction(_) => Contradiction,
            DecodeErrorKind::WriteOnly => WriteOnly,
            _ => Malformed,
        },
        Err(error) => panic!("{error}"),
    }
}

/// Dialects; one of their headers, or several by their start; the answer if it alone is there and empty, if it is empty
/// and the others are full, if it is there twice beside them; and why.
type Row = (&'static [&'static str], &'static str, Answer, Answer, Answer, &'static str);

const SKIPPER: &[&str] = &["skipper", "traefik", "traefik-2.9.1"];

const GOOGLE: &[&str] = &["google-cloud"];
const AZURE: &[&str] = &["azure-app-gateway"];
const CLOUDFLARE: &[&str] = &["cloudflare-rfc9440"];

/// The presets of `Fields`.
const PRESETS: &[Row] = &[
    (GOOGLE, "x-client-cert-serial-number", Absent, Verified, Verified, "not read"),
    (GOOGLE, "x-client-cert-chain-verified", NotPresented, Empty, Twice, "Google says true or false"),
    (GOOGLE, "x-client-cert-leaf", NotPresented, Contradiction, Twice, "Google blanks it with its chain"),
    (GOOGLE, "x-client-cert-", NotPresented, Verified, Twice, "Google sends what it has not got empty"),
    (&["cloudfront"], "cloudfront-viewer-cert-", Empty, Empty, Twice, "AWS sends none"),
    (CLOUDFLARE, "client-cert", NotPresented, Contradiction, Twice, "a rule blanks it with its chain"),
    (CLOUDFLARE, "client-cert-chain", NotPresented, Verified, Twice, "a flat PKI"),
    (CLOUDFLARE, "cf-cert-verified", NotPresented, Empty, Twice, "Cloudflare says true or false"),
    (CLOUDFLARE, "cf-cert-revoked", NotPresented, Failed, Twice, "verified includes revoked ones"),
    (AZURE, "x-client-certificate-verification", NotPresented, Empty, Twice, "Azure says NONE"),
    (AZURE, "x-client-certificate-serial", Absent, Verified, Verified, "not read"),
    (AZURE, "x-client-certificate-fingerprint", Absent, Verified, Verified, "not read"),
    (AZURE, "x-client-certificate-start-date", Absent, Verified, Verified, "not read"),
    (AZURE, "x-client-certificate-end-date", Absent, Verified, Verified, "not read"),
    (AZURE, "x-client-certificate", NotPresented, Verified, Twice, "names alone"),
    (AZURE, "x-client-certificate-", NotPresented, Verified, Twice, "a variable may be empty"),
    (&["puppet"], "x-client-", Empty, Empty, Twice, "nginx sends no header for an empty value"),
    (&["kong"], "x-client-cert-fingerprint", Absent, Unjudged, Unjudged, "not read"),
    (&["kong"], "x-client-", Empty, Empty, Twice, "Kong sends none"),
    (&["linkerd"], "l5d-client-id", Empty, Empty, Twice, "linkerd removes it"),
    (&["nginx-variables"], "x-ssl-client-fingerprint", Absent, Verified, Verified, "not read"),
    (&["nginx-variables"], "x-ssl-client-", Empty, Empty, Twice, "nginx sends no header for an empty value"),
];

const ROWS: &[Row] = &[
    (
        SKIPPER,
        "x-forwarded-tls-client-cert",
        Empty,
        Empty,
        Twice,
        "Go's Header.Set of at least one certificate",
    ),
    (SKIPPER, "x-forwarded-tls-client-cert-verify", Absent, Unjudged, Unjudged, "the client wrote it"),
    (
        &["tower-client-cert"],
        "x-forwarded-tls-client-cert",
        Empty,
        Empty,
        Twice,
        "ours is absent without one",
    ),
    (&["tower-client-cert"], "x-forwarded-tls-client-cert-verify", Empty, Empty, Twice, "ours says NONE"),
    (&["traefik-info"], "x-forwarded-tls-client-cert-info", WriteOnly, WriteOnly, Twice, "never read"),
    (
        &["rfc9440"],
        "client-cert",
        Absent,
        Empty,
        Twice,
        "Google and Cloudflare send it empty, then without a chain",
    ),
    (
        &["rfc9440"],
        "client-cert-chain",
        Absent,
        Unjudged,
        Unjudged,
        "an empty list is valid, and so are two lines",
    ),
    (&["envoy"], "x-forwarded-client-cert", Empty, Empty, Twice, "Envoy removes it"),
    (&["nginx"], "x-ssl-client-cert", Empty, Empty, Twice, "nginx sends no header for an empty value"),
    (&["nginx"], "x-ssl-client-verify", Empty, Empty, Twice, "the same, for plain HTTP"),
    (&["ingress-nginx"], "ssl-client-cert", Empty, Empty, Twice, "nginx sends no header for an empty value"),
    (&["ingress-nginx"], "ssl-client-verify", Empty, Empty, Twice, "the same, for plain HTTP"),
    (&["ingress-nginx"], "ssl-client-subject-dn", Empty, Verified, Verified, "not read beside a certificate"),
    (&["ingress-nginx"], "ssl-client-issuer-dn", Empty, Verified, Verified, "not read beside a certificate"),
    (&["apache"], "ssl_client_cert", Empty, Empty, Twice, "Apache says (null)"),
    (&["apache"], "ssl_client_verify", Empty, Empty, Twice, "Apache says NONE, and (null) for plain HTTP"),
    (&["apache"], "ssl_client_cert_chain_0", Contradiction, Empty, Twice, "Apache says (null)"),
    (&["apache"], "ssl_client_cert_chain_1", Contradiction, Empty, Twice, "Apache says (null)"),
    (
        &["haproxy"],
        "x-ssl-client-cert",
        NotPresented,
        Contradiction,
        Twice,
        "HAProxy sends it empty, then without a chain",
    ),
    (
        &["haproxy"],
        "x-ssl-client-chain",
        NotPresented,
        Verified,
        Twice,
        "HAProxy sends it empty on resumption",
    ),
    (
        &["haproxy"],
        "x-ssl-client-verify",
        NotPresented,
        Empty,
        Twice,
        "HAProxy sends it empty for plain HTTP only",
    ),
    (&["aws-alb"], "x-amzn-mtls-clientcert", Empty, Empty, Twice, "AWS sends none"),
    (&["aws-alb"], "x-amzn-mtls-clientcert-", Absent, Unjudged, Unjudged, "not of this mode, and not read"),
    (&["aws-alb-verify"], "x-amzn-mtls-clientcert-leaf", Empty, Empty, Twice, "AWS sends none"),
    (
        &["aws-alb-verify"],
        "x-amzn-mtls-clientcert",
        Absent,
        Unjudged,
        Unjudged,
        "not of this mode, and not read",
    ),
    (&["aws-alb-verify"], "x-amzn-mtls-clientcert-", Absent, Unjudged, Unjudged, "names are not read"),
    (
        &["base64-der", "aspnet-core", "caddy"],
        "x-client-cert",
        NotPresented,
        NotPresented,
        Twice,
        "Caddy sends it empty",
    ),
    (
        &["cloudflare"],
        "cf-client-cert-der-base64",
        NotPresented,
        NotPresented,
        Twice,
        "Cloudflare may send it empty",
    ),
    (&["azure"], "x-arr-clientcert", Empty, Empty, Twice, "Azure sends none"),
    (&["cloud-foundry"], "x-forwarded-client-cert", Empty, Empty, Twice, "gorouter removes it"),
];

/// The row for a header: its own, or the one for the start of its name.
fn row(dialect: &str, header: &str) -> &'static Row {
    let rows = || ROWS.iter().chain(PRESETS).filter(|(dialects, ..)| dialects.contains(&dialect));
    let own = rows().find(|(_, name, ..)| *name == header);
    let start = || rows().find(|(_, name, ..)| name.ends_with('-') && header.starts_with(name));
    own.or_else(start).unwrap_or_else(|| panic!("{dialect}: no row for {header}"))
}

#[test]
fn absent_empty_empty_beside_full_and_twice_have_an_answer_in_every_dialect() {
    let certificates = chain("rfc9440-chain.pem");
    for name in AnyDialect::NAMES {
        let dialect: AnyDialect = name.parse().unwrap();
        assert_eq!(answer(dialect.clone(), &HeaderMap::new()), Absent, "{name}");

        let full = encode(&dialect, &certificates, VerifyStatus::Success);
        // Apache has names for six more issuers than this chain has, which are all alike.
        let unused =
            |header: &str| header.starts_with("ssl_client_cert_chain_") && !full.contains_key(header);
        for header in dialect.header_names().iter().filter(|header| !unused(header.as_str())) {
            let (_, _, alone, beside, twice, why) = row(name, header.as_str());
            let says = |headers: &HeaderMap| answer(dialect.clone(), headers);

            assert_eq!(says(&map(&[(header.as_str(), "")])), *alone, "{name}: {header} alone: {why}");
            let mut blank = full.clone();
            blank.insert(header, HeaderValue::from_static(""));
            assert_eq!(says(&blank), *beside, "{name}: {header} empty beside the others: {why}");

            let value = full.get(header).cloned().unwrap_or(HeaderValue::from_static("a"));
            let mut doubled = full.clone();
            doubled.insert(header, value.clone());
            doubled.append(header, value.clone());
            assert_eq!(says(&doubled), *twice, "{name}: {header} twice: {why}");
            // Two parties wrote it, even if one of them had nothing to say.
            let mut half = full.clone();
            half.insert(header, HeaderValue::from_static(""));
            half.append(header, value);
            let expected = if header == "client-cert-chain" && *name == "rfc9440" { Empty } else { *twice };
            assert_eq!(says(&half), expected, "{name}: {header} empty and full: {why}");
        }
    }
}

#[test]
fn nothing_is_understood_in_the_words_of_real_proxies() {
    let nginx = value("nginx.ssl_client_escaped_cert");
    let spaced = value("apache.SSL_CLIENT_CERT");
    let (nginx, spaced, base64) = (nginx.as_str(), spaced.trim_end(), value("b64der.leaf"));
    let item = format!(":{base64}:");
    let (base64, item) = (base64.as_str(), item.as_str());
    let placeholder = "{http.request.tls.client.certificate_der_base64}";
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Answer, &'a str);
    let cases: &[Case<'_>] = &[
        ("rfc9440", &[("client-cert", ""), ("client-cert-chain", "")], Absent, "Google, Cloudflare: none"),
        ("rfc9440", &[("client-cert", item), ("client-cert-chain", "")], Unjudged, "a flat PKI"),
        ("rfc9440", &[("client-cert", item), ("client-cert-chain", "  ")], Unjudged, "RFC 8941 section 4.2"),
        ("rfc9440", &[("client-cert", ""), ("client-cert-chain", item)], Empty, "Google: a leaf too large"),
        ("rfc9440", &[("client-cert-chain", item)], Contradiction, "RFC 9440 section 2.3"),
        ("nginx", &[("x-ssl-client-verify", "NONE")], NotPresented, "ssl_verify_client optional"),
        (
            "nginx",
            &[("x-ssl-client-cert", nginx), ("x-ssl-client-verify", "FAILED")],
            Failed,
            "before 1.11.7",
        ),
        ("nginx", &[("x-ssl-client-verify", "FAILED")], Withheld, "before 1.11.7"),
        ("nginx", &[("x-ssl-client-cert", nginx), ("x-ssl-client-verify", "PASSTHROUGH")], Failed, "Azure"),
        ("ingress-nginx", &[("ssl-client-verify", "FAILED")], Withheld, "before 1.11.7"),
        ("ingress-nginx", &[("ssl-client-verify", "NONE")], NotPresented, "auth-tls-verify-client: optional"),
        (
            "apache",
            &[
                ("ssl_client_cert", "(null)"),
                ("ssl_client_cert_chain_0", "(null)"),
                ("ssl_client_verify", "NONE"),
            ],
            NotPresented,
            "TLS without a certificate",
        ),
        (
            "apache",
            &[("ssl_client_cert", "(null)"), ("ssl_client_verify", "(null)")],
            NotPresented,
            "plain HTTP",
        ),
        (
            "apache",
            &[("ssl_client_cert", spaced), ("ssl_client_verify", "GENEROUS")],
            Failed,
            "optional_no_ca",
        ),
        (
            "apache",
            &[("ssl_client_cert", spaced), ("ssl_client_verify", "FAILED:")],
            Failed,
            "no reason known",
        ),
        (
            "apache",
            &[("ssl_client_cert", spaced), ("ssl_client_verify", "(null)")],
            Unjudged,
            "never verified",
        ),
        (
            "haproxy",
            &[("x-ssl-client-cert", ""), ("x-ssl-client-chain", ""), ("x-ssl-client-verify", "")],
            NotPresented,
            "plain HTTP, as our documentation configures it",
        ),
        (
            "haproxy",
            &[("x-ssl-client-cert", "\"\""), ("x-ssl-client-chain", "\"\""), ("x-ssl-client-verify", "\"\"")],
            NotPresented,
            "the same with %{+Q}",
        ),
        (
            "haproxy",
            &[("x-ssl-client-cert", ""), ("x-ssl-client-chain", ""), ("x-ssl-client-verify", "0")],
            NotPresented,
            "TLS without a certificate",
        ),
        ("haproxy", &[("x-ssl-client-verify", "0")], NotPresented, "TLS without a certificate"),
        ("haproxy", &[("x-ssl-client-cert", base64), ("x-ssl-client-verify", "\"0\"")], Verified, "%{+Q}"),
        ("haproxy", &[("x-ssl-client-cert", base64), ("x-ssl-client-verify", "\"\"")], Empty, "never sent"),
        ("haproxy", &[("x-ssl-client-cert", ""), ("x-ssl-client-verify", "10")], Withheld, "a verdict alone"),
        ("caddy", &[("x-client-cert", placeholder)], NotPresented, "before 2.11.2"),
        ("aspnet-core", &[("x-client-cert", placeholder)], Malformed, "nobody but Caddy"),
        ("envoy", &[("x-forwarded-client-cert", "(null)")], Malformed, "Apache's word"),
    ];
    for (dialect, headers, expected, why) in cases {
        let dialect: AnyDialect = dialect.parse().unwrap();
        assert_eq!(answer(dialect.clone(), &map(headers)), *expected, "{dialect}: {headers:?}: {why}");
    }

    // A header for each issuer.
    let headers = [("x-ssl-client-cert", ""), ("x-ssl-client-chain_0", ""), ("x-ssl-client-verify", "")];
    assert_eq!(answer(HaProxy::new().chain_in_headers(), &map(&headers)), NotPresented);

    // Behind two Envoys the element of the edge proxy alone is what a client without a certificate looks like.
    let two = Envoy::new().hops(2);
    let edge = [("x-forwarded-client-cert", &*format!("Hash={};URI=spiffe://test/edge", "0".repeat(64)))];
    assert_eq!(answer(two, &map(&edge)), NotPresented);
}
