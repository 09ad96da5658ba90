use rustls::{AlertDescription, HandshakeKind, SignatureScheme};
use serde_json::json;

use super::*;
use crate::certificate::tests::identity;
use crate::finding::status;
use crate::hello::Asked;
use crate::told::{Client, Fit, Told};

fn asked() -> Option<Asked> {
    let schemes = vec![SignatureScheme::ECDSA_NISTP256_SHA256];
    Some(Asked { cas: Vec::new(), schemes })
}

fn visit(asked: Option<Asked>, result: Result<Reply, Failure>) -> Visit {
    let handshake = result.is_ok().then_some(HandshakeKind::Full);
    Visit { asked, handshake, result }
}

fn reply(status: u16, body: &str) -> Reply {
    Reply::parse(format!("HTTP/1.1 {status} x\r\n\r\n{body}").as_bytes()).unwrap()
}

fn ok() -> Result<Reply, Failure> {
    Ok(reply(200, "hello"))
}

/// The answer of a `doctor echo` that was told of this certificate, or of none.
fn echo(told_of: Option<(&Identity, Option<bool>)>) -> Result<Reply, Failure> {
    let fits = told_of.into_iter().map(|(identity, verified)| {
        let verdict = verified.map(|verified| if verified { "SUCCESS" } else { "FAILED:expired" }.to_owned());
        let sha256 = Some(identity.sha256.clone());
        Fit { client: Some(Client { sha256, verified, verdict, ..Client::default() }), ..Fit::default() }
    });
    let told = Told { fits: fits.collect(), ..Told::default() };
    Ok(reply(200, &json!({"doctor": "echo", "told": told}).to_string()))
}

fn version(name: &'static str, first: Visit) -> Version {
    Version { name, first, second: None }
}

/// The same under both versions.
fn both(make: impl Fn() -> Visit) -> [Version; 2] {
    [version("TLS 1.2", make()), version("TLS 1.3", make())]
}

fn found(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.name).collect()
}

#[test]
fn the_seeds_mistake_is_named_at_once() {
    let alice = identity("alice", |_| {});
    for identity in [None, Some(&alice)] {
        let findings = diagnose(identity, &both(|| visit(None, ok())), &[]);
        assert_eq!((found(&findings), status(&findings)), (vec!["never-asks"], 1));
        let expected = "the server never asks for a certificate (TLS 1.2 and 1.3), so none can arrive.";
        assert_eq!(findings[0].text, expected);
        assert!(findings[0].text(None).contains("--client-auth RequestClientCert"));
    }
}

#[test]
fn a_version_that_is_not_spoken_is_no_fault() {
    let versions =
        [version("TLS 1.2", visit(None, Err(Failure::NotSpoken))), version("TLS 1.3", visit(asked(), ok()))];
    let findings = diagnose(None, &versions, &[]);
    assert_eq!((found(&findings), status(&findings)), (vec!["asks"], 0));
    assert!(findings[0].text.ends_with("(TLS 1.3)"));
}

#[test]
fn asking_under_one_version_only_is_a_fault() {
    let versions = [version("TLS 1.2", visit(None, ok())), version("TLS 1.3", visit(asked(), ok()))];
    let findings = diagnose(None, &versions, &[]);
    assert_eq!((found(&findings), status(&findings)), (vec!["asks-sometimes"], 1));
    assert!(findings[0].text.contains("under TLS 1.3 and not under TLS 1.2"));
}

#[test]
fn without_a_handshake_nothing_is_known() {
    for failure in
        [Failure::Unreachable("refused".to_owned()), Failure::NotSpoken, Failure::Ours("x".to_owned())]
    {
        let findings = diagnose(None, &both(|| visit(None, Err(failure.clone()))), &[]);
        assert_eq!((found(&findings), status(&findings)), (vec!["no-handshake"], 2));
    }
}

#[test]
fn a_refusal_is_explained_and_one_of_nobody_is_no_fault() {
    let alice = identity("alice", |_| {});
    let refused = || visit(asked(), Err(Failure::Alert(AlertDescription::UnknownCA)));
    let findings = diagnose(Some(&alice), &both(refused), &[]);
    assert_eq!((found(&findings), status(&findings)), (vec!["asks", "refused"], 1));
    assert!(
        findings[1].text.contains("does not know the CA") && findings[1].text.ends_with("(TLS 1.2 and 1.3)")
    );

    let versions = [
        version("TLS 1.2", visit(asked(), Err(Failure::Alert(AlertDescription::HandshakeFailure)))),
        version("TLS 1.3", visit(asked(), Err(Failure::Silent("reset".to_owned())))),
    ];
    assert_eq!(found(&diagnose(None, &versions, &[])), ["asks", "insists", "insists"]);
    let findings = diagnose(Some(&alice), &versions, &[]);
    assert_eq!((found(&findings), status(&findings)), (vec!["asks", "refused", "refused"], 1));
}

#[test]
fn nginx_refuses_with_a_page() {
    let alice = identity("alice", |_| {});
    let page = |text| both(|| visit(asked(), Ok(reply(400, text))));
    let findings = diagnose(Some(&alice), &page("<h1>The SSL certificate error</h1>"), &[]);
    assert_eq!((found(&findings), status(&findings)), (vec!["asks", "refused"], 1));
    let findings = diagnose(None, &page("No required SSL certificate was sent"), &[]);
    assert_eq!((found(&findings), status(&findings)), (vec!["asks", "insists"], 0));
}

#[test]
fn a_key_that_fits_no_scheme_is_a_fault() {
    let alice = identity("alice", |_| {});
    let asked = Some(Asked { cas: Vec::new(), schemes: vec![SignatureScheme::ED25519] });
    let findings = diagnose(Some(&alice), &both(|| visit(asked.clone(), ok())), &[]);
    assert_eq!((found(&findings), status(&findings)), (vec!["asks", "no-scheme"], 1));
}

#[test]
fn what_the_backend_shows_decides_whether_it_arrives() {
    let alice = identity("alice", |_| {});
    for (answer, expected, exit) in [
        (echo(Some((&alice, Some(true)))), vec!["asks", "arrives"], 0),
        (echo(Some((&alice, Some(false)))), vec!["asks", "arrives", "unverified"], 0),
        (echo(None), vec!["asks", "not-forwarded"], 1),
        (ok(), vec!["asks", "arrival-unknown"], 0),
    ] {
        let findings = diagnose(Some(&alice), &both(|| visit(asked(), answer.clone())), &[]);
        assert_eq!((found(&findings), status(&findings)), (expected, exit));
    }
}

#[test]
fn a_resumed_session_must_say_the_same() {
    let alice = identity("alice", |_| {});
    let there = || echo(Some((&alice, Some(true))));
    let resumed = |result| Visit { handshake: Some(HandshakeKind::Resumed), ..visit(None, result) };
    let failure = Failure::Silent("x".to_owned());
    for (second, expected, exit) in [
        (resumed(there()), "resumed", 0),
        (visit(asked(), there()), "not-resumed", 0),
        (resumed(echo(None)), "second-differs", 1),
        (resumed(Err(failure)), "second-differs", 1),
    ] {
        let first = visit(asked(), there());
        let versions = [Version { name: "TLS 1.3", first, second: Some(second) }];
        let findings = diagnose(Some(&alice), &versions, &[]);
        assert_eq!((found(&findings), status(&findings)), (vec!["asks", "arrives", expected], exit));
    }
}

#[test]
fn forged_headers_are_a_fault_and_silence_about_them_is_none() {
    let forgery = |with_certificate, check| Forgery { with_certificate, check };
    let arrived = |names: &[&str]| Check::Arrived {
        tried: 9,
        arrived: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let insists = || Check::NoAnswer(Failure::Alert(AlertDescription::CertificateRequired));
    for (nobody, somebody, expected, exit) in [
        (arrived(&[]), arrived(&[]), "none-forged", 0),
        (arrived(&["client-cert"]), arrived(&[]), "forged", 1),
        (insists(), arrived(&[]), "none-forged", 0),
        (insists(), insists(), "forged-unknown", 2),
        (Check::NoEcho, Check::NoEcho, "forged-unknown", 2),
    ] {
        let forgeries = [forgery(false, nobody), forgery(true, somebody)];
        let findings = diagnose(None, &both(|| visit(asked(), ok())), &forgeries);
        assert_eq!((found(&findings), status(&findings)), (vec!["asks", expected], exit));
    }
}
