//! What a CRL costs by its length: at the start, in memory, and for each client that was not seen before.
//!
//! `cargo bench --bench crl`

#[path = "../tests/it/forge_crl.rs"]
#[allow(dead_code)]
mod forge_crl;
#[path = "../tests/it/pki.rs"]
#[allow(dead_code)]
mod pki;

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::UnixTime;
use tower_client_cert::ClientAuthPolicy;

use crate::forge_crl::{Entry, ForgedCrl};
use crate::pki::Authority;

const CLIENTS: u32 = 200;

fn main() {
    // A process for each, so that one does not reuse the memory of another. `cargo bench` passes `--bench`.
    if let Some(entries) = std::env::args().nth(1).and_then(|argument| argument.parse().ok()) {
        return measure(entries);
    }
    println!(
        "| entries | DER | start | memory | a new client | a client seen before |\n|---|---|---|---|---|---|"
    );
    for entries in [0, 1_000, 100_000, 1_000_000] {
        let itself = std::env::current_exe().unwrap();
        assert!(Command::new(itself).arg(entries.to_string()).status().unwrap().success());
    }
}

fn measure(entries: u64) {
    let now = UnixTime::now();
    let ca = Authority::root("client CA");
    let clients: Vec<_> = (0..CLIENTS).map(|number| ca.client(&format!("client {number}")).chain).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crl.pem");
    let bytes = {
        let mut crl = ForgedCrl::new(now.as_secs() as i64 - 60, now.as_secs() as i64 + 86_400);
        // Scattered, as random serial numbers are.
        crl.entries =
            (1..=entries).map(|entry| Entry::new(entry.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 1)).collect();
        let crl = crl.of(&ca);
        std::fs::write(&path, pem::encode(&pem::Pem::new("X509 CRL", crl.as_ref()))).unwrap();
        crl.len()
    };

    let before = resident();
    let start = Instant::now();
    let verifier = ClientAuthPolicy::RequireAndVerifyClientCert
        .verifier()
        .provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .roots([ca.der()])
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
