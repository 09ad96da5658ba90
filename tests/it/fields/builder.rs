//! A dialect that can't be is an error, and not a panic.

use tower_client_cert::dialect::fields::{
    CertEncoding, Field, FieldsBuilder, FieldsError, NameEncoding, Verdict,
};
use tower_client_cert::dialect::{AnyDialect, Dialect as _, Fields};

const CERT: Field = Field::Certificate(CertEncoding::Base64);
const SUBJECT: Field = Field::Subject(NameEncoding::Rfc2253);

fn words(verified: &'static str, failed: &'static str, none: Option<&'static str>) -> Field {
    Field::Verdict(Verdict::Words { verified, failed, none })
}

fn error(builder: FieldsBuilder) -> FieldsError {
    builder.build().unwrap_err()
}

#[test]
fn each_mistake_is_an_error_that_names_the_header() {
    use FieldsError as E;
    let one = || Fields::builder().header("X-A", CERT);
    let name = |name: &str| name.parse::<http::HeaderName>().unwrap();
    assert_eq!(error(Fields::builder()), E::Nothing);
    assert_eq!(error(Fields::builder().header("x-a", Field::Stripped)), E::Nothing);
    assert_eq!(error(one().header("a b", SUBJECT)), E::Name { given: "a b".into() });
    assert_eq!(error(one().rename("x-a", "é")), E::Name { given: "é".into() });
    assert_eq!(error(one().rename("x-b", "x-c")), E::NotThere { header: "x-b".into() });
    assert_eq!(error(one().without("x-b")), E::NotThere { header: "x-b".into() });
    assert_eq!(error(one().without("x-a")), E::Nothing);
    assert_eq!(error(one().header("x-a", SUBJECT)), E::HeaderTwice { header: name("x-a") });
    assert_eq!(error(one().header("x_a", SUBJECT)), E::HeaderTwice { header: name("x_a") });
    assert_eq!(error(one().header("x-b", CERT)), E::FieldTwice { header: name("x-b") });
    let other = Field::Certificate(CertEncoding::Rfc9440);
    assert_eq!(error(one().header("x-b", other)), E::FieldTwice { header: name("x-b") });
    for reserved in ["Host", "connection", "Content_Length", "transfer-encoding", "authorization"] {
        assert_eq!(error(one().header(reserved, SUBJECT)), E::Reserved { header: name(reserved) });
    }
    let chain = Field::Chain(CertEncoding::Base64);
    assert_eq!(error(Fields::builder().header("x-a", chain)), E::ChainWithoutCertificate);
    let spaced = Field::Chain(CertEncoding::SpacedPem);
    assert_eq!(error(one().header("x-b", spaced)), E::ChainEncoding { header: name("x-b") });
    assert_eq!(error(one().header("x-b", Field::Reason)), E::WithoutVerdict { header: name("x-b") });
    for wrong in [
        words("", "no", None),
        words("yes", "yes", None),
        words("yes", "no", Some("yes")),
        words("yes", "no", Some("")),
        words("yes ", "no", None),
        words("yes", "n\u{f6}", None),
        Field::Present { yes: "1", no: "1" },
    ] {
        assert_eq!(error(one().header("x-b", wrong)), E::Words { header: name("x-b") }, "{wrong:?}");
    }
    // The first mistake is the one that is told.
    assert_eq!(error(one().header("", CERT).without("x-z")), E::Name { given: String::new() });
    assert!(error(one().header("x-b", CERT)).to_string().contains("`x-b`"));
}

#[test]
fn presets_are_there_by_name_with_names_that_are_settable_where_they_are_in_the_original() {
    for (name, builder) in [
        ("google-cloud", Fields::google_cloud()),
        ("cloudfront", Fields::cloudfront()),
        ("cloudflare-rfc9440", Fields::cloudflare_rfc9440()),
        ("azure-app-gateway", Fields::azure_app_gateway()),
        ("puppet", Fields::puppet()),
        ("kong", Fields::kong()),
        ("linkerd", Fields::linkerd()),
        ("nginx-variables", Fields::nginx_variables()),
    ] {
        let named: AnyDialect = name.parse().unwrap();
        let typed = builder.build().unwrap();
        assert_eq!(named.header_names(), typed.header_names(), "{name}");
        assert_eq!(named.forwards_unverified(), typed.forwards_unverified(), "{name}");
    }
    // Two that change places.
    let named: AnyDialect = "kong;certificate=x-client-cert-chain;chain=X-Client-Cert".parse().unwrap();
    assert_eq!(named.header_names()[0], "x-client-cert-chain");
    assert_eq!(named.header_names()[5], "x-client-cert");
    let twice = "kong;certificate=x-client-cert-chain".parse::<AnyDialect>().unwrap_err().to_string();
    assert!(twice.contains("`x-client-cert-chain` is there twice"), "{twice}");
    let fixed = "puppet;certificate=x-a".parse::<AnyDialect>().unwrap_err().to_string();
    assert!(fixed.contains("`certificate` is none of its options"), "{fixed}");
    let reserved = "google-cloud;certificate=host".parse::<AnyDialect>().unwrap_err().to_string();
    assert!(reserved.contains("`host` is HTTP's own"), "{reserved}");
}
