//! What real Apache, Caddy, Envoy, HAProxy and nginx sent, in many settings: `tests/data/recorded`.

use std::path::{Path, PathBuf};

use http::HeaderMap;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use tower_client_cert::dialect::{AnyDialect, Dialect, ForwardedCert, VerifyStatus};

/// What arrived behind a writer, and what the client had presented to it.
struct Record {
    /// The client, such as `self-made-resumed`.
    client: String,
    dialect: String,
    presented: Vec<CertificateDer<'static>>,
    headers: HeaderMap,
}

impl Record {
    fn read(path: &Path) -> Self {
        let record: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let pem = record["presented_pem"].as_array().unwrap().iter();
        let mut headers = HeaderMap::new();
        for (name, value) in record["headers"].as_object().unwrap() {
            // A character is a byte.
            let bytes: Vec<u8> = value.as_str().unwrap().chars().map(|c| u8::try_from(c).unwrap()).collect();
            let value = http::HeaderValue::from_bytes(&bytes).unwrap();
            headers.append(name.parse::<http::HeaderName>().unwrap(), value);
        }
        Self {
            client: path.file_stem().unwrap().to_string_lossy().into_owned(),
            dialect: record["dialect"].as_str().unwrap().to_owned(),
            presented: pem
                .map(|pem| CertificateDer::from_pem_slice(pem.as_str().unwrap().as_bytes()).unwrap())
                .collect(),
            headers,
        }
    }

    fn decode(&self) -> Option<ForwardedCert> {
        let told = self.dialect.parse::<AnyDialect>().unwrap().decode(&self.headers);
        told.unwrap_or_else(|error| panic!("{}, {}: {error}", self.dialect, self.client))
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Every setting of a writer, by its folder's name, with all that was recorded of it.
fn settings(writer: &str) -> Vec<(String, Vec<Record>)> {
    let folder = PathBuf::from(format!("{}/data/recorded/{writer}", env!("CARGO_MANIFEST_DIR")));
    let named = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let settings = entries(&folder);
    settings
        .iter()
        .map(|path| (named(path), entries(path).iter().map(|file| Record::read(file)).collect()))
        .collect()
}

fn certificates(told: Option<ForwardedCert>) -> Vec<CertificateDer<'static>> {
    told.map(|told| told.certificates).unwrap_or_default()
}

#[test]
fn every_client_is_read_as_what_it_presented() {
    let mut read = 0;
    for writer in ["apache", "caddy", "haproxy", "nginx"] {
        for (setting, records) in settings(writer) {
            for record in records {
                let told = certificates(record.decode());
                // Which of them pass on the chain, and when, is theirs; nobody adds anything.
                assert!(record.presented.starts_with(&told), "{writer}, {setting}, {}", record.client);
                assert_eq!(
                    told.is_empty(),
                    record.presented.is_empty(),
                    "{writer}, {setting}, {}",
                    record.client
                );
                read += 1;
            }
        }
    }
    assert!(read > 100, "{read}");
}

#[test]
fn envoy_is_read_as_what_was_presented_in_text_and_in_json_and_behind_two() {
    let mut read = 0;
    for (setting, records) in settings("envoy") {
        let honest = ["nobody", "alice", "alice-of-an-intermediate", "subject"];
        let honest = records.iter().filter(|record| honest.contains(&record.client.as_str()));
        for record in honest.filter(|_| !setting.contains("names-alone")) {
            let told = certificates(record.decode());
            assert_eq!(told, record.presented, "{setting}, {}", record.client);
            read += 1;
        }
    }
    assert!(read > 30, "{read}");
}

/// Envoy quotes no names in its text, so a client's own can look like a field, or like another proxy's element.
#[test]
fn i7_behind_envoy_nobody_becomes_somebody_else_whatever_is_in_their_names() {
    let mut refused = 0;
    for (setting, records) in settings("envoy") {
        for record in records {
            let dialect: AnyDialect = record.dialect.parse().unwrap();
            match dialect.decode(&record.headers) {
                Ok(told) => {
                    let told = certificates(told);
                    assert!(record.presented.starts_with(&told), "{setting}, {}", record.client);
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn only_apache_with_sessions_of_tls_1_2_takes_a_self_made_certificate_for_verified() {
    for writer in ["apache", "haproxy", "nginx"] {
        for (setting, records) in settings(writer) {
            for record in records.iter().filter(|record| record.client.starts_with("self-made")) {
                // nginx's `optional` answers such a client itself.
                let Some(told) = record.decode().filter(|told| !told.certificates.is_empty()) else {
                    continue;
                };
                let believed = told.status == Some(VerifyStatus::Success);
                let known =
                    (setting.as_str(), record.client.as_str()) == ("optional-no-ca", "self-made-resumed");
                assert_eq!(believed, known && writer == "apache", "{writer}, {setting}, {}", record.client);
            }
        }
    }
}

#[test]
fn on_resumed_sessions_apache_and_haproxy_send_no_chain() {
    for writer in ["apache", "haproxy"] {
        for (setting, records) in settings(writer) {
            let with_sessions = !setting.contains("sessioncache-none");
            let is = |record: &&Record| record.client == "alice-of-an-intermediate-resumed";
            let resumed = records.iter().find(is);
            assert_eq!(resumed.is_some(), with_sessions, "{writer}, {setting}");
            if let Some(record) = resumed {
                assert_eq!(certificates(record.decode()), record.presented[..1], "{writer}, {setting}");
            }
        }
    }
}
