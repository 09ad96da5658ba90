//! The matrix: every policy, every kind of client certificate, TLS 1.2 and 1.3, over real sockets.

use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, KeyPair, RsaKeySize};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use time::{Duration, OffsetDateTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower_client_cert::{
    AcceptError, ClientAuthPolicy, ClientCertAcceptor, TlsConnectInfo, TlsVersion, UnverifiedReason,
    Verification,
};

use crate::harness::{ServerPki, connect, verifier};
use crate::pki::{Authority, Identity, unknown_extension};

use ClientAuthPolicy::{
    NoClientCert, RequestClientCert, RequireAndVerifyClientCert, RequireAnyClientCert,
    VerifyClientCertIfGiven,
};

/// What became of one client.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// Connected, and the server knows of no certificate.
    Anonymous,
    /// Connected, and verified.
    Verified,
    /// Connected, and this is what is wrong with the certificate.
    Unverified(UnverifiedReason),
    Refused,
}

use Outcome::{Anonymous, Refused, Unverified, Verified};

struct Case {
    name: &'static str,
    identity: Option<Identity>,
    /// Under the policies that take any certificate.
    lenient: Outcome,
    /// Under the policies that verify.
    strict: Outcome,
}

fn cases(ca: &Authority) -> Vec<Case> {
    use UnverifiedReason as R;
    let now = OffsetDateTime::now_utc();
    let intermediate = ca.intermediate("intermediate");
    let stranger = Authority::root("stranger");
    let key = |algorithm| KeyPair::generate_for(algorithm).unwrap();
    let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap();

    let ok = |name, identity| Case { name, identity: Some(identity), lenient: Verified, strict: Verified };
    let bad = |name, identity, reason| Case {
        name,
        identity: Some(identity),
        lenient: Unverified(reason),
        strict: Refused,
    };
    // The table of the README and of the crate's documentation.
    vec![
        Case { name: "no certificate", identity: None, lenient: Anonymous, strict: Anonymous },
        ok("trusted", ca.client("alice")),
        ok("via intermediate", intermediate.client("alice").with([intermediate.der()])),
        bad("intermediate missing", intermediate.client("alice"), R::UnknownIssuer),
        bad("untrusted", stranger.client("mallory"), R::UnknownIssuer),
        bad("self-signed", Identity::self_signed("mallory"), R::UnknownIssuer),
        bad("expired", ca.issue("old", |params| params.not_after = now - Duration::hours(1)), R::Expired),
        bad(
            "not yet valid",
            ca.issue("new", |params| params.not_before = now + Duration::hours(1)),
            R::NotYetValid,
        ),
        bad(
            "serverAuth only",
            ca.issue("server", |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]
            }),
            R::NotForClientAuth,
        ),
        ok("no EKU", ca.issue("alice", |params| params.extended_key_usages.clear())),
        bad(
            "CA as leaf",
            ca.issue("ca", |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            R::CaUsedAsEndEntity,
        ),
        bad("X.509 v1", ca.issue_v1("v1"), R::Unsupported),
        bad(
            "unknown critical extension",
            ca.issue("critical", |params| params.custom_extensions = vec![unknown_extension(true, 1)]),
            R::Unsupported,
        ),
        ok("P-384", ca.issue_for("alice", key(&rcgen::PKCS_ECDSA_P384_SHA384), |_| {})),
        ok("P-521", ca.issue_for("alice", key(&rcgen::PKCS_ECDSA_P521_SHA512), |_| {})),
        ok("Ed25519", ca.issue_for("alice", key(&rcgen::PKCS_ED25519), |_| {})),
        ok("RSA-2048", ca.issue_for("alice", rsa(RsaKeySize::_2048), |_| {})),
        ok("RSA-4096", ca.issue_for("alice", rsa(RsaKeySize::_4096), |_| {})),
        ok(
            "30 KB",
            ca.issue("large", |params| params.custom_extensions = vec![unknown_extension(false, 30_000)]),
        ),
        Case {
            name: "wrong key",
            identity: Some(ca.client("alice").stolen()),
            lenient: Refused,
            strict: Refused,
        },
    ]
}

fn expected(case: &Case, policy: ClientAuthPolicy) -> Outcome {
    match policy {
        NoClientCert => Anonymous,
        _ if case.identity.is_none() => {
            if policy.requires() {
                Refused
            } else {
                Anonymous
            }
        }
        RequestClientCert | RequireAnyClientCert => case.lenient,
        VerifyClientCertIfGiven | RequireAndVerifyClientCert => case.strict,
    }
}

/// One connection, seen from both ends: the client is let in exactly if the server lets it in.
async fn shake_hands(
    acceptor: &ClientCertAcceptor,
    pki: &ServerPki,
    identity: Option<&Identity>,
    version: &'static SupportedProtocolVersion,
) -> Result<TlsConnectInfo, AcceptError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = pki.client(identity, &[version]);
    let client = tokio::spawn(async move {
        let mut stream = connect(address, &config).await?;
        stream.write_all(b"ping").await?;
        // Under TLS 1.3 a client learns that it was refused only when it reads.
        let mut pong = [0; 4];
        stream.read_exact(&mut pong).await.map(|_| ())
    });
    let (tcp, _): (TcpStream, _) = listener.accept().await.unwrap();
    let accepted = match acceptor.accept(tcp).await {
        Ok((mut stream, info)) => {
            let mut ping = [0; 4];
            stream.read_exact(&mut ping).await.unwrap();
            stream.write_all(b"pong").await.unwrap();
            stream.shutdown().await.unwrap();
            Ok(info)
        }
        Err(error) => Err(error),
    };
    let seen_by_client = client.await.unwrap();
    assert_eq!(seen_by_client.is_ok(), accepted.is_ok(), "client: {seen_by_client:?}, server: {accepted:?}");
    accepted
}

#[tokio::test]
async fn every_policy_treats_every_certificate_as_the_table_says() {
    let ca = Authority::root("client CA");
    let pki = ServerPki::new();
    let cases = cases(&ca);
    let mut wrong = Vec::new();
    for policy in ClientAuthPolicy::ALL {
        let verifier = verifier(policy).roots([ca.der()]).build().unwrap();
        let acceptor = pki.acceptor(verifier);
        for case in &cases {
            for (version, seen) in [(&TLS12, TlsVersion::Tls12), (&TLS13, TlsVersion::Tls13)] {
                let outcome = match shake_hands(&acceptor, &pki, case.identity.as_ref(), version).await {
                    Err(_) => Refused,
                    Ok(info) => {
                        assert_eq!(info.policy(), Some(policy));
                        assert_eq!(info.protocol_version(), Some(seen));
                        assert_eq!(info.server_name(), Some("localhost"));
                        assert!(!info.resumed());
                        match info.peer_certificates() {
                            None => Anonymous,
                            Some(peer) => {
                                assert_eq!(peer.presented(), case.identity.as_ref().unwrap().chain);
                                match peer.verification() {
                                    Verification::Verified => Verified,
                                    Verification::Unverified(reason) => Unverified(reason),
                                }
                            }
                        }
                    }
                };
                let expected = expected(case, policy);
                if outcome != expected {
                    wrong.push(format!("{policy}, {seen:?}, {}: {outcome:?}, not {expected:?}", case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
