//! Deciding allocates nothing. In a program of its own, since it counts for the whole of it.
#![cfg(feature = "x509")]

use std::alloc::System;

use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tower_client_cert::authorize::Rule;
use tower_client_cert::{ClientIdentity, Verification};

#[global_allocator]
static ALLOCATIONS: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_decision_allocates_nothing_whether_it_lets_in_or_not() {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "web");
    params.subject_alt_names = vec![
        SanType::DnsName("web.example.test".try_into().unwrap()),
        SanType::URI("spiffe://example.org/ns/prod/sa/web".try_into().unwrap()),
        SanType::IpAddress("10.1.2.3".parse().unwrap()),
    ];
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let client = ClientIdentity::from_der(certificate.der()).unwrap();
    let other = "00".repeat(32);
    let rules = [
        Rule::any_certificate(),
        Rule::common_name(["web", "api"]).unwrap(),
        Rule::issuer_dn(["CN=CA,O=Example"]).unwrap(),
        Rule::san_dns(["api.example.test", "*.example.test"]).unwrap(),
        Rule::san_uri(["https://example.org/"]).unwrap(),
        Rule::san_uri_glob(["spiffe://*/ns/*/sa/w?b"]).unwrap(),
        Rule::spiffe_trust_domain(["example.org"]).unwrap(),
        Rule::spiffe_id(["spiffe://example.org/ns/[a-q]*/sa/web"]).unwrap(),
        Rule::san_ip(["10.0.0.0/8", "::1"]).unwrap(),
        Rule::fingerprint([&other]).unwrap(),
        Rule::spki([&other]).unwrap(),
        Rule::custom("no", |_| false),
    ];
    let opposites = rules.clone().map(Rule::not);
    let all = Rule::all(rules.clone()).unwrap();
    let any = Rule::any(opposites.clone()).unwrap();
    let every = rules.iter().chain(&opposites).chain([&all, &any]);

    let region = Region::new(ALLOCATIONS);
    let let_in = every.filter(|rule| rule.check(&client, Verification::Verified).is_ok()).count();
    assert_eq!(region.change().allocations, 0);
    assert_eq!(let_in, 7 + 5 + 1);
}
