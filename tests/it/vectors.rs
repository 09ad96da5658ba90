//! Headers without a server: what proxies wrote, from `tests/data`, and what dialects make of a chain.

use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tower_client_cert::dialect::{Dialect, Outgoing, VerifyStatus};

pub(crate) fn value(file: &str) -> String {
    let path = format!("{}/data/dialects/{file}.value", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn chain(file: &str) -> Vec<CertificateDer<'static>> {
    let path = format!("{}/data/{file}", env!("CARGO_MANIFEST_DIR"));
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

/// The dialects that carry the whole chain.
pub(crate) const WITH_CHAIN: [&str; 11] = [
    "skipper",
    "traefik",
    "traefik-2.9.1",
    "tower-client-cert",
    "rfc9440",
    "apache",
    "haproxy",
    "aws-alb",
    "google-cloud",
    "cloudflare-rfc9440",
    "kong",
];

/// The dialects from which no certificate can be read: Traefik's is not read at all, and linkerd's is a name.
pub(crate) const WITHOUT_CERTIFICATE: [&str; 2] = ["traefik-info", "linkerd"];
