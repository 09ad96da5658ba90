//! A pool of intermediate CAs that clients need not send.

use rustls::pki_types::UnixTime;
use rustls::version::{TLS12, TLS13};
use tower_client_cert::{ClientAuthPolicy, UnverifiedReason, Verification, VerifierError};

use crate::harness::{ServerPki, verifier, visit};
use crate::pki::{Authority, Identity};

struct Setting {
    root: Authority,
    issuing: Authority,
    /// Of the issuing CA, whose certificate the client does not send.
    alice: Identity,
}

fn setting() -> Setting {
    let root = Authority::root("root CA");
    let issuing = root.intermediate("issuing CA");
    let mut alice = issuing.client("alice");
    alice.chain.truncate(1);
    Setting { root, issuing, alice }
}

#[test]
fn i3_a_path_may_lead_through_the_pool_and_must_end_at_a_client_ca() {
    let Setting { root, issuing, alice } = setting();
    let policy = ClientAuthPolicy::RequestClientCert;
    let judge = |builder: tower_client_cert::ClientVerifierBuilder| {
        let peer = builder.build().unwrap().judge(alice.chain.clone(), UnixTime::now()).unwrap().unwrap();
        (peer.verification(), peer.presented().len(), peer.verified_path().map(<[_]>::to_vec))
    };
    let (verdict, _, path) = judge(verifier(policy).roots([root.der()]));
    assert_eq!((verdict, path), (Verification::Unverified(UnverifiedReason::UnknownIssuer), None));

    let (verdict, presented, path) =
        judge(verifier(policy).roots([root.der()]).intermediates([issuing.der()]));
    assert_eq!((verdict, presented), (Verification::Verified, 1));
    assert_eq!(path, Some(vec![alice.chain[0].clone(), issuing.der()]));

    // In the pool nobody is trusted, a root least of all.
    let other = Authority::root("another root CA");
    for pool in [vec![issuing.der()], vec![issuing.der(), root.der()]] {
        let (verdict, _, _) = judge(verifier(policy).roots([other.der()]).intermediates(pool));
        assert_eq!(verdict, Verification::Unverified(UnverifiedReason::UnknownIssuer));
    }
}

#[tokio::test]
async fn clients_without_their_issuers_certificate_are_let_in_and_asked_by_its_name() {
    let Setting { root, issuing, alice } = setting();
    let policy = ClientAuthPolicy::RequireAndVerifyClientCert;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("issuing.pem");
    std::fs::write(&file, issuing.pem()).unwrap();
    let pki = ServerPki::new();
    let built = verifier(policy).roots([root.der()]).intermediates_from_file(&file).build().unwrap();
    let hints = rustls::server::danger::ClientCertVerifier::root_hint_subjects(&*built);
    assert_eq!(hints.len(), 2);
    let acceptor = pki.acceptor(built);
    for version in [&TLS12, &TLS13] {
        let info = visit(&acceptor, &pki.client(Some(&alice), &[version])).await.unwrap();
        assert!(info.peer_certificates().unwrap().is_verified());
    }
    let acceptor = pki.acceptor(verifier(policy).roots([root.der()]).build().unwrap());
    visit(&acceptor, &pki.client(Some(&alice), &[&TLS13])).await.unwrap_err();
}

#[test]
fn i5_a_session_ends_with_the_pool_that_it_was_made_under() {
    let Setting { root, issuing, .. } = setting();
    let policy = ClientAuthPolicy::RequireAndVerifyClientCert;
    let fingerprint = |pool: Vec<_>| {
        *verifier(policy).roots([root.der()]).intermediates(pool).build().unwrap().fingerprint()
    };
    let second = root.intermediate("second issuing CA").der();
    assert_ne!(fingerprint(vec![]), fingerprint(vec![issuing.der()]));
    assert_eq!(
        fingerprint(vec![issuing.der(), second.clone()]),
        fingerprint(vec![second, issuing.der(), issuing.der()])
    );
}

#[test]
fn i11_what_is_no_intermediate_ca_is_refused_by_name() {
    let Setting { root, alice, .. } = setting();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pool.pem");
    let error = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let builder = verifier(ClientAuthPolicy::VerifyClientCertIfGiven).roots([root.der()]);
        builder.intermediates_from_file(&file).build().unwrap_err()
    };
    let leaf = error(&format!("{}{}", root.pem(), alice.chain_pem()));
    assert!(matches!(leaf, VerifierError::BadIntermediate { index: 1, line: Some(_), .. }), "{leaf:?}");
    let leaf = leaf.to_string();
    assert!(leaf.contains("pool.pem") && leaf.contains("not a CA's certificate"), "{leaf}");
    let empty = error("");
    assert!(matches!(empty, VerifierError::NoCertificate { .. }), "{empty:?}");
    let v1 = Authority::root("old root").issue_v1("old issuing CA");
    assert!(error(&v1.chain_pem()).to_string().contains("version 3"));
}
