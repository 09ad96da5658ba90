//! What else people hand over gets a message that names it and the command that converts it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier as _;
use tempfile::TempDir;
use time::Duration;
use tower_client_cert::{
    ClientAuthPolicy, ClientCertAcceptor, ServerCertError, UnverifiedReason, Verification, VerifierError,
};

use crate::harness::verifier;
use crate::log::capture;
use crate::pki::{Authority, Identity};

fn strict() -> tower_client_cert::ClientVerifierBuilder {
    verifier(ClientAuthPolicy::RequireAndVerifyClientCert)
}

/// A folder in which `openssl` has worked, or a test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), contents).unwrap();
        self.path(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs a line of a shell here.
    fn run(&self, line: &str) {
        let output = Command::new("sh")
            .args(["-ec", line])
            .current_dir(&self.0)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn acceptor(&self, cert: &str, key: &str) -> Result<ClientCertAcceptor, ServerCertError> {
        let verifier = verifier(ClientAuthPolicy::NoClientCert).build().unwrap();
        ClientCertAcceptor::from_files(self.path(cert), self.path(key), verifier, |_| {})
    }

    /// That the file is refused by name, and what with.
    fn refuses(&self, role: &str, name: &str, words: &[&str]) {
        let path = self.path(name);
        let error = match role {
            "client CAs" => strict().roots_from_file(&path).build().unwrap_err().to_string(),
            "CRLs" => strict()
                .roots([Authority::root("ca").der()])
                .crls_from_file(&path)
                .build()
                .unwrap_err()
                .to_string(),
            "chain" => self.acceptor(name, "good.key").unwrap_err().to_string(),
            "key" => self.acceptor("good.pem", name).unwrap_err().to_string(),
            _ => panic!("{role}"),
        };
        let file = path.to_str().unwrap();
        for word in words.iter().chain([&file]) {
            assert!(error.contains(word), "{name} for {role} should name {word}: {error}");
        }
        assert!(!error.contains('\n'), "{error}");
    }
}

/// A certificate and its key as `good.pem` and `good.key`, and in every format that `openssl` makes of them.
fn formats() -> Folder {
    let folder = Folder::new();
    folder.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -subj '/CN=good' -keyout good.key -out good.pem -days 9
         openssl pkcs12 -export -in good.pem -inkey good.key -passout pass:secret -out good.p12
         openssl crl2pkcs7 -nocrl -certfile good.pem -out good.p7b
         openssl crl2pkcs7 -nocrl -certfile good.pem -outform DER -out good.p7c
         openssl pkey -in good.key -aes256 -passout pass:secret -out encrypted.key
         openssl pkcs8 -topk8 -in good.key -outform DER -passout pass:secret -out encrypted.der
         openssl rsa -in good.key -aes256 -passout pass:secret -traditional -out old-encrypted.key
         openssl req -new -key good.key -subj '/CN=good' -out good.csr
         openssl req -in good.csr -outform DER -out csr.der
         openssl pkey -in good.key -pubout -out good.pub
         openssl pkey -in good.key -pubout -outform DER -out pub.der
         openssl x509 -in good.pem -outform DER -out good.der
         openssl pkey -in good.key -outform DER -out key.der
         openssl rsa -in good.key -traditional -outform DER -out pkcs1.der
         openssl rsa -in good.key -traditional -out pkcs1.key
         openssl x509 -in good.pem -addtrust serverAuth -trustout -out trusted.pem
         openssl x509 -in good.pem -addreject clientAuth -trustout -out rejected.pem
         openssl x509 -in good.pem -setalias a -trustout -out alias.pem
         openssl ecparam -name prime256v1 -genkey -out ec.key
         openssl req -x509 -key ec.key -subj '/CN=ec' -out ec.pem -days 9
         openssl ec -in ec.key -outform DER -out ec.der
         openssl genpkey -algorithm ED25519 -outform DER -out ed25519.der
         openssl req -x509 -keyform DER -key ed25519.der -subj '/CN=ed' -out ed25519.pem -days 9",
    );
    folder.write("good.jks", [0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2]);
    folder.write("ssh.key", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU=\n-----END OPENSSH PRIVATE KEY-----\n");
    folder
}

#[test]
fn i11_other_formats_are_named_with_the_command_that_converts_them() {
    let folder = formats();
    let ca = Authority::root("ca");
    folder.write("ca.crl", ca.crl_pem(&[], Duration::days(1)));
    folder.write("crl.der", ca.crl(&[], Duration::days(1)));
    let both = folder.read("good.pem") + &folder.read("ca.crl");
    folder.write("ca-and-crl.pem", both);
    folder.write("ca-and-csr.pem", folder.read("good.pem") + &folder.read("good.csr"));
    folder.write("two.key", folder.read("good.key") + &folder.read("ec.key"));
    folder.write("key-in-certificate.pem", folder.read("good.key").replace("PRIVATE KEY", "CERTIFICATE"));
    let trailing = [std::fs::read(folder.path("good.der")).unwrap(), b"\n".to_vec()].concat();
    folder.write("trailing.der", &trailing);
    folder.write("cut.der", &trailing[..trailing.len() / 2]);

    for role in ["client CAs", "chain"] {
        for (name, words) in [
            ("good.p12", &["PKCS#12", "openssl pkcs12 -nokeys -in"][..]),
            ("good.p7b", &["PKCS#7", "line 1", "openssl pkcs7 -print_certs -in"]),
            ("good.p7c", &["PKCS#7", "openssl pkcs7 -inform DER -print_certs"]),
            ("good.jks", &["Java keystore", "keytool"]),
            ("good.csr", &["certificate request", "line 1", "CA"]),
            ("csr.der", &["certificate request", "CA"]),
            ("good.pub", &["public key", "line 1"]),
            ("pub.der", &["public key"]),
            ("good.key", &["no certificate in it", "private key", "line 1"]),
            ("key.der", &["no certificate in it", "private key"]),
            ("encrypted.key", &["no certificate in it", "encrypted private key", "line 1"]),
            ("ca.crl", &["a CRL", "line 1", "--client-crl", "crls_from_file"]),
            ("crl.der", &["a CRL", "--client-crl"]),
            ("ca-and-crl.pem", &["a CRL", "line ", "--client-crl"]),
            ("ca-and-csr.pem", &["certificate request", "line "]),
            ("trusted.pem", &["trust settings", "line 1", "openssl x509 -in"]),
            ("rejected.pem", &["trust settings", "line 1", "openssl x509 -in"]),
            ("key-in-certificate.pem", &["a private key", "line 1"]),
            ("trailing.der", &["DER", "follows its end"]),
            ("cut.der", &["DER", "cut off"]),
        ] {
            folder.refuses(role, name, words);
        }
    }
    for (name, words) in [
        ("good.pem", &["no CRL in it", "a certificate", "line 1", "--client-ca"][..]),
        ("good.der", &["no CRL in it", "a certificate", "--client-ca"]),
        ("ca-and-crl.pem", &["a certificate", "line 1", "--client-ca"]),
        ("good.p7b", &["PKCS#7"]),
    ] {
        folder.refuses("CRLs", name, words);
    }
    for (name, words) in [
        ("encrypted.key", &["no private key", "encrypted", "openssl pkey -in"][..]),
        ("old-encrypted.key", &["no private key", "encrypted", "openssl pkey -in"]),
        ("encrypted.der", &["no private key", "encrypted", "openssl pkey -inform DER -in"]),
        ("ssh.key", &["OpenSSH", "ssh-keygen -p"]),
        ("good.p12", &["PKCS#12", "openssl pkcs12 -nodes -nocerts -in"]),
        ("good.jks", &["Java keystore", "keytool -importkeystore"]),
        ("good.pub", &["public key", "line 1"]),
        ("good.pem", &["no private key", "a certificate", "line 1"]),
        ("good.der", &["no private key", "a certificate"]),
        ("good.csr", &["certificate request", "private key"]),
        ("two.key", &["more than one private key", "line 1", "line 29"]),
    ] {
        if name == "two.key" {
            let Err(ServerCertError::TwoKeys { lines: [1, second], .. }) = folder.acceptor("good.pem", name)
            else {
                panic!("two keys are one too many");
            };
            assert!(folder.read(name).lines().nth(second - 1).unwrap().starts_with("-----BEGIN EC"));
            continue;
        }
        folder.refuses("key", name, words);
    }
}

#[test]
fn i11_what_openssl_and_haproxy_put_together_is_taken() {
    let folder = formats();
    let pem = |name: &str| folder.read(name);
    folder.write("all.pem", pem("good.pem") + &pem("good.key"));
    folder.write("reversed.pem", pem("good.key") + &pem("good.pem"));
    folder.write("request.key", pem("good.key") + &pem("good.csr"));
    folder.run("openssl x509 -in good.pem -text -out text.pem && openssl pkcs12 -in good.p12 -passin pass:secret -nodes -out bags.pem");
    folder.write(
        "dh.pem",
        pem("good.pem") + "-----BEGIN DH PARAMETERS-----\nMAYCAQcCAQU=\n-----END DH PARAMETERS-----\n",
    );
    for (cert, key) in [
        ("good.pem", "good.key"),
        ("good.der", "key.der"),
        ("good.pem", "pkcs1.der"),
        ("good.pem", "pkcs1.key"),
        ("all.pem", "all.pem"),
        ("reversed.pem", "reversed.pem"),
        ("good.pem", "request.key"),
        ("bags.pem", "bags.pem"),
        ("text.pem", "good.key"),
        ("alias.pem", "good.key"),
        ("dh.pem", "good.key"),
        ("ec.pem", "ec.key"),
        ("ec.pem", "ec.der"),
        ("ed25519.pem", "ed25519.der"),
    ] {
        let log = capture(|| match folder.acceptor(cert, key) {
            Ok(acceptor) => assert!(acceptor.server_cert().is_some()),
            Err(error) => panic!("{cert} and {key}: {error}"),
        });
        assert_eq!(log, "", "{cert} and {key}");
    }
    for ca in ["good.pem", "good.der", "text.pem", "alias.pem"] {
        strict().roots_from_file(folder.path(ca)).build().unwrap();
    }
    let ca = Authority::root("ca");
    let crl = folder.write("ca.crl", ca.crl_pem(&[], Duration::days(1)));
    folder.run(
        "openssl crl -in ca.crl -text -out text.crl && openssl crl -in ca.crl -outform DER -out der.crl",
    );
    for crl in [&crl, &folder.path("text.crl"), &folder.path("der.crl")] {
        strict().roots([ca.der()]).crls_from_file(crl).build().unwrap();
    }
}

#[test]
fn i11_a_private_key_among_client_cas_or_crls_is_a_warning_by_name() {
    let folder = formats();
    let ca = Authority::root("ca");
    let key = folder.read("good.key");
    for (name, contents) in [("ca.pem", ca.pem()), ("ca.crl", ca.crl_pem(&[], Duration::days(1)))] {
        let line = contents.lines().count() + 1;
        let path = folder.write(name, contents + &key);
        let log = capture(|| {
            let builder = strict().roots([ca.der()]);
            let builder = match name {
                "ca.pem" => builder.roots_from_file(&path),
                _ => builder.crls_from_file(&path),
            };
            builder.build().unwrap();
        });
        assert_eq!(log.matches("WARN").count(), 1, "{log}");
        assert!(log.contains("a private key among") && log.contains(path.to_str().unwrap()), "{log}");
        assert!(log.trim_end().ends_with(&format!("line={line}")), "{log}");
    }
}

#[test]
fn i11_a_leaf_given_as_a_client_ca_is_a_warning_with_its_subject() {
    let dir = Folder::new();
    let ca = Authority::root("ca");
    let leaf = ca.issue("alice", |params| {
        params.distinguished_name.push(rcgen::DnType::CommonName, "alice\u{202e}\n");
    });
    let path = dir.write("ca.pem", ca.pem() + &leaf.chain_pem() + &ca.issue_v1("version one").chain_pem());
    let log = capture(|| drop(strict().roots_from_file(&path).build().unwrap()));
    let warnings: Vec<_> = log.lines().collect();
    assert_eq!(warnings.len(), 2, "{log}");
    let first_line = ca.pem().lines().count() + 1;
    for word in [
        "WARN",
        "not a CA's certificate",
        "alice",
        "SHA-256 ",
        path.to_str().unwrap(),
        "index=1",
        &format!("line={first_line} "),
    ] {
        assert!(warnings[0].contains(word), "{word}: {log}");
    }
    assert!(!log.contains('\u{202e}'), "{log}");
    assert!(warnings[1].contains("CN=version one"), "{log}");
    assert_eq!(capture(|| drop(strict().roots([ca.der(), ca.der()]).build().unwrap())), "");
}

#[test]
fn i11_version_1_is_called_version_1() {
    let folder = Folder::new();
    folder.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -subj '/CN=ca' -keyout ca.key -out ca.pem -days 9
         openssl req -newkey rsa:2048 -nodes -subj '/CN=leaf' -keyout leaf.key -out leaf.csr
         openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out leaf.pem -days 9",
    );
    let error = folder.acceptor("leaf.pem", "leaf.key").unwrap_err();
    assert!(matches!(error, ServerCertError::Version { version: 1, .. }), "{error}");
    let error = error.to_string();
    for words in ["version 1", "-extfile", folder.path("leaf.pem").to_str().unwrap()] {
        assert!(error.contains(words), "{error}");
    }

    let verifier = strict().roots_from_file(folder.path("ca.pem")).build().unwrap();
    let der = pem::parse(folder.read("leaf.pem")).unwrap().into_contents();
    let peer = verifier.judge(vec![der.into()], UnixTime::now()).unwrap().unwrap();
    assert_eq!(peer.verification(), Verification::Unverified(UnverifiedReason::UnsupportedVersion));
    assert!(peer.verification().to_string().contains("version 1"));
}

#[test]
fn i11_a_chain_in_the_wrong_order_is_told_the_right_one() {
    let folder = Folder::new();
    let root = Authority::root("root");
    let outer = root.intermediate("outer");
    let inner = outer.intermediate("inner");
    let server = inner.server(&["localhost"]);
    folder.write("tls.key", server.key_pem());
    let [leaf, inner, outer] = [server.chain[0].clone(), inner.der(), outer.der()]
        .map(|der| Identity { chain: vec![der], key: server.key.clone_key() }.chain_pem());
    let chain = |parts: &[&String]| {
        folder.write("tls.crt", parts.iter().map(|part| part.as_str()).collect::<String>());
        let mut starts = vec![1];
        starts.extend(parts.iter().map(|part| part.lines().count()).scan(1, |at, lines| {
            *at += lines;
            Some(*at)
        }));
        starts
    };

    let starts = chain(&[&outer, &inner, &leaf]);
    let error = folder.acceptor("tls.crt", "tls.key").unwrap_err();
    let expected = vec![starts[2], starts[1], starts[0]];
    assert!(matches!(&error, ServerCertError::WrongOrder { right, .. } if *right == expected), "{error}");
    assert!(error.to_string().contains(&format!("{}, {}, {}", starts[2], starts[1], starts[0])), "{error}");

    let starts = chain(&[&leaf, &outer, &inner]);
    let log = capture(|| drop(folder.acceptor("tls.crt", "tls.key").unwrap()));
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    assert!(
        log.contains("wrong order") && log.contains(&format!("[1, {}, {}]", starts[2], starts[1])),
        "{log}"
    );

    chain(&[&leaf, &outer]);
    let log = capture(|| drop(folder.acceptor("tls.crt", "tls.key").unwrap()));
    assert!(log.contains("issued none of the others") && log.contains("CN=outer"), "{log}");

    chain(&[&leaf, &inner, &outer]);
    assert_eq!(capture(|| drop(folder.acceptor("tls.crt", "tls.key").unwrap())), "");
}

#[test]
fn names_of_client_cas_are_sent_once_each_and_bounded_only_where_they_are_sent() {
    // 16 KiB is the limit: one name of 200 bytes a hundred times fits, eighty such names do not.
    let name = |index: usize| format!("{index:0200}");
    let same: Vec<_> = (0..100).map(|_| Authority::root(&name(0)).der()).collect();
    let verifier = strict().roots(same).build().unwrap();
    assert_eq!(verifier.root_hint_subjects().len(), 1);
    let different: Vec<_> = (0..80).map(|index| Authority::root(&name(index)).der()).collect();
    for policy in ClientAuthPolicy::ALL {
        let build = || crate::harness::verifier(policy).roots(different.clone());
        if policy.requests() {
            assert!(matches!(build().build(), Err(VerifierError::RootHintsTooLarge { .. })), "{policy}");
        } else {
            assert!(build().build().unwrap().root_hint_subjects().is_empty());
        }
        assert!(build().without_root_hints().build().unwrap().root_hint_subjects().is_empty());
    }
    let two = [Authority::root("a"), Authority::root("b"), Authority::root("a")].map(|ca| ca.der());
    assert_eq!(strict().roots(two).build().unwrap().root_hint_subjects().len(), 2);
}

#[test]
fn a_folder_in_place_of_a_file_is_named() {
    let folder = formats();
    let path: &Path = folder.0.path();
    let error = strict().roots_from_file(path).build().unwrap_err().to_string();
    assert!(error.contains("cannot read") && error.contains(path.to_str().unwrap()), "{error}");
}

#[test]
fn a_ticket_key_after_an_old_macs_line_end_is_not_lost_to_a_comment() {
    let folder = Folder::new();
    let keys = [[1; 32], [2; 32]]
        .map(|key| base64::engine::Engine::encode(&base64::engine::general_purpose::STANDARD, key));
    let random = crate::provider::provider().secure_random;
    for end in ["\n", "\r\n", "\r"] {
        let path = folder.write("ticket.keys", format!("# the newest first{end}{}{end}{}", keys[0], keys[1]));
        let ticketer = tower_client_cert::SharedTicketer::from_file(path, random).unwrap();
        assert!(format!("{ticketer:?}").contains("keys: 2"), "{ticketer:?}");
    }
}
