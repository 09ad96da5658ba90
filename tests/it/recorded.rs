//! What real Skipper and real Traefik sent for certificates with odd names: `tests/data/recorded`.

use http::HeaderMap;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use tower_client_cert::dialect::{AnyDialect, Dialect as _, VerifyStatus};
use tower_client_cert::identity::ClientIdentity;

use crate::vectors::encode;

/// For each record its name, what the client presented, and the headers the backend got.
fn records(writer: &str) -> Vec<(String, Vec<CertificateDer<'static>>, HeaderMap)> {
    let folder = format!("{}/data/recorded/{writer}", env!("CARGO_MANIFEST_DIR"));
    let mut records = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(path.extension().unwrap(), "json");
        let record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let pem = record["presented_pem"].as_array().unwrap().iter();
        let chain = pem.map(|pem| CertificateDer::from_pem_slice(pem.as_str().unwrap().as_bytes()).unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in record["headers"].as_object().unwrap() {
            let value = value.as_str().unwrap().parse().unwrap();
            headers.append(name.parse::<http::HeaderName>().unwrap(), value);
        }
        records.push((path.file_stem().unwrap().to_string_lossy().into_owned(), chain.collect(), headers));
    }
    assert!(records.len() > 10, "{writer}: {}", records.len());
    records
}

#[test]
fn what_skipper_and_traefik_send_is_read_and_written_byte_for_byte() {
    const CERT: &str = "x-forwarded-tls-client-cert";
    for (writer, dialect) in [("skipper", "skipper"), ("traefik", "traefik")] {
        let dialect: AnyDialect = dialect.parse().unwrap();
        for (name, chain, headers) in records(writer) {
            let told = dialect.decode(&headers).unwrap().unwrap();
            assert_eq!((&told.certificates, told.status), (&chain, None), "{writer}: {name}");
            assert_eq!(encode(&dialect, &chain, VerifyStatus::Success)[CERT], headers[CERT], "{name}");
        }
    }
}

#[test]
fn i7_our_traefik_info_is_traefiks_but_for_what_would_end_a_name() {
    const INFO: &str = "x-forwarded-tls-client-cert-info";
    let dialect: AnyDialect = "traefik-info".parse().unwrap();
    let text = |value: &http::HeaderValue| {
        let value = value.to_str().unwrap().replace('+', " ");
        percent_encoding::percent_decode_str(&value).decode_utf8().unwrap().into_owned()
    };
    for (name, chain, headers) in records("traefik") {
        let ours = text(&encode(&dialect, &chain, VerifyStatus::Success)[INFO]);
        let names = |text: &str| text.replace("%22", "\"").replace("%3B", ";").replace("%2C", ",");
        assert_eq!(names(&ours), names(&text(&headers[INFO])), "{name}");

        // No attribute and no name more than the certificate has, to a reader that looks at nothing but `,`.
        let identity = ClientIdentity::from_der(&chain[0]).unwrap();
        let parts = |field: &str| {
            let (_, rest) = ours.split_once(&format!("{field}=\"")).unwrap_or_default();
            rest.split('"').next().unwrap().split(',').filter(|part| !part.is_empty()).count()
        };
        assert!(parts("Subject") <= identity.subject().attributes().count(), "{name}: {ours}");
        assert!(parts("SAN") <= identity.subject_alt_names().unwrap().len(), "{name}: {ours}");

        // One field of each kind, to a reader that looks at nothing but `;`, and no quotes but the fields' own.
        let mut kinds: Vec<_> = ours.split(';').map(|field| field.split_once('=').unwrap().0).collect();
        assert_eq!(ours.matches('"').count(), 2 * kinds.len(), "{name}: {ours}");
        let all = kinds.len();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), all, "{name}: {ours}");
    }
}
