//! What a CRL costs by its length: at the start, in memory, and for each client that was not seen before.
//!
//! `cargo bench -p tower-client-cert-benches --bench crl`

#[path = "../tests/it/forge_crl.rs"]
#[allow(dead_code)]
mod forge_crl;
#[path = "../tests/it/pki.rs"]
#[allow(dead_code)]
mod pki;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, UnixTime};
use tower_client_cert::ClientAuthPolicy;

use crate::forge_crl::{Entry, ForgedCrl};
use crate::pki::Authority;

const CLIENTS: u32 = 200;

fn main() {
    // A process for each, since another's memory would be reused. `cargo bench` itself passes `--bench`.
    let arguments: Vec<_> = std::env::args().collect();
    if let [_, entries, folder] = &*arguments {
        return measure(entries, Path::new(folder));
    }
    println!(
        "| entries | PEM | start | memory | a new client | a client seen before |\n|---|---|---|---|---|---|"
    );
    for entries in [0, 1_000, 100_000, 1_000_000] {
        let folder = tempfile::tempdir().unwrap();
        prepare(entries, folder.path());
        let itself = std::env::current_exe().unwrap();
        let status = Command::new(itself).arg(entries.to_string()).arg(folder.path()).status();
        assert!(status.unwrap().success());
    }
}

fn prepare(entries: u64, folder: &Path) {
    let ca = Authority::root("client CA");
    std::fs::write(folder.join("ca.der"), ca.der()).unwrap();
    for number in 0..CLIENTS {
        let client = ca.client(&format!("client {number}"));
        std::fs::write(folder.join(number.to_string()), &client.chain[0]).unwrap();
    }
    let now = UnixTime::now().as_secs() as i64;
    let mut crl = ForgedCrl::new(now - 60, now + 86_400);
    // Scattered, as random serial numbers are.
    crl.entries =
        (1..=entries).map(|entry| Entry::new(entry.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 1)).collect();
    let pem = pem::encode(&pem::Pem::new("X509 CRL", crl.of(&ca).as_ref()));
    std::fs::write(folder.join("crl.pem"), pem).unwrap();
}

fn measure(entries: &str, folder: &Path) {
    let now = UnixTime::now();
    let read = |name: &str| CertificateDer::from(std::fs::read(folder.join(name)).unwrap());
    let clients: Vec<_> = (0..CLIENTS).map(|number| vec![read(&number.to_string())]).collect();
    let path = folder.join("crl.pem");
    let bytes = std::fs::metadata(&path).unwrap().len();

    let before = resident();
    let start = Instant::now();
    let verifier = ClientAuthPolicy::RequireAndVerifyClientCert
        .verifier()
        .provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .roots([read("ca.der")])
        .crls_from_file(&path)
        .build()
        .unwrap();
    let start = start.elapsed();
    let memory = resident().saturating_sub(before);

    let judge_all = || -> Duration {
        let begun = Instant::now();
        for chain in &clients {
            assert!(verifier.judge(chain.clone(), now).unwrap().unwrap().is_verified());
        }
        begun.elapsed() / CLIENTS
    };
    let (new, seen) = (judge_all(), judge_all());
    println!("| {entries} | {} KiB | {start:.1?} | {memory} KiB | {new:.1?} | {seen:.1?} |", bytes / 1024);
}

/// The memory of this process that is in use, in KiB; 0 where there is no `/proc`.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
