//! Nothing in a PEM file is lost in silence: every shape that people hand over is read, or refused by file and line.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier as _;
use time::Duration;
use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor, ClientVerifier, VerifierError};

use crate::harness::verifier;
use crate::pem_shapes::{
    Fate::{self, Read, Refused},
    OLD_LABELS, Pem, SHAPES,
};
use crate::pki::{Authority, Identity};

fn strict() -> tower_client_cert::ClientVerifierBuilder {
    verifier(ClientAuthPolicy::RequireAndVerifyClientCert)
}

/// What is in the file is read, or the error names file, line and cure.
fn check<T>(result: Result<T, impl std::fmt::Display>, path: &Path, fate: Fate, what: &str) -> Option<T> {
    match (result, fate) {
        (Ok(read), Read) => return Some(read),
        (Ok(_), Refused(_)) => panic!("{what} was taken"),
        (Err(error), Read) => panic!("{what}: {error}"),
        (Err(error), Refused(cure)) => {
            let error = error.to_string();
            assert!(error.contains(path.to_str().unwrap()), "{what}: {error}");
            assert!(error.contains(cure), "{what} should name {cure}: {error}");
            assert!(error.contains("line ") || error.contains("has no"), "{what}: {error}");
            assert!(!error.contains(['\n', '\0']) && !error.contains("MII"), "{what}: {error}");
        }
    }
    None
}

fn trusts(verifier: &ClientVerifier, client: &Identity) -> bool {
    verifier.judge(client.chain.clone(), UnixTime::now()).unwrap().unwrap().is_verified()
}

#[test]
fn i11_a_client_ca_in_every_shape_is_read_or_refused_wherever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    let cas = ["a", "b", "c"].map(Authority::root);
    let clients = cas.each_ref().map(|ca| ca.client("alice"));
    let [first, shaped, last] = cas.each_ref().map(|ca| Pem::new("CERTIFICATE", &ca.der()));
    for shape in SHAPES.iter().chain(OLD_LABELS) {
        let odd = (shape.make)(&shaped);
        for (place, file) in [
            ("alone", odd.clone()),
            ("at the beginning", format!("{odd}\n{}", last.text)),
            ("at the end", format!("{}{odd}", first.text)),
            ("in the middle", format!("{}{odd}\n{}", first.text, last.text)),
        ] {
            std::fs::write(&path, &file).unwrap();
            let what = format!("{}, {place}", shape.name);
            // Other CAs of the same command line do not help.
            let result = strict().roots([Authority::root("other").der()]).roots_from_file(&path).build();
            let Some(verifier) = check(result, &path, shape.fate, &what) else { continue };
            assert!(trusts(&verifier, &clients[1]), "{what}");
            assert_eq!(trusts(&verifier, &clients[0]), file.starts_with(&first.text), "{what}");
            assert_eq!(trusts(&verifier, &clients[2]), file.ends_with(&last.text), "{what}");
        }
    }
}

#[test]
fn i11_a_crl_in_every_shape_is_read_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.crl");
    let cas = ["a", "b"].map(Authority::root);
    let clients = cas.each_ref().map(|ca| ca.client("alice"));
    let [plain, shaped] = cas.each_ref().map(|ca| Pem::new("X509 CRL", &ca.crl(&[], Duration::days(1))));
    for shape in SHAPES {
        let odd = (shape.make)(&shaped);
        for file in [format!("{odd}\n{}", plain.text), format!("{}{odd}", plain.text)] {
            std::fs::write(&path, &file).unwrap();
            let result = strict().roots(cas.each_ref().map(Authority::der)).crls_from_file(&path).build();
            let Some(verifier) = check(result, &path, shape.fate, shape.name) else { continue };
            // Without its CRL no client of a CA is verified.
            assert!(clients.iter().all(|client| trusts(&verifier, client)), "{}", shape.name);
        }
    }
}

#[test]
fn i11_a_server_chain_and_key_in_every_shape_are_read_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("tls.crt"), dir.path().join("tls.key"));
    let issuer = Authority::root("root").intermediate("issuer");
    let server = issuer.server(&["localhost"]);
    let leaf = Pem::new("CERTIFICATE", &server.chain[0]);
    let intermediate = Pem::new("CERTIFICATE", &issuer.der());
    let private = Pem::new("PRIVATE KEY", server.key.secret_der());
    let acceptor = || {
        let verifier = verifier(ClientAuthPolicy::NoClientCert).build().unwrap();
        ClientCertAcceptor::from_files(&cert, &key, verifier, |_| {})
    };
    std::fs::write(&key, &private.text).unwrap();
    for shape in SHAPES.iter().chain(OLD_LABELS) {
        for file in [
            format!("{}\n{}", (shape.make)(&leaf), intermediate.text),
            format!("{}{}", leaf.text, (shape.make)(&intermediate)),
        ] {
            std::fs::write(&cert, file).unwrap();
            check(acceptor(), &cert, shape.fate, shape.name);
        }
    }
    std::fs::write(&cert, &leaf.text).unwrap();
    for shape in SHAPES {
        std::fs::write(&key, (shape.make)(&private)).unwrap();
        check(acceptor(), &key, shape.fate, shape.name);
    }
}

/// Files as they are joined and cut, of which a part can be told from the whole.
#[test]
fn i11_joined_and_cut_files_are_read_whole_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    let [a, b] = ["a", "b"].map(Authority::root);
    let clients = [a.client("alice"), b.client("alice")];
    let [a, b] = [a, b].map(|ca| Pem::new("CERTIFICATE", &ca.der()).text);
    let build = |file: &str| {
        std::fs::write(&path, file).unwrap();
        strict().roots_from_file(&path).build()
    };

    // printf '%s%s\n' "$(cat a.pem)" "$(cat b.pem)"
    let joined = format!("{}{b}", a.trim_end());
    check(build(&joined), &path, Refused("put a line break between them"), "joined");
    let error = build(&joined).unwrap_err();
    let line = a.lines().count();
    assert!(matches!(error, VerifierError::Pem { line: named, .. } if named == line), "{error}");

    for end in ["\n", "\r\n", "\r"] {
        let both = format!("# first\n{a}# second\n{b}").replace('\n', end);
        let first = both.find("-----END").unwrap() + "-----END CERTIFICATE-----".len();
        let second = both.find("# second").unwrap();
        for length in 0..both.len() {
            let kept = &both[..length];
            match build(kept) {
                Ok(verifier) => {
                    // Text between blocks can't be told from the whole of it.
                    let between = (first..=second + "# second".len() + end.len()).contains(&length);
                    let whole = length + end.len() >= both.len();
                    assert!(between || whole, "{length} of {}", both.len());
                    assert_eq!(trusts(&verifier, &clients[1]), whole);
                }
                Err(error) => assert!(error.to_string().contains(path.to_str().unwrap()), "{error}"),
            }
        }
    }
    for empty in ["", "\n", " \r\n\t\n", "# nothing\n", "{}", "<!DOCTYPE html>\n<p>404</p>\n", "0 CAs\n"] {
        check(build(empty), &path, Refused("has no certificate in it: expected"), empty);
    }
    let from_bytes = strict().roots_from_pem(joined).build().unwrap_err().to_string();
    assert!(from_bytes.starts_with("the value given to the builder is not valid PEM: line "), "{from_bytes}");

    // A text may begin with a digit, as DER does.
    assert!(trusts(&build(&format!("0 s:CN = a\n{a}")).unwrap(), &clients[0]));
}

/// How many certificates OpenSSL finds. `None` if it refuses the file.
fn counted_by_openssl(file: &Path) -> Option<usize> {
    let bundle = Command::new("openssl")
        .args(["crl2pkcs7", "-nocrl", "-certfile"])
        .arg(file)
        .stderr(Stdio::null())
        .output()
        .unwrap();
    if !bundle.status.success() {
        return None;
    }
    let mut print = Command::new("openssl")
        .args(["pkcs7", "-print_certs", "-noout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    print.stdin.take().unwrap().write_all(&bundle.stdout).unwrap();
    let printed = String::from_utf8(print.wait_with_output().unwrap().stdout).unwrap();
    Some(printed.lines().filter(|line| line.starts_with("subject=")).count())
}

#[test]
fn i11_what_is_taken_has_every_certificate_that_openssl_has() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    let [plain, shaped] = ["a", "b"].map(|name| Pem::new("CERTIFICATE", &Authority::root(name).der()));
    let mut refused_though_read = Vec::new();
    for shape in SHAPES.iter().chain(OLD_LABELS) {
        std::fs::write(&path, format!("{}{}\n", plain.text, (shape.make)(&shaped))).unwrap();
        let theirs = counted_by_openssl(&path);
        match strict().roots_from_file(&path).build() {
            // Names of CAs are sent once each, and these differ.
            Ok(verifier) => {
                assert!(verifier.root_hint_subjects().len() >= theirs.unwrap_or(2), "{}", shape.name);
            }
            Err(_) if theirs == Some(2) => refused_though_read.push(shape.name),
            Err(_) => {}
        }
    }
    // x86's OpenSSL takes bytes above 127 for blanks, at the end of a line; and `=` or `-` for the end.
    assert!(refused_though_read.is_empty(), "{refused_though_read:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn i11_no_bundle_loses_a_ca_in_silence(picks in prop::collection::vec((0..SHAPES.len(), any::<bool>()), 1..6)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let mut file = String::new();
        let mut clients = Vec::new();
        let mut readable = true;
        for (index, (pick, plain)) in picks.into_iter().enumerate() {
            // Every other one is plain, or hardly a bundle would be read.
            let shape = &SHAPES[if plain { 0 } else { pick }];
            let ca = Authority::root(&format!("CA {index}"));
            file += &(shape.make)(&Pem::new("CERTIFICATE", &ca.der()));
            if !file.ends_with(['\n', '\r']) {
                file.push('\n');
            }
            clients.push(ca.client("alice"));
            readable &= shape.fate == Read;
        }
        std::fs::write(&path, file).unwrap();
        match strict().roots_from_file(&path).build() {
            Ok(verifier) => prop_assert!(readable && clients.iter().all(|client| trusts(&verifier, client))),
            Err(error) => prop_assert!(!readable && error.to_string().contains(path.to_str().unwrap()), "{}", error),
        }
    }
}
