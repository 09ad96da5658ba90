//! What it costs to ask who a client is, and to decide whether to let it in: `cargo bench -p tower-client-cert-benches --bench authorize
//! --features x509`. It counts allocations too.

use divan::{AllocProfiler, Bencher, black_box};
use http::Extensions;
use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use tower_client_cert::authorize::{CertificateSource as _, FromConnection, Rule};
use tower_client_cert::{ClientIdentity, PeerCertificates, TlsConnectInfo, Verification};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

fn certificate(hosts: usize) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "web");
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.subject_alt_names = (0..hosts)
        .map(|n| SanType::DnsName(format!("web-{n}.example.test").try_into().unwrap()))
        .chain([
            SanType::URI("spiffe://example.org/ns/prod/sa/web".try_into().unwrap()),
            SanType::IpAddress("10.1.2.3".parse().unwrap()),
        ])
        .collect();
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

/// One of each kind, of which only the last lets the client in.
fn ten_rules() -> Rule {
    let other = "00".repeat(32);
    Rule::any([
        Rule::common_name(["alice", "bob"]).unwrap(),
        Rule::issuer_dn(["CN=Ops CA,O=Example"]).unwrap(),
        Rule::san_dns(["api.example.test", "*.prod.example.test"]).unwrap(),
        Rule::san_uri(["spiffe://example.org/ns/prod/sa/api"]).unwrap(),
        Rule::san_uri_glob(["https://*.example.org/*"]).unwrap(),
        Rule::spiffe_trust_domain(["example.net"]).unwrap(),
        Rule::san_ip(["192.168.0.0/16", "172.16.0.0/12"]).unwrap(),
        Rule::fingerprint([&other]).unwrap(),
        Rule::spki([&other]).unwrap(),
        Rule::spiffe_id(["spiffe://example.org/ns/*/sa/web"]).unwrap(),
    ])
    .unwrap()
}

/// On a connection whose certificate has been read.
#[divan::bench(args = [1, 400], sample_size = 1_000)]
fn ten_rules_the_last_lets_in(bencher: Bencher<'_, '_>, hosts: usize) {
    let client = ClientIdentity::from_der(&certificate(hosts)).unwrap();
    let rule = ten_rules();
    bencher.bench(|| black_box(&rule).check(black_box(&client), Verification::Verified));
}

/// The same, with the way from the request to the certificate.
#[divan::bench(sample_size = 1_000)]
fn from_the_request_to_the_decision(bencher: Bencher<'_, '_>) {
    let mut extensions = Extensions::new();
    let peer = PeerCertificates::unverified(vec![certificate(1).into()]);
    extensions.insert(TlsConnectInfo::new(peer));
    let rule = Rule::even_unverified(ten_rules());
    bencher.bench(|| {
        let evidence = FromConnection.evidence(black_box(&extensions)).unwrap();
        black_box(&rule).check(&evidence.identity.unwrap(), evidence.verification)
    });
}

#[divan::bench(sample_size = 1_000)]
fn an_allow_list_of_ten_thousand(bencher: Bencher<'_, '_>) {
    let client = ClientIdentity::from_der(&certificate(1)).unwrap();
    let rule =
        Rule::common_name((0..10_000).map(|n| format!("service-{n}")).chain(["web".to_owned()])).unwrap();
    bencher.bench(|| black_box(&rule).check(black_box(&client), Verification::Verified));
}

/// What a connection pays once, the first time somebody asks.
#[divan::bench(args = [1, 400])]
fn read_a_certificate(bencher: Bencher<'_, '_>, hosts: usize) {
    let der = certificate(hosts);
    bencher.bench(|| ClientIdentity::from_der(black_box(&der)));
}
