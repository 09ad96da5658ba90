//! A dialect with its options, spelt on one line.

use clap::Parser as _;
use http::HeaderMap;
use tower_client_cert::dialect::{
    AnyDialect, Base64Der, Dialect, Envoy, HaProxy, Limits, Nginx, Skipper, VerifyStatus, XfccMode,
};

use crate::vectors::{chain, encode, map};

fn named(spelling: &str) -> AnyDialect {
    spelling.parse().unwrap_or_else(|error| panic!("{spelling}: {error}"))
}

fn refused(spelling: &str) -> String {
    spelling.parse::<AnyDialect>().expect_err(spelling).to_string()
}

/// What differs from the default, so that an option that does nothing is found out.
fn written(dialect: &dyn Dialect) -> (Vec<http::HeaderName>, HeaderMap) {
    let headers = encode(dialect, &chain("rfc9440-chain.pem"), VerifyStatus::Success);
    (dialect.header_names().to_vec(), headers)
}

#[test]
fn each_option_does_what_the_method_of_its_name_does() {
    let name = |name: &str| name.parse::<http::HeaderName>().unwrap();
    let [cert, chain_name, verify] = ["x-a", "x-b", "x-c"];
    let dialects: Vec<(&str, Box<dyn Dialect>)> = vec![
        ("skipper;without-verify-header", Box::new(Skipper::new().without_verify_header())),
        ("envoy;chain", Box::new(Envoy::new().chain(true))),
        ("envoy;cert=false", Box::new(Envoy::new().cert(false))),
        ("envoy;json", Box::new(Envoy::new().json())),
        ("envoy;by=spiffe://a/edge?x=y", Box::new(Envoy::new().by("spiffe://a/edge?x=y"))),
        ("envoy;mode=sanitize", Box::new(Envoy::new().mode(XfccMode::Sanitize))),
        ("envoy;subject=false", Box::new(Envoy::new().subject(false))),
        ("envoy;uri=false", Box::new(Envoy::new().uri(false))),
        ("nginx;certificate=X-A;verify=x-c", Box::new(Nginx::with_names(name(cert), name(verify)))),
        (
            "haproxy;certificate=x-a;chain=x-b;verify=x-c",
            Box::new(HaProxy::with_names(name(cert), name(chain_name), name(verify))),
        ),
        ("haproxy;chain-in-headers", Box::new(HaProxy::new().chain_in_headers())),
        ("base64-der;header=x-a", Box::new(Base64Der::new(name(cert)))),
    ];
    for (spelling, typed) in dialects {
        let dialect = named(spelling);
        assert_eq!(dialect.to_string(), spelling);
        assert_eq!(format!("{dialect:?}"), format!("AnyDialect({spelling:?})"));
        assert_eq!(written(&dialect), written(&*typed), "{spelling}");
        assert_ne!(written(&dialect), written(&named(dialect.name())), "{spelling}");
        assert_ne!(dialect, named(dialect.name()), "{spelling}");
        assert_eq!(named(&dialect.to_string()), dialect);
    }
    {
        let leaf = crate::pki::Authority::root("CA").client("alice").chain;
        let without = encode(&named("envoy;dns=false"), &leaf, VerifyStatus::Success);
        assert_eq!(without, encode(&Envoy::new().dns(false), &leaf, VerifyStatus::Success));
        assert_ne!(without, encode(&Envoy::new().dns(true), &leaf, VerifyStatus::Success));
    }
    assert_eq!(named("envoy;chain;json"), named("envoy;json;chain"), "the order is nothing");
}

#[test]
fn options_of_reading_change_what_is_read() {
    let hash = "0".repeat(64);
    let two = format!("Hash={hash};URI=spiffe://a/alice,Hash={hash};URI=spiffe://a/edge");
    let headers = map(&[("x-forwarded-client-cert", &two)]);
    assert!(named("envoy;mode=append-forward").decode(&headers).is_err());
    let told = named("envoy;mode=append-forward;hops=2").decode(&headers).unwrap().unwrap();
    assert_eq!(told.details.uris, ["spiffe://a/alice"]);

    let escaped = crate::vectors::value("traefik-le-2.9.1.leaf.escaped");
    let headers = map(&[("x-forwarded-tls-client-cert", &escaped)]);
    for (plain, accepting) in
        [("traefik", "traefik;accept-escaped-items"), ("skipper", "skipper;accept-escaped-items")]
    {
        assert!(named(plain).decode(&headers).is_err());
        assert!(named(accepting).decode(&headers).is_ok());
    }

    let headers = encode(&Skipper::new(), &chain("rfc9440-chain.pem"), VerifyStatus::Success);
    assert!(named("skipper;max-certificates=3").decode(&headers).is_ok());
    assert!(named("skipper;max-certificates=2").decode(&headers).is_err());
    assert!(named("skipper;max-value-size=100").decode(&headers).is_err());
    let limited = named("skipper;max-certificates=3;accept-escaped-items");
    let limited = limited.with_limits(Limits::new().max_certificates(0).max_value_size(1_000));
    assert_eq!(limited.to_string(), "skipper;accept-escaped-items;max-certificates=0;max-value-size=1000");
    assert!(limited.decode(&headers).is_err());
}

#[test]
fn the_modes_are_envoys_five() {
    let before = "Hash=1";
    for (mode, kept, own) in [
        ("sanitize", false, false),
        ("forward-only", true, false),
        ("append-forward", true, true),
        ("sanitize-set", false, true),
        ("always-forward-only", true, false),
    ] {
        let dialect = named(&format!("envoy;mode={mode}"));
        let received = map(&[("x-forwarded-client-cert", before)]);
        assert_eq!(!dialect.keep(&received, true).is_empty(), kept, "{mode}");
        assert_eq!(!dialect.keep(&received, false).is_empty(), mode == "always-forward-only");
        assert_eq!(!written(&dialect).1.is_empty(), own, "{mode}");
    }
}

#[test]
fn what_is_no_option_of_a_dialect_is_an_error_that_lists_what_there_is() {
    for (spelling, problem) in [
        ("haproxy;hops=2", "`hops` is none of its options"),
        ("envoy;chain-in-headers", "`chain-in-headers` is none of its options"),
        ("envoy;Chain", "`Chain` is none of its options"),
        ("envoy;", "`` is none of its options"),
        ("envoy; chain", "` chain` is none of its options"),
        ("envoy;chain;chain", "`chain` is there twice"),
        ("envoy;hops=1;hops=2", "`hops` is there twice"),
        ("envoy;chain=true", "`chain` takes no value"),
        ("envoy;hops", "`hops=` is not `hops=NUMBER`"),
        ("envoy;hops=0", "`hops=0` is not `hops=NUMBER`"),
        ("envoy;hops=-1", "`hops=-1` is not"),
        ("envoy;mode=append_forward", "is not `mode=sanitize|forward-only|"),
        ("envoy;cert=no", "`cert=no` is not `cert=true|false`"),
        ("envoy;by=a b", "`by=a b` is not `by=URI`"),
        ("nginx;certificate=a b", "is not `certificate=HEADER`"),
        ("nginx;certificate", "is not `certificate=HEADER`"),
        ("skipper;max-certificates=many", "is not `max-certificates=NUMBER`"),
    ] {
        let error = refused(spelling);
        assert!(error.contains(problem), "{spelling}: {error}");
        let name = spelling.split(';').next().unwrap();
        assert!(error.contains(&format!("dialect `{name}`: ")), "{error}");
        assert!(error.contains("; there are max-certificates=NUMBER, max-value-size=BYTES"), "{error}");
    }
    assert!(refused("envoi;chain").starts_with("there is no dialect `envoi`; expected one of skipper, "));
    assert!(refused("traefik-info;chain").ends_with("it has none"));
}

/// Of each name, what an error lists.
fn options(name: &str) -> Vec<String> {
    let error = refused(&format!("{name};?"));
    let (_, list) = error.split_once("there are ").unwrap_or((&error, ""));
    list.split(", ").filter(|option| !option.is_empty()).map(ToOwned::to_owned).collect()
}

#[test]
fn the_table_of_options_is_what_there_is() {
    let guide = include_str!("../../src/docs/dialects.md");
    let (_, table) = guide.split_once("\n# Options\n").unwrap();
    let (table, _) = table.split_once("\n# ").unwrap();
    let rows: Vec<(Vec<&str>, Vec<String>)> = table
        .replace("\\|", "\u{1}")
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
            let quoted = |cell: &str| {
                let parts = cell.split('`').skip(1).step_by(2);
                parts.map(|part| part.replace('\u{1}', "|")).collect::<Vec<_>>()
            };
            let names = if cells[0].contains("all but") { vec!["*".to_owned()] } else { quoted(cells[0]) };
            let names = names.iter().map(|name| &*name.clone().leak() as &str).collect();
            let options = quoted(cells[1]).into_iter().filter(|option| option != "x509").collect();
            (names, options)
        })
        .collect();
    for name in AnyDialect::NAMES {
        let mut listed: Vec<String> = rows
            .iter()
            .filter(|(names, _)| names.contains(name) || (names.contains(&"*") && *name != "traefik-info"))
            .flat_map(|(_, options)| options.clone())
            .collect();
        let mut there_are = options(name);
        listed.sort();
        there_are.sort();
        assert_eq!(listed, there_are, "{name}");
    }
    for name in rows.iter().flat_map(|(names, _)| names).filter(|name| **name != "*") {
        assert!(AnyDialect::NAMES.contains(name), "{name}");
    }
}

#[test]
fn a_flag_and_a_configuration_file_take_the_spelling() {
    #[derive(clap::Parser)]
    struct Flags {
        #[arg(long, default_value_t)]
        dialect: AnyDialect,
    }
    let spelling = "envoy;mode=append-forward;hops=2";
    assert_eq!(Flags::parse_from(["test", "--dialect", spelling]).dialect, named(spelling));
    let Err(error) = Flags::try_parse_from(["test", "--dialect", "envoy;hop=2"]) else { panic!("refused") };
    assert!(error.to_string().contains("hops=NUMBER"), "{error}");
    {
        let read: AnyDialect = serde_json::from_str(&format!("{spelling:?}")).unwrap();
        assert_eq!(read, named(spelling));
        assert_eq!(serde_json::to_string(&read).unwrap(), format!("{spelling:?}"));
        let error = serde_json::from_str::<AnyDialect>("\"envoy;hop=2\"").unwrap_err();
        assert!(error.to_string().contains("hops=NUMBER"), "{error}");
    }
}
