//! What a verifier is built from, and what can be wrong with that; its limits and its second look.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::version::{TLS12, TLS13};
use time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tower_client_cert::{
    AcceptError, ChainError, ClientAuthPolicy, ClientCertAcceptor, ClientVerifierBuilder, UnverifiedReason,
    Verification, VerifierError,
};

use crate::harness::{ServerPki, connect, verifier};
use crate::pki::{Authority, Identity};

use ClientAuthPolicy::{RequestClientCert, RequireAndVerifyClientCert, VerifyClientCertIfGiven};

fn strict() -> ClientVerifierBuilder {
    verifier(RequireAndVerifyClientCert)
}

#[test]
fn a_policy_that_verifies_needs_roots() {
    for policy in [VerifyClientCertIfGiven, RequireAndVerifyClientCert] {
        let error = verifier(policy).build().unwrap_err();
        assert!(matches!(&error, VerifierError::NoRoots { policy: named } if *named == policy));
        assert!(error.to_string().contains("roots_from_file"), "{error}");
        assert!(matches!(verifier(policy).roots([]).build(), Err(VerifierError::NoRoots { .. })));
        let empty = RootCertStore::empty();
        assert!(matches!(verifier(policy).root_store(empty).build(), Err(VerifierError::NoRoots { .. })));
    }
}

#[test]
fn no_provider_is_an_error_and_not_a_panic() {
    let error = RequestClientCert.verifier().build().unwrap_err();
    assert!(matches!(error, VerifierError::NoProvider));
    assert!(error.to_string().contains("install_default"));
}

#[test]
fn bad_trust_files_are_errors_that_name_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::root("ca");
    let good = ca.pem();
    let key = ca.client("alice").key_pem();
    let broken = pem::encode(&pem::Pem::new("CERTIFICATE", [0x30, 0x03, 0x02, 0x01, 0x00]));
    let cut = &good[..good.len() / 2];
    let table: [(&str, &str, &str); 7] = [
        ("empty.pem", "", "no certificate in it"),
        ("prose.pem", "this is not PEM\n", "no certificate in it"),
        ("key.pem", &key, "no certificate in it"),
        ("crl.pem", &ca.crl_pem(&[], Duration::days(1)), "no certificate in it"),
        ("cut.pem", cut, "not valid PEM"),
        ("second-broken.pem", &format!("{good}{broken}{good}"), "certificate 1 (from 0)"),
        ("second-cut.pem", &format!("{good}{cut}"), "not valid PEM"),
    ];
    for (name, contents, expected) in table {
        let path = dir.path().join(name);
        std::fs::write(&path, contents).unwrap();
        // A good file beside it does not help.
        let error = strict().roots([ca.der()]).roots_from_file(&path).build().unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(name), "{name}: {error}");
    }
    for path in [dir.path().join("missing.pem"), dir.path().to_owned()] {
        let error = strict().roots_from_file(&path).build().unwrap_err();
        assert!(matches!(error, VerifierError::Read { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    let error = strict().roots([ca.der(), CertificateDer::from(vec![0x30, 0x00])]).build().unwrap_err();
    assert!(matches!(error, VerifierError::BadCertificate { index: 1, .. }), "{error}");
    assert!(error.to_string().contains("the value given to the builder"), "{error}");
}

#[test]
fn bad_crls_are_errors_that_name_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::root("ca");
    let good = ca.crl_pem(&[], Duration::days(1));
    let broken = pem::encode(&pem::Pem::new("X509 CRL", [0x30, 0x00]));
    for (name, contents, expected) in [
        ("empty.crl", String::new(), "no CRL in it"),
        ("certificate.crl", ca.pem(), "no CRL in it"),
        ("second-broken.crl", format!("{good}{broken}"), "CRL 1 (from 0)"),
        ("cut.crl", good[..good.len() / 2].to_owned(), "not valid PEM"),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, contents).unwrap();
        let error = strict().roots([ca.der()]).crls_from_file(&path).build().unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(name), "{name}: {error}");
    }
}

#[test]
fn roots_come_from_pem_der_files_and_stores_alike() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, other) = (Authority::root("ca"), Authority::root("other"));
    let (pem, der) = (dir.path().join("both.pem"), dir.path().join("ca.der"));
    std::fs::write(&pem, format!("# two CAs\n{}\n{}", other.pem(), ca.pem())).unwrap();
    std::fs::write(&der, ca.der()).unwrap();
    let mut store = RootCertStore::empty();
    store.add(ca.der()).unwrap();
    let alice = ca.client("alice");
    for builder in [
        strict().roots_from_file(&pem),
        strict().roots_from_file(&der),
        strict().roots_from_pem(ca.pem()),
        strict().roots([ca.der()]),
        strict().root_store(store),
        strict().roots([other.der()]).roots([ca.der()]),
    ] {
        let verifier = builder.build().unwrap();
        let peer = verifier.judge(alice.chain.clone(), UnixTime::now()).unwrap().unwrap();
        assert_eq!(peer.verification(), Verification::Verified);
    }
}

#[test]
fn ca_names_are_hinted_unless_too_long_or_unwanted() {
    use rustls::server::danger::ClientCertVerifier as _;
    let ca = Authority::root("ca");
    for policy in &ClientAuthPolicy::ALL[1..] {
        let hinting = verifier(*policy).roots([ca.der()]).build().unwrap();
        let mut store = RootCertStore::empty();
        store.add(ca.der()).unwrap();
        assert_eq!(hinting.root_hint_subjects().len(), 1);
        assert_eq!(hinting.root_hint_subjects()[0].as_ref(), store.subjects()[0].as_ref());
    }
    let silent = strict().roots([ca.der()]).without_root_hints().build().unwrap();
    assert!(silent.root_hint_subjects().is_empty());

    let name = "x".repeat(200);
    let many =
        |count| (0..count).map(|index| Authority::root(&format!("{name}{index}")).der()).collect::<Vec<_>>();
    let error = strict().roots(many(80)).build().unwrap_err();
    assert!(matches!(error, VerifierError::RootHintsTooLarge { .. }));
    assert!(error.to_string().contains("without_root_hints"), "{error}");
    strict().roots(many(80)).without_root_hints().build().unwrap();
}

#[test]
fn i6_what_a_client_sends_is_bounded() {
    let ca = Authority::root("ca");
    let alice = ca.client("alice");
    let verifier = strict().roots([ca.der()]).build().unwrap();
    let judge = |chain| verifier.judge(chain, UnixTime::now());

    let padded = |extra| alice.clone().with(vec![ca.der(); extra]).chain;
    assert!(judge(padded(4)).unwrap().unwrap().is_verified());
    assert_eq!(judge(padded(5)).unwrap_err(), ChainError::TooManyCertificates { count: 6, max: 5 });
    assert!(judge(vec![]).unwrap().is_none());

    let large = ca.issue("large", |params| {
        params.custom_extensions = vec![crate::pki::unknown_extension(false, 33_000)];
    });
    assert!(matches!(judge(large.chain).unwrap_err(), ChainError::TooLarge { index: 0, max: 32_768, .. }));

    let wide = strict().roots([ca.der()]).max_certificates(6).max_certificate_size(alice.chain[0].len() - 1);
    let wide = wide.build().unwrap();
    assert!(matches!(wide.judge(padded(5), UnixTime::now()), Err(ChainError::TooLarge { index: 0, .. })));
}

#[test]
fn i6_a_chain_with_garbage_in_it_is_refused_under_every_policy() {
    let ca = Authority::root("ca");
    let alice = ca.client("alice");
    let with_trailing_byte = [alice.chain[0].as_ref(), &[0]].concat();
    let garbage = [vec![], vec![0x30, 0x00], b"garbage".to_vec(), vec![0x30, 0x80, 0, 0], with_trailing_byte];
    for policy in &ClientAuthPolicy::ALL[1..] {
        let verifier = verifier(*policy).roots([ca.der()]).build().unwrap();
        for element in &garbage {
            let chain = alice.clone().with([CertificateDer::from(element.clone())]).chain;
            let error = verifier.judge(chain, UnixTime::now()).unwrap_err();
            assert_eq!(error, ChainError::NotACertificate { index: 1 });
        }
    }
}

#[test]
fn certificates_cut_at_any_byte_are_not_certificates() {
    let ca = Authority::root("ca");
    let verifier = verifier(RequestClientCert).build().unwrap();
    let whole = ca.client("alice").chain.remove(0);
    for length in 0..whole.len() {
        let cut = CertificateDer::from(whole[..length].to_vec());
        let error = verifier.judge(vec![cut], UnixTime::now()).unwrap_err();
        assert_eq!(error, ChainError::NotACertificate { index: 0 }, "{length}");
    }
    assert!(verifier.judge(vec![whole], UnixTime::now()).unwrap().is_some());
}

#[test]
fn i9_a_negative_serial_number_is_refused_as_go_refuses_it() {
    let ca = Authority::root("ca");
    let verifier = verifier(RequestClientCert).build().unwrap();
    for (serial, taken) in [(&[0x7F][..], true), (&[0x00, 0x80], true), (&[0x80], false), (&[], false)] {
        let chain = ca.issue_v1_with_serial("a", serial).chain;
        assert_eq!(verifier.judge(chain, UnixTime::now()).is_ok(), taken, "{serial:x?}");
    }
}

#[test]
fn without_roots_nothing_is_called_verified() {
    let verifier = verifier(RequestClientCert).build().unwrap();
    let peer = verifier.judge(Identity::self_signed("a").chain, UnixTime::now()).unwrap().unwrap();
    assert_eq!(peer.verification(), Verification::Unverified(UnverifiedReason::NotChecked));
    assert_eq!(peer.verified_path(), None);
}

/// One handshake, after which both ends are done.
async fn accept(
    acceptor: &ClientCertAcceptor,
    pki: &ServerPki,
    identity: Option<&Identity>,
) -> Result<tower_client_cert::TlsConnectInfo, AcceptError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = pki.client(identity, &[&TLS12, &TLS13]);
    let client = tokio::spawn(async move {
        if let Ok(mut stream) = connect(address, &config).await {
            let _ = stream.read(&mut [0; 1]).await;
        }
    });
    let (tcp, _) = listener.accept().await.unwrap();
    let result = acceptor.accept(tcp).await.map(|(_, info)| info);
    client.await.unwrap();
    result
}

#[tokio::test]
async fn a_configuration_with_another_verifier_is_found_out() {
    let pki = ServerPki::new();
    let alice = Identity::self_signed("alice");
    let ours = verifier(RequestClientCert).build().unwrap();
    // The classic: a configuration that does not ask.
    let silent = rustls::ServerConfig::builder_with_provider(crate::provider::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(pki.server.chain.clone(), pki.server.key.clone_key())
        .unwrap();
    let other = verifier(RequestClientCert).build().unwrap();
    for config in [silent, pki.config(&other)] {
        let acceptor = ClientCertAcceptor::new(config, Arc::clone(&ours));
        let error = accept(&acceptor, &pki, Some(&alice)).await.unwrap_err();
        assert!(matches!(error, AcceptError::ForeignConfig { policy: RequestClientCert }), "{error:?}");
        assert!(error.to_string().contains("verifier.server_config()"), "{error}");
    }
    let acceptor = ClientCertAcceptor::new(pki.config(&ours), ours);
    accept(&acceptor, &pki, Some(&alice)).await.unwrap();
}

#[tokio::test]
async fn i4_possession_of_the_key_is_proven_under_every_policy_that_asks() {
    let ca = Authority::root("ca");
    let pki = ServerPki::new();
    let stolen = ca.client("alice").stolen();
    for policy in &ClientAuthPolicy::ALL[1..] {
        let acceptor = pki.acceptor(verifier(*policy).roots([ca.der()]).build().unwrap());
        let error = accept(&acceptor, &pki, Some(&stolen)).await.unwrap_err();
        assert!(error.to_string().contains("did not prove that it holds"), "{policy}: {error}");
    }
}

#[tokio::test]
async fn a_refusal_carries_its_reason() {
    let ca = Authority::root("ca");
    let pki = ServerPki::new();
    let acceptor = pki.acceptor(strict().roots([ca.der()]).build().unwrap());
    let long = ca.client("alice").with(vec![ca.der(); 5]);
    for (identity, reason) in [
        (Some(&Identity::self_signed("mallory")), "unable to get local issuer certificate"),
        (None, "no client certificate"),
        (Some(&long), "the client presents 6 certificates, at most 5 are taken"),
    ] {
        let error = accept(&acceptor, &pki, identity).await.unwrap_err().to_string();
        assert!(error.starts_with("client certificate refused: ") && error.contains(reason), "{error}");
    }
}
