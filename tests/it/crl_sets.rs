//! Random sets of CRLs, judged beside `openssl verify -crl_check_all`.
//!
//! `CRL_SETS=3000 cargo test --all-features --test it -- crl_sets` looks at more of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rcgen::SerialNumber;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use tower_client_cert::{ClientAuthPolicy, ClientVerifier, UnverifiedReason, Verification};

use crate::forge_crl::{
    ATTRIBUTE, CA, CERTIFICATE_ISSUER, DELTA, Entry, ForgedCrl, INDIRECT, USER, authority_key,
    certificate_issuer, distribution_points, extension, integer, issuing_point, some_reasons,
};
use crate::harness::verifier;
use crate::pki::{Authority, Identity, der, unknown_extension};

const DAY: i64 = 86_400;
const A: &str = "http://ca.test/a.crl";
const B: &str = "http://ca.test/b.crl";

/// What is not as OpenSSL has it: stricter, and a row in the guide's table, which has these words.
const STRICTER: [&str; 9] = [
    "has expired",
    "`thisUpdate` is the same",
    "delta",
    "`onlySomeReasons`",
    "indirect",
    "`removeFromCRL`",
    "version 1",
    "no `nextUpdate`",
    "critical extension",
];

/// Two roots of one name, two intermediates of one name, and a stranger who has that name too.
struct World {
    authorities: [Authority; 5],
    clients: Vec<Client>,
    folder: tempfile::TempDir,
}

struct Client {
    name: String,
    serial: u64,
    issuers: [usize; 2],
    identity: Identity,
    reasons: bool,
}

const ROOTS: [usize; 2] = [0, 1];
const INTERMEDIATES: [usize; 2] = [2, 3];
const STRANGER: usize = 4;

impl World {
    fn new() -> Self {
        let serial = |serial: u64| Some(SerialNumber::from(serial));
        let root = |number| Authority::root_with("root CA", |params| params.serial_number = serial(number));
        let roots = [root(1), root(2)];
        let intermediate = |number, root: &Authority| {
            root.intermediate_with("intermediate CA", |params| {
                params.serial_number = serial(number);
                params.use_authority_key_identifier_extension = true;
            })
        };
        let intermediates = [intermediate(11, &roots[0]), intermediate(12, &roots[1])];
        let mut clients = Vec::new();
        for (place, issuer) in intermediates.iter().enumerate() {
            let points: [(&str, &[&str], bool); 5] = [
                ("plain", &[], false),
                ("at-a", &[A], false),
                ("at-b", &[B], false),
                ("at-both", &[B, A], false),
                ("for-reasons", &[A], true),
            ];
            for (number, (name, points, reasons)) in points.into_iter().enumerate() {
                let number = 100 + 10 * place as u64 + number as u64;
                let identity = issuer.issue(name, |params| {
                    params.serial_number = serial(number);
                    params.use_authority_key_identifier_extension = true;
                    params.not_before = time::OffsetDateTime::now_utc() - time::Duration::days(100);
                    params.not_after = time::OffsetDateTime::now_utc() + time::Duration::days(100);
                    if !points.is_empty() {
                        let value = distribution_points(points, reasons);
                        let oid = [2, 5, 29, 31];
                        params.custom_extensions.push(rcgen::CustomExtension::from_oid_content(&oid, value));
                    }
                });
                let identity = identity.with(intermediates.iter().map(Authority::der));
                let issuers = [INTERMEDIATES[place], ROOTS[place]];
                let name = format!("{name}-{place}");
                clients.push(Client { name, serial: number, issuers, identity, reasons });
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, pem: String| std::fs::write(folder.path().join(name), pem).unwrap();
        write("roots.pem", roots.iter().map(Authority::pem).collect());
        write("intermediates.pem", intermediates.iter().map(Authority::pem).collect());
        for client in &clients {
            let certificate = client.identity.chain[0].as_ref();
            write(&client.name, pem::encode(&pem::Pem::new("CERTIFICATE", certificate)));
        }
        let [first, second] = roots;
        let [third, fourth] = intermediates;
        let stranger = Authority::root("intermediate CA");
        Self { authorities: [first, second, third, fourth, stranger], clients, folder }
    }

    fn verifier(&self, set: &[List]) -> Result<std::sync::Arc<ClientVerifier>, String> {
        let roots = ROOTS.map(|place| self.authorities[place].der());
        let crls = set.iter().map(|list| list.der.clone());
        let builder = verifier(ClientAuthPolicy::RequestClientCert).roots(roots).crls(crls);
        builder.build().map_err(|error| error.to_string())
    }

    /// What OpenSSL says of each client: the numbers of the errors below the root.
    fn openssl<'a>(&self, set: impl Iterator<Item = &'a List>, now: i64) -> BTreeMap<&str, Vec<u32>> {
        let path = |name: &str| self.folder.path().join(name);
        let lists: String =
            set.map(|list| pem::encode(&pem::Pem::new("X509 CRL", list.der.as_ref()))).collect();
        std::fs::write(path("set.crl"), &lists).unwrap();
        let mut command = Command::new("openssl");
        command.args(["verify", "-no-CApath", "-no-CAstore", "-crl_check_all", "-attime", &now.to_string()]);
        if !lists.is_empty() {
            command.arg("-CRLfile").arg(path("set.crl"));
        }
        command.arg("-CAfile").arg(path("roots.pem")).arg("-untrusted").arg(path("intermediates.pem"));
        command.args(self.clients.iter().map(|client| path(&client.name)));
        // Its messages stand after the name of the certificate's subject, and before the certificate's file.
        let output = command.output().expect("openssl is installed");
        let text = String::from_utf8(output.stderr).unwrap();
        let mut all: BTreeMap<_, _> = self.clients.iter().map(|client| (&*client.name, vec![])).collect();
        let mut errors = Vec::new();
        for line in text.lines() {
            if let Some(error) = line.strip_prefix("error ") {
                let Some((number, rest)) = error.split_once(" at ") else {
                    // `error FILE: verification failed`
                    let file = Path::new(error.split(": ").next().unwrap());
                    let name = file.file_name().unwrap().to_str().unwrap();
                    *all.get_mut(name).unwrap() = std::mem::take(&mut errors);
                    continue;
                };
                let depth: u32 = rest.split(' ').next().unwrap().parse().unwrap();
                if depth < 2 {
                    errors.push(number.parse().unwrap());
                }
            }
        }
        assert!(errors.is_empty(), "{text}");
        all
    }
}

/// A CRL, and what is special about it.
#[derive(Clone, Debug)]
struct List {
    signer: usize,
    der: CertificateRevocationListDer<'static>,
    next_update: i64,
    this_update: i64,
    words: Vec<&'static str>,
}

struct Random(u64);

impl Random {
    /// SplitMix64.
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    /// Some lists, of which those of the CAs that matter are often complete.
    fn set(&mut self, world: &World, base: i64) -> Vec<List> {
        let mut set = Vec::new();
        for signer in [ROOTS, INTERMEDIATES].concat() {
            if !self.one_in(8) {
                set.push(self.list(world, base, signer, true));
            }
        }
        for _ in 0..self.below(6) {
            let signer = self.of(&[0, 1, 2, 2, 2, 3, 3, STRANGER]);
            let plain = !self.one_in(3);
            set.push(self.list(world, base, signer, plain));
        }
        if self.one_in(6) {
            set.push(set[self.below(set.len())].clone());
        }
        for place in (1..set.len()).rev() {
            set.swap(place, self.below(place + 1));
        }
        set
    }

    fn list(&mut self, world: &World, base: i64, signer: usize, plain: bool) -> List {
        let authority = &world.authorities[signer];
        let this_update = base + DAY * self.of(&[-30, -20, -10, -10, -5, -2, 1, 8]);
        let next_update = this_update + DAY * self.of(&[4, 12, 40, 40, 60]);
        let mut crl = ForgedCrl::new(this_update, next_update);
        let mut words = Vec::new();

        let serials = if signer < 2 {
            vec![11, 12]
        } else {
            world.clients.iter().map(|client| client.serial).collect()
        };
        for serial in serials {
            if self.one_in(if signer < 2 { 12 } else { 6 }) {
                let entry = Entry::new(serial);
                crl.entries.push(match self.below(12) {
                    // certificateHold
                    0 => entry.because(6),
                    1 if !plain => {
                        words.push("`removeFromCRL`");
                        entry.because(8)
                    }
                    _ => entry,
                });
            }
        }
        match self.below(10) {
            0 => {}
            1 if !plain => crl.extensions.push(authority_key(&world.authorities[self.below(5)])),
            2 => {
                let names = der(0xA1, &der(0xA4, &world.authorities[0].subject()));
                let serial = der(0x82, &integer(signer as u64 + 1));
                let value = der(0x30, &[names, serial].concat());
                let roots = signer < 2;
                crl.extensions.push(if roots {
                    extension(35, false, &value)
                } else {
                    authority_key(authority)
                });
            }
            _ => crl.extensions.push(authority_key(authority)),
        }
        if !plain || self.one_in(3) {
            match self.below(if plain { 5 } else { 16 }) {
                0 => crl.extensions.push(issuing_point(&[], &[USER])),
                1 => crl.extensions.push(issuing_point(&[], &[CA])),
                2 | 10 => crl.extensions.push(issuing_point(&[A], &[])),
                3 | 11 => crl.extensions.push(issuing_point(&[B, A], &[])),
                4 => crl.extensions.push(issuing_point(&[B], &[USER])),
                5 => {
                    words.push("delta");
                    crl.extensions.push(extension(DELTA, true, &der(0x02, &[3])));
                }
                6 => {
                    words.push("`onlySomeReasons`");
                    crl.extensions.push(some_reasons());
                }
                7 => {
                    words.push("indirect");
                    crl.extensions.push(issuing_point(&[], &[INDIRECT]));
                    crl.entries.push(Entry {
                        serial: integer(world.clients[self.below(5)].serial),
                        extensions: vec![certificate_issuer(&world.authorities[0])],
                    });
                }
                8 => crl.extensions.push(issuing_point(&[], &[ATTRIBUTE])),
                9 => {
                    words.push("critical extension");
                    let unknown = unknown_extension(true, 3);
                    let oid = der(0x06, &[0x2B, 0x06, 0x01, 0x04, 0x01, 0x86, 0x8D, 0x1F, 0x01]);
                    let value = der(0x04, unknown.content());
                    crl.extensions.push(der(0x30, &[oid, der(0x01, &[0xFF]), value].concat()));
                }
                12 => {
                    words.push("critical extension");
                    let critical = extension(24, true, &der(0x18, b"20240101000000Z"));
                    crl.entries.push(Entry { serial: integer(4711), extensions: vec![critical] });
                }
                13 if self.one_in(3) => {
                    words.push("no `nextUpdate`");
                    crl.next_update = None;
                }
                14 if self.one_in(3) => {
                    words.push("version 1");
                    (crl.version, crl.extensions) = (None, vec![]);
                    crl.entries.retain(|entry| entry.extensions.is_empty());
                }
                15 => {
                    words.push("indirect");
                    let issuer = extension(CERTIFICATE_ISSUER, true, &der(0x30, &der(0x82, b"x.test")));
                    crl.entries.push(Entry { serial: integer(4712), extensions: vec![issuer] });
                }
                _ => {}
            }
        }
        List { signer, der: crl.signed_by(authority), next_update, this_update, words }
    }
}

fn judge(verifier: &ClientVerifier, chain: &[CertificateDer<'static>], now: i64) -> Verification {
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now as u64));
    verifier.judge(chain.to_vec(), now).unwrap().unwrap().verification()
}

#[test]
fn crl_sets_are_judged_as_openssl_does_or_more_strictly_and_the_guide_says_where() {
    let sets = std::env::var("CRL_SETS").map_or(150, |sets| sets.parse().unwrap());
    let seed = std::env::var("CRL_SEED").map_or(20_261_125, |seed| seed.parse().unwrap());
    let guide = include_str!("../../src/docs/revocation.md");
    for words in STRICTER {
        assert!(guide.lines().any(|row| row.starts_with('|') && row.contains(words)), "no row for {words}");
    }
    let world = World::new();
    let base = UnixTime::now().as_secs() as i64;
    let mut random = Random(seed);
    let mut wrong = Vec::new();
    let (mut same, mut stricter, mut refused, mut good) = (0, BTreeMap::new(), 0, 0);
    for number in 0..sets {
        let set = random.set(&world, base);
        // Odd, so that it is no certificate's first or last second.
        let now = base + DAY * random.of(&[0, 0, 3, 9]) + 7;
        let built = world.verifier(&set);
        let mut theirs = world.openssl(set.iter(), now);
        let mut without_others = BTreeMap::new();
        for client in &world.clients {
            let mut errors = theirs.remove(&*client.name).unwrap();
            if errors.contains(&8) {
                // It takes a list of another key of that name, and fails: here such a list is passed over.
                let own = set.iter().filter(|list| client.issuers.contains(&list.signer));
                let again = without_others.entry(client.issuers).or_insert_with(|| world.openssl(own, now));
                errors.clone_from(&again[&*client.name]);
            }
            let case = || format!("set {number}, {}: {errors:?}, {built:?}", client.name);
            let words = || set.iter().flat_map(|list| list.words.iter().copied());
            let ours = match &built {
                Ok(verifier) => judge(verifier, &client.identity.chain, now),
                Err(error) => {
                    assert!(
                        error.contains("CRL of CN=") && error.contains(" UTC, can't be used: "),
                        "{error}"
                    );
                    refused += 1;
                    continue;
                }
            };
            match (ours, errors.as_slice()) {
                (Verification::Verified, []) => good += 1,
                (Verification::Unverified(_), [_, ..]) => same += 1,
                (Verification::Verified, _) => wrong.push(format!("looser: {}", case())),
                (Verification::Unverified(reason), []) => {
                    let expired = |list: &List| list.this_update <= now && list.next_update <= now;
                    let tie = |list: &List| {
                        set.iter().filter(|other| other.this_update == list.this_update).count() > 1
                    };
                    let known = match reason {
                        UnverifiedReason::ExpiredCrl => set.iter().any(expired).then_some("has expired"),
                        UnverifiedReason::UnknownRevocationStatus | UnverifiedReason::CrlNotYetValid => {
                            words().find(|words| ["delta", "indirect", "`onlySomeReasons`"].contains(words))
                        }
                        UnverifiedReason::Revoked => words()
                            .find(|words| *words != "critical extension")
                            .or_else(|| set.iter().any(tie).then_some("`thisUpdate` is the same")),
                        _ => None,
                    };
                    match known {
                        Some(words) => *stricter.entry(words).or_insert(0) += 1,
                        None => wrong.push(format!("stricter: {reason}, {}", case())),
                    }
                }
            }
            assert!(!client.reasons || ours != Verification::Verified, "{}", case());
        }
        // A verdict is remembered as long as it holds, and no longer.
        if let Ok(verifier) = &built {
            let chain = &world.clients[random.below(world.clients.len())].identity.chain;
            let times: Vec<_> = (0..6).map(|_| base + DAY * random.below(70) as i64 - 30 * DAY).collect();
            for now in times.iter().chain(&times) {
                let fresh = judge(&world.verifier(&set).unwrap(), chain, *now);
                assert_eq!(judge(verifier, chain, *now), fresh, "set {number}, at {now}");
            }
        }
    }
    println!("{sets} sets: both good {good}, both bad {same}, stricter {stricter:?}, not started {refused}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(good > sets && same > sets, "the sets are worth nothing: {good} good, {same} bad");
}
