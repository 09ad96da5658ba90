//! Which certificates a rule lets in, of those that lie too, and rules from a file.

use proptest::prelude::*;
use tower_client_cert::authorize::{Reason, Rule, RuleError};
use tower_client_cert::{ClientIdentity, UnverifiedReason, Verification};

use crate::forge::{ALT_NAMES, Attribute, BMP, CN, DNS, Forged, IP, O, OCTETS, T61, URI, UTF8, name};
use crate::pki::der;

const UNVERIFIED: Verification = Verification::Unverified(UnverifiedReason::UnknownIssuer);

/// A verified certificate's fate.
fn fate(rule: &Rule, forged: &Forged) -> Result<(), Reason> {
    rule.check(&ClientIdentity::from_der(&forged.der()).unwrap(), Verification::Verified)
}

/// Let in by the rule; by its `not`.
fn both(rule: Result<Rule, RuleError>, forged: &Forged) -> (bool, bool) {
    let rule = rule.unwrap();
    (fate(&rule, forged).is_ok(), fate(&Rule::not(rule), forged).is_ok())
}

const YES: (bool, bool) = (true, false);
const NO: (bool, bool) = (false, true);
const UNCLEAR: (bool, bool) = (false, false);

#[test]
fn a_common_name_is_one_exact_text() {
    let alice = |rdns: &[&[Attribute<'_>]]| both(Rule::common_name(["alice", "bob"]), &Forged::subject(rdns));
    assert_eq!(alice(&[&[(CN, UTF8, b"alice")]]), YES);
    assert_eq!(alice(&[&[(O, UTF8, b"x")], &[(CN, UTF8, b"bob")]]), YES);
    assert_eq!(alice(&[&[(CN, BMP, b"\0b\0o\0b")]]), YES);
    assert_eq!(alice(&[&[(CN, T61, b"bob")]]), YES);
    for other in [
        "Alice",
        "alice ",
        " alice",
        "alice\0",
        "alice\0.evil",
        "mallory",
        "",
        "alice,CN=bob",
        "CN=alice",
        "alice/CN=bob",
    ] {
        assert_eq!(alice(&[&[(CN, UTF8, other.as_bytes())]]), NO, "{other:?}");
    }
    assert_eq!(alice(&[&[(O, UTF8, b"alice")]]), NO);
    assert_eq!(alice(&[]), NO);
    // Two readers would disagree, so it is nobody.
    assert_eq!(alice(&[&[(CN, UTF8, b"alice")], &[(CN, UTF8, b"bob")]]), UNCLEAR);
    assert_eq!(alice(&[&[(CN, UTF8, b"alice"), (CN, UTF8, b"mallory")]]), UNCLEAR);
    assert_eq!(alice(&[&[(CN, OCTETS, b"alice")]]), UNCLEAR);
}

#[test]
fn an_issuer_is_compared_attribute_by_attribute() {
    let rule = || Rule::issuer_dn([r"CN=Ops CA, O=Example\, Inc.", "CN=Other CA"]);
    let issued_by =
        |rdns: &[&[Attribute<'_>]]| both(rule(), &Forged { issuer: name(rdns), ..Forged::default() });
    assert_eq!(issued_by(&[&[(O, UTF8, b"Example, Inc.")], &[(CN, UTF8, b"Ops CA")]]), YES);
    assert_eq!(issued_by(&[&[(CN, T61, b"Other CA")]]), YES);
    assert_eq!(issued_by(&[&[(CN, UTF8, b"Ops CA")]]), NO);
    assert_eq!(issued_by(&[&[(CN, UTF8, b"Ops CA")], &[(O, UTF8, b"Example, Inc.")]]), NO);
    assert_eq!(issued_by(&[&[(O, UTF8, b"Example, Inc."), (CN, UTF8, b"Ops CA")]]), NO);
    assert_eq!(issued_by(&[&[(CN, UTF8, b"Ops CA,O=Example\\, Inc.")]]), NO);
    assert_eq!(issued_by(&[&[(CN, UTF8, b"Other CA\0")]]), NO);
    assert_eq!(issued_by(&[]), NO);
}

#[test]
fn a_host_is_compared_as_hosts_are() {
    let named = |names: &[(u8, &[u8])]| {
        both(Rule::san_dns(["alice.test", "*.Example.test", "xn--bcher-kva.test"]), &Forged::alt_names(names))
    };
    for host in ["alice.test", "ALICE.Test", "a.example.test", "A.EXAMPLE.TEST", "XN--Bcher-Kva.test"] {
        assert_eq!(named(&[(DNS, host.as_bytes())]), YES, "{host}");
        assert_eq!(named(&[(DNS, b"other.test"), (DNS, host.as_bytes())]), YES, "{host}");
    }
    for host in
        ["example.test", "a.b.example.test", "alice.test.evil", "evilalice.test", "xn--bcher-kvb.test"]
    {
        assert_eq!(named(&[(DNS, host.as_bytes())]), NO, "{host}");
    }
    // A wildcard in a certificate is no host; what can't be read is none either.
    for host in ["*.example.test", "*.test", "alice.test.", "alice.test\0", "bücher.test", "*.*.test", ""] {
        assert_eq!(named(&[(DNS, host.as_bytes())]), UNCLEAR, "{host:?}");
        assert_eq!(named(&[(DNS, host.as_bytes()), (DNS, b"alice.test")]), YES, "{host:?}");
    }
    // The name must be of the right kind, and the common name does not stand in for it.
    assert_eq!(named(&[(URI, b"https://alice.test")]), NO);
    assert_eq!(both(Rule::san_dns(["alice.test"]), &Forged::subject(&[&[(CN, UTF8, b"alice.test")]])), NO);
}

#[test]
fn a_uri_is_compared_byte_for_byte_and_globs_stay_within_a_segment() {
    let exact =
        |uri: &str| both(Rule::san_uri(["HTTPS://a.test/x?y"]), &Forged::alt_names(&[(URI, uri.as_bytes())]));
    assert_eq!(exact("https://a.test/x?y"), YES);
    assert_eq!(exact("Https://a.test/x?y"), YES);
    for other in [
        "https://A.test/x?y",
        "https://a.test/x",
        "https://a.test/%78?y",
        "https://u@a.test/x?y",
        "https://a.test:443/x?y",
    ] {
        assert_eq!(exact(other), NO, "{other}");
    }
    let glob = |uri: &str| {
        let rule = Rule::san_uri_glob(["https://*.test/v[12]/*", "URN:a:?"]);
        both(rule, &Forged::alt_names(&[(URI, uri.as_bytes())]))
    };
    for fits in ["https://a.test/v1/x", "https://a.b.test/v2/", "HTTPS://a.test/v1/x", "urn:a:b"] {
        assert_eq!(glob(fits), YES, "{fits}");
    }
    for other in [
        "https://a.test/v1/x/y",
        "https://a.test/v3/x",
        "https://a/b.test/v1/x",
        "urn:a:",
        "https://a.test/v1",
    ] {
        assert_eq!(glob(other), NO, "{other}");
    }
    assert_eq!(glob("https://a.test@evil.test/v1/x"), UNCLEAR);
    assert_eq!(glob("https://a.test/v1/x\0"), UNCLEAR);
}

#[test]
fn a_spiffe_id_is_valid_and_alone() {
    let has = |uris: &[&str]| {
        let names: Vec<_> = uris.iter().map(|uri| (URI, uri.as_bytes())).collect();
        let forged = Forged::alt_names(&names);
        (
            both(Rule::spiffe_trust_domain(["example.org"]), &forged),
            both(Rule::spiffe_id(["spiffe://example.org/ns/*/sa/web", "spiffe://example.org"]), &forged),
        )
    };
    assert_eq!(has(&["spiffe://example.org/ns/prod/sa/web"]), (YES, YES));
    assert_eq!(has(&["spiffe://example.org"]), (YES, YES));
    assert_eq!(has(&["spiffe://example.org/ns/a/b/sa/web"]), (YES, NO));
    assert_eq!(has(&["spiffe://example.org/x"]), (YES, NO));
    assert_eq!(has(&["spiffe://example.org.evil/ns/prod/sa/web"]), (NO, NO));
    assert_eq!(has(&[]), (NO, NO));
    for broken in [
        "spiffe://EXAMPLE.org/ns/prod/sa/web",
        "spiffe://example.org@evil/ns/prod/sa/web",
        "spiffe://example.org/ns/../sa/web",
        "spiffe://example.org/ns/%2e%2e/sa/web",
        "spiffe://example.org/ns//sa/web",
        "spiffe://example.org/",
        "https://example.org/ns/prod/sa/web",
        "not a uri",
    ] {
        assert_eq!(has(&[broken]), (UNCLEAR, UNCLEAR), "{broken}");
    }
    assert_eq!(has(&["spiffe://example.org/ns/prod/sa/web", "spiffe://evil/"]), (UNCLEAR, UNCLEAR));
}

#[test]
fn an_address_is_compared_as_a_number() {
    let at = |ip: &[u8]| both(Rule::san_ip(["10.0.0.0/8", "2001:db8::1"]), &Forged::alt_names(&[(IP, ip)]));
    assert_eq!(at(&[10, 1, 2, 3]), YES);
    assert_eq!(at(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 1, 2, 3]), YES);
    assert_eq!(at(&[0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), YES);
    assert_eq!(at(&[11, 0, 0, 0]), NO);
    // Deprecated "IPv4-compatible" addresses are IPv6.
    assert_eq!(at(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 1, 2, 3]), NO);
    for odd in [&[10, 1, 2][..], &[10, 1, 2, 3, 4], &[10, 1, 2, 3, 255, 255, 255, 255], &[]] {
        assert_eq!(at(odd), UNCLEAR, "{odd:?}");
    }
    // Text that looks like an address is a host name.
    assert_eq!(both(Rule::san_ip(["10.0.0.1"]), &Forged::alt_names(&[(DNS, b"10.0.0.1")])), NO);
}

#[test]
fn alternative_names_that_cannot_be_read_help_nobody() {
    for rule in [
        Rule::san_dns(["a.test"]),
        Rule::san_uri(["https://a.test/"]),
        Rule::san_uri_glob(["https://*/"]),
        Rule::san_ip(["0.0.0.0/0"]),
        Rule::spiffe_trust_domain(["a"]),
    ] {
        let twice = Forged::alt_names(&[(DNS, b"a.test")]).with(ALT_NAMES, &der(0x30, &[]));
        assert_eq!(both(rule.clone(), &twice), UNCLEAR);
        assert_eq!(both(rule.clone(), &Forged::default().with(ALT_NAMES, &[0x30, 1])), UNCLEAR);
        assert_eq!(both(rule, &Forged::default()), NO);
    }
}

#[test]
fn pins_are_of_the_certificate_and_of_its_key() {
    let old = Forged::default();
    let new = Forged { serial: der(0x02, &[2]), ..old.clone() };
    let identity = ClientIdentity::from_der(&old.der()).unwrap();
    let fingerprint = Rule::fingerprint([identity.fingerprint().to_string()]).unwrap();
    let spki = Rule::spki([identity.spki_hash().to_string()]).unwrap();
    assert_eq!((fate(&fingerprint, &old), fate(&spki, &old)), (Ok(()), Ok(())));
    assert_eq!((fate(&fingerprint, &new), fate(&spki, &new)), (Err(Reason::WrongFingerprint), Ok(())));
    let swapped = Rule::spki([identity.fingerprint().to_string()]).unwrap();
    assert_eq!(fate(&swapped, &old), Err(Reason::WrongSpki));
}

#[test]
fn an_unverified_certificate_is_let_in_only_by_a_rule_that_says_so() {
    let client = ClientIdentity::from_der(&Forged::subject(&[&[(CN, UTF8, b"alice")]]).der()).unwrap();
    let alice = || Rule::common_name(["alice"]).unwrap();
    let bob = || Rule::common_name(["bob"]).unwrap();
    let wrong_auth = Err(Reason::Unverified(UnverifiedReason::UnknownIssuer));
    for rule in [
        Rule::any_certificate(),
        alice(),
        Rule::not(bob()),
        Rule::any([alice(), bob()]).unwrap(),
        Rule::all([alice(), Rule::even_unverified(alice())]).unwrap(),
        Rule::not(Rule::even_unverified(bob())),
        Rule::custom("closure", |_| true),
        Rule::fingerprint([client.fingerprint().to_string()]).unwrap(),
    ] {
        assert_eq!(rule.check(&client, UNVERIFIED), wrong_auth, "{rule:?}");
        assert_eq!(rule.check(&client, Verification::Verified), Ok(()), "{rule:?}");
    }
    let pinned = Rule::fingerprint([client.fingerprint().to_string()]).unwrap();
    assert_eq!(Rule::any([bob(), Rule::even_unverified(pinned)]).unwrap().check(&client, UNVERIFIED), Ok(()));
    assert_eq!(Rule::even_unverified(bob()).check(&client, UNVERIFIED), Err(Reason::WrongCn));
}

#[test]
fn reasons_say_which_rule_it_was() {
    let forged = Forged::default();
    let cn = || Rule::common_name(["a"]).unwrap();
    let dns = || Rule::san_dns(["a"]).unwrap();
    assert_eq!(fate(&cn(), &forged), Err(Reason::WrongCn));
    assert_eq!(fate(&Rule::issuer_dn(["CN=a"]).unwrap(), &forged), Err(Reason::WrongDn));
    assert_eq!(fate(&dns(), &forged), Err(Reason::WrongSan));
    assert_eq!(fate(&Rule::not(Rule::any_certificate()), &forged), Err(Reason::Excluded));
    assert_eq!(fate(&Rule::custom("full-moon", |_| false), &forged), Err(Reason::Custom("full-moon")));
    assert_eq!(
        fate(&Rule::all([Rule::any_certificate(), dns(), cn()]).unwrap(), &forged),
        Err(Reason::WrongSan)
    );
    assert_eq!(fate(&Rule::any([dns(), dns()]).unwrap(), &forged), Err(Reason::WrongSan));
    assert_eq!(fate(&Rule::any([dns(), cn()]).unwrap(), &forged), Err(Reason::NoMatch));
}

#[test]
fn what_is_wrong_with_a_rule_is_named() {
    let empty: [&str; 0] = [];
    for (rule, message) in [
        (Rule::common_name(empty), "rule `common_name`: the list is empty, and would let nobody in"),
        (Rule::all([]), "rule `all`: the list is empty"),
        (Rule::any([]), "rule `any`: the list is empty"),
        (Rule::common_name(["a", ""]), "rule `common_name`: \"\": the text is empty"),
        (
            Rule::issuer_dn(["CN=a,b"]),
            "rule `issuer_dn`: \"CN=a,b\": not a distinguished name (RFC 4514): byte 5: expected",
        ),
        (Rule::issuer_dn([""]), "rule `issuer_dn`: \"\": the text is empty"),
        (Rule::san_dns(["a.test."]), "rule `san_dns`: \"a.test.\": not a host name: it ends with a dot"),
        (Rule::san_dns(["bücher.test"]), "xn-- form"),
        (Rule::san_dns(["a*.test"]), "`*` may be the whole first label"),
        (Rule::san_uri(["a.test"]), "rule `san_uri`: \"a.test\": not a URI: no scheme"),
        (
            Rule::san_uri_glob(["https://[a"]),
            "rule `san_uri_glob`: \"https://[a\": not a pattern of Go's path.Match",
        ),
        (Rule::san_uri_glob(["*://a"]), "starts with a scheme"),
        (
            Rule::spiffe_trust_domain(["spiffe://a"]),
            "rule `spiffe_trust_domain`: \"spiffe://a\": not a SPIFFE trust domain",
        ),
        (
            Rule::spiffe_id(["spiffe://*/a"]),
            "rule `spiffe_id`: \"spiffe://*/a\": not a pattern for SPIFFE IDs",
        ),
        (Rule::spiffe_id(["spiffe://a/b/"]), "not a pattern for SPIFFE IDs"),
        (Rule::san_ip(["10.0.0.0/33"]), "rule `san_ip`: \"10.0.0.0/33\": not an IP address or a network"),
        (Rule::fingerprint(["ab:cd"]), "rule `fingerprint`: \"ab:cd\": not a SHA-256"),
        (Rule::spki(["sha1"]), "rule `spki`: \"sha1\": not a SHA-256"),
    ] {
        let error = rule.unwrap_err().to_string();
        assert!(error.contains(message), "{error:?} instead of {message:?}");
    }
}

#[test]
fn rules_from_a_file_are_the_rules_from_code() {
    let rule: Rule = serde_json::from_str(
        r#"{"any": [
            {"spiffe_id": ["spiffe://example.org/ns/*/sa/web"]},
            {"all": [
                {"issuer_dn": ["CN=forger"]},
                {"common_name": ["alice", "bob"]},
                {"not": {"san_dns": ["*.staging.test"]}}
            ]},
            {"even_unverified": {"fingerprint": ["00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13:14:15:16:17:18:19:1a:1b:1c:1d:1e:1f"]}}
        ]}"#,
    )
    .unwrap();
    let alice = Forged::subject(&[&[(CN, UTF8, b"alice")]]);
    assert_eq!(fate(&rule, &alice), Ok(()));
    assert_eq!(fate(&rule, &alice.clone().with(ALT_NAMES, &der(0x30, &der(DNS, b"a.prod.test")))), Ok(()));
    assert!(fate(&rule, &alice.clone().with(ALT_NAMES, &der(0x30, &der(DNS, b"a.staging.test")))).is_err());
    assert_eq!(fate(&rule, &Forged::alt_names(&[(URI, b"spiffe://example.org/ns/a/sa/web")])), Ok(()));
    assert_eq!(fate(&rule, &Forged::default()), Err(Reason::NoMatch));
    let any: Rule = serde_json::from_str(r#""any_certificate""#).unwrap();
    assert_eq!(fate(&any, &alice), Ok(()));
}

#[test]
fn a_file_that_is_wrong_is_refused_with_the_item_named() {
    for (file, message) in [
        (r#"{"san_ip": ["10.0.0.0/8", "10.0.0.0/99"]}"#, r#"rule `san_ip`: "10.0.0.0/99""#),
        (r#"{"any": [{"not": {"san_dns": ["a..test"]}}]}"#, r#"rule `san_dns`: "a..test""#),
        (r#"{"any": [{"san_uri_glob": ["https://["]}]}"#, r#"rule `san_uri_glob`: "https://[""#),
        (r#"{"any": []}"#, "rule `any`: the list is empty"),
        (r#"{"common_name": []}"#, "rule `common_name`: the list is empty"),
        (r#"{"comon_name": ["a"]}"#, "unknown variant `comon_name`"),
        (r#"{"common_name": ["a"], "san_ip": ["10.0.0.1"]}"#, "expected"),
        (r#"{"common_name": "a"}"#, "expected a sequence"),
        (r#"{}"#, "expected"),
    ] {
        let error = serde_json::from_str::<Rule>(file).unwrap_err().to_string();
        assert!(error.contains(message), "{error:?} instead of {message:?}");
    }
}

proptest! {
    #[test]
    fn no_certificate_is_let_in_by_a_rule_and_by_its_opposite(
        names in prop::collection::vec(
            (prop::sample::select(vec![DNS, URI, IP]), prop::collection::vec(any::<u8>(), 0..20)),
            0..4,
        ),
        verified in any::<bool>(),
    ) {
        let names: Vec<_> = names.iter().map(|(tag, value)| (*tag, &**value)).collect();
        let client = ClientIdentity::from_der(&Forged::alt_names(&names).der()).unwrap();
        let verification = if verified { Verification::Verified } else { UNVERIFIED };
        for rule in [
            Rule::san_dns(["a.test"]).unwrap(),
            Rule::san_ip(["0.0.0.0/1"]).unwrap(),
            Rule::san_uri_glob(["a:*"]).unwrap(),
            Rule::spiffe_trust_domain(["a"]).unwrap(),
            Rule::common_name(["forged"]).unwrap(),
        ] {
            let yes = rule.check(&client, verification).is_ok();
            let no = Rule::not(rule).check(&client, verification).is_ok();
            prop_assert!(!(yes && no));
            prop_assert!(verified || !yes && !no);
        }
    }

    #[test]
    fn any_text_makes_a_rule_or_an_error_that_names_it(text in any::<String>()) {
        for rule in [
            Rule::issuer_dn([&text]), Rule::san_dns([&text]), Rule::san_uri([&text]), Rule::san_uri_glob([&text]),
            Rule::spiffe_id([&text]), Rule::san_ip([&text]), Rule::fingerprint([&text]),
        ] {
            if let Err(error) = rule {
                prop_assert_eq!(error.item(), Some(&*text));
            }
        }
    }

    #[test]
    fn a_network_contains_what_its_bits_say(address in any::<u32>(), network in any::<u32>(), prefix in 0_u32..=32) {
        let text = format!("{}/{prefix}", std::net::Ipv4Addr::from(network));
        let shift = |bits: u32| bits.checked_shr(32 - prefix).unwrap_or(0);
        let forged = Forged::alt_names(&[(IP, &address.to_be_bytes())]);
        let expected = if shift(address) == shift(network) { YES } else { NO };
        prop_assert_eq!(both(Rule::san_ip([text]), &forged), expected);
    }
}
