//! Patterns over URIs, and what may be on a list of hosts: nothing on them reaches beyond what was meant.

use tower_client_cert::ClientIdentity;
use tower_client_cert::Verification::Verified;
use tower_client_cert::authorize::{Reason, Rule, RuleErrorKind};

use crate::forge::{Forged, URI};

/// Whether the rule lets in a certificate with these URIs, and whether its opposite does.
fn both(pattern: &str, uris: &[&str]) -> (bool, bool) {
    let names: Vec<_> = uris.iter().map(|uri| (URI, uri.as_bytes())).collect();
    let client = ClientIdentity::from_der(&Forged::alt_names(&names).der()).unwrap();
    let rule = Rule::san_uri_glob([pattern]).unwrap();
    (rule.check(&client, Verified).is_ok(), Rule::not(rule).check(&client, Verified).is_ok())
}

const YES: (bool, bool) = (true, false);
const NO: (bool, bool) = (false, true);
const UNCLEAR: (bool, bool) = (false, false);

#[test]
fn a_pattern_for_a_host_lets_in_no_other_host() {
    for (pattern, good) in [
        ("https://*.example/", "https://a.example/"),
        ("https://*[^a].example/", "https://b.example/"),
        ("https://????????*.example/", "https://good.test.example/"),
    ] {
        assert_eq!(both(pattern, &[good]), YES, "{pattern}");
        for evil in
            ["https://evil.test?.example/", "https://evil.test#.example/", "https://evil.test/.example/"]
        {
            assert_eq!(both(pattern, &[evil]), NO, "{pattern} and {evil}");
            assert_eq!(both(pattern, &[evil, good]), YES, "{pattern} and {evil}");
        }
        // Of these it can't be said whose they are.
        for odd in [
            "https://good.test@evil.example/",
            "https://evil.test:80.example/",
            "https://evil.test%2F.example/",
            "https://evil.test%3F.example/",
            "https://evil.test%23.example/",
            "https://evil.test%40.example/",
            "https://[evil.test].example/",
            "https://evil.test\\.example/",
        ] {
            assert_eq!(both(pattern, &[odd]), UNCLEAR, "{pattern} and {odd}");
        }
    }
}

#[test]
fn a_pattern_without_an_authority_lets_in_nobody_with_one() {
    assert_eq!(both("x:/*/a", &["x:/b/a"]), YES);
    assert_eq!(both("x:/*/a", &["x://a"]), NO);
    assert_eq!(both("urn:*", &["urn:a"]), YES);
    assert_eq!(both("spiffe:*", &["spiffe://a.test"]), NO);
}

#[test]
fn patterns_that_fit_nothing_are_errors_that_say_what_to_write() {
    for (pattern, advice) in [
        ("https://[::1]/", r"https://\[2001:db8::1\]/"),
        ("https://user@a.test/", "no user information"),
        ("https:///x", "a host"),
        ("https://a.test/[/]", "outside of the brackets"),
    ] {
        let error = Rule::san_uri_glob([pattern]).unwrap_err().to_string();
        assert!(error.contains(pattern) && error.contains(advice), "{error}");
    }
    assert_eq!(both(r"https://\[2001:db8::*\]/", &["https://[2001:db8::1]/"]), YES);
}

#[test]
fn an_address_among_hosts_is_refused_and_named_its_own_rule() {
    for address in ["10.0.0.1", "::1", "::ffff:10.0.0.1", "10.0.0.0/8"] {
        let error = Rule::san_dns(["a.test", address]).unwrap_err();
        assert_eq!((error.item(), error.kind()), (Some(address), &RuleErrorKind::IpAddress));
        assert!(error.to_string().contains("`san_ip`"), "{error}");
        assert!(Rule::san_ip([address]).is_ok());
    }
    // Skipper takes these, and no address in a certificate is spelt so.
    assert!(Rule::san_dns(["1.2.3", "127.1"]).is_ok());
    let nobody = ClientIdentity::from_der(&Forged::default().der()).unwrap();
    assert_eq!(Rule::san_dns(["127.1"]).unwrap().check(&nobody, Verified), Err(Reason::WrongSan));
}
