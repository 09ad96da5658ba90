//! A refused client: the program learns why and for which certificate, and the client hears it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{GeneralSubtree, NameConstraints, SerialNumber};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, ClientConfig};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tower_client_cert::{
    AcceptError, ChainError, ClientAuthPolicy, ClientCertAcceptor, ClientVerifierBuilder, Refusal,
    RefusalReason, UnverifiedReason,
};

use crate::harness::{ServerPki, connect, verifier};
use crate::pki::{Authority, Identity, unknown_extension};

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) identity: Option<Identity>,
    pub(crate) verifier: ClientVerifierBuilder,
    pub(crate) reason: RefusalReason,
    alert: AlertDescription,
}

/// Everything for which a client can be refused.
pub(crate) fn cases() -> Vec<Case> {
    use AlertDescription as A;
    use ClientAuthPolicy::{RequestClientCert, RequireAndVerifyClientCert, RequireAnyClientCert};
    use UnverifiedReason as R;
    let ca = Authority::root("client CA");
    let day = time::Duration::days(1);
    let now = OffsetDateTime::now_utc();
    let strict = || verifier(RequireAndVerifyClientCert).roots([ca.der()]);
    let serial = SerialNumber::from(4711);
    let revoked = ca.issue("revoked", |params| params.serial_number = Some(serial.clone()));
    let narrow = ca.intermediate_with("narrow", |params| {
        let permitted = vec![GeneralSubtree::DnsName("other.test".to_owned())];
        params.name_constraints =
            Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: vec![] });
    });
    let mut torn = ca.client("torn");
    let mut der = torn.chain[0].to_vec();
    *der.last_mut().unwrap() ^= 1;
    torn.chain[0] = der.into();
    let junk = |count| vec![CertificateDer::from(vec![0x30, 0x00]); count];
    let large = ca.issue("large", |params| params.custom_extensions = vec![unknown_extension(false, 40_000)]);
    let bytes = large.chain[0].len();

    let mut cases = Vec::new();
    let mut add = |name, identity, verifier, reason, alert| {
        cases.push(Case { name, identity, verifier, reason, alert });
    };
    let any = || verifier(RequireAnyClientCert);
    add("none", None, strict(), RefusalReason::NoCertificate, A::CertificateRequired);
    add("none, any would do", None, any(), RefusalReason::NoCertificate, A::CertificateRequired);
    let mut unverified = |name, identity, verifier, reason, alert| {
        add(name, Some(identity), verifier, RefusalReason::Unverified(reason), alert);
    };
    let expired = ca.issue("expired", |params| params.not_after = now - day);
    let early = ca.issue("early", |params| params.not_before = now + day);
    let server = ca.server(&["a.test"]);
    unverified("expired", expired, strict(), R::Expired, A::CertificateExpired);
    unverified("early", early, strict(), R::NotYetValid, A::CertificateExpired);
    let crls = |revoked: &[&SerialNumber], valid| strict().crls([ca.crl(revoked, valid)]);
    unverified("revoked", revoked, crls(&[&serial], day), R::Revoked, A::CertificateRevoked);
    unverified("old CRL", ca.client("a"), crls(&[], -day), R::ExpiredCrl, A::UnknownCA);
    let elsewhere = strict().crls([Authority::root("another").crl(&[], day)]);
    unverified("another's CRL", ca.client("a"), elsewhere, R::UnknownRevocationStatus, A::UnknownCA);
    let stranger = Identity::self_signed("stranger");
    unverified("stranger", stranger, strict(), R::UnknownIssuer, A::UnknownCA);
    unverified("server's", server, strict(), R::NotForClientAuth, A::UnsupportedCertificate);
    unverified("torn", torn, strict(), R::BadSignature, A::DecryptError);
    let constrained = narrow.client("a").with([narrow.der()]);
    unverified("constrained", constrained, strict(), R::ConstraintViolated, A::CertificateUnknown);
    unverified("version 1", ca.issue_v1("v1"), strict(), R::UnsupportedVersion, A::CertificateUnknown);

    let a = || ca.client("a");
    let ask = || verifier(RequestClientCert);
    let chain = |error| RefusalReason::Chain(error);
    let too_many = ChainError::TooManyCertificates { count: 6, max: 5 };
    add("six", Some(a().with(junk(5))), ask(), chain(too_many), A::CertificateUnknown);
    let not_one = ChainError::NotACertificate { index: 1 };
    add("junk", Some(a().with(junk(1))), ask(), chain(not_one), A::CertificateUnknown);
    let too_large = ChainError::TooLarge { index: 0, bytes, max: 32 * 1024 };
    add("large", Some(large), ask(), chain(too_large), A::CertificateUnknown);
    add("stolen", Some(a().stolen()), ask(), RefusalReason::NotProven, A::DecryptError);
    add("stolen, verified", Some(a().stolen()), strict(), RefusalReason::NotProven, A::DecryptError);
    cases
}

/// A client that sends a request at once and more after it, as those do that speak HTTP/2, and what it hears.
async fn talk(address: std::net::SocketAddr, config: &ClientConfig) -> io::Error {
    let mut stream = match connect(address, config).await {
        Ok(stream) => stream,
        Err(error) => return error,
    };
    // As curl, it gives up when it can't write.
    match stream.write_all(&[b'a'; 100_000]).await {
        Ok(()) => stream.read_u8().await.unwrap_err(),
        Err(error) => error,
    }
}

fn alert(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

/// One connection over TCP: what the server says of it, and the client.
async fn refuse(acceptor: &ClientCertAcceptor, config: ClientConfig) -> (Refusal, io::Error) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = tokio::spawn(async move { talk(address, &config).await });
    let (tcp, peer) = listener.accept().await.unwrap();
    match acceptor.accept_from(tcp, peer).await.unwrap_err() {
        AcceptError::Refused(refusal) => (*refusal, client.await.unwrap()),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn every_refusal_says_why_and_of_whom_and_the_client_hears_the_alert() {
    let pki = ServerPki::new();
    for case in cases() {
        let verifier = case.verifier.build().unwrap();
        let acceptor = pki.acceptor(Arc::clone(&verifier));
        for version in [&TLS12, &TLS13] {
            let (refusal, heard) = refuse(&acceptor, pki.client(case.identity.as_ref(), &[version])).await;
            let name = format!("{} {version:?}", case.name);
            assert_eq!(refusal.reason(), &case.reason, "{name}");
            assert_eq!(refusal.policy(), verifier.policy(), "{name}");
            assert_eq!(refusal.server_name(), Some("localhost"), "{name}");
            assert!(!refusal.is_resumption(), "{name}");
            let claimed = refusal.certificate().map(|certificate| certificate.der());
            assert_eq!(claimed, case.identity.as_ref().map(|identity| &identity.chain[0]), "{name}");
            assert!(!format!("{refusal} {refusal:?}").contains("CN="), "{name}");
            assert_eq!(alert(&heard), Some(case.alert), "{name}: {heard}");
        }
    }
}

/// Whoever writes a lot before it reads gets to read nevertheless: without the drain the kernel would reset it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_sending_hears_the_alert_every_time() {
    let pki = ServerPki::new();
    let ca = Authority::root("client CA");
    let strict = verifier(ClientAuthPolicy::RequireAndVerifyClientCert).roots([ca.der()]).build().unwrap();
    let acceptor = pki.acceptor(strict);
    for _ in 0..50 {
        let (_, heard) = refuse(&acceptor, pki.client(None, &[&TLS13])).await;
        assert_eq!(alert(&heard), Some(AlertDescription::CertificateRequired), "{heard}");
    }
}

/// The same for a name that nothing is served under, for what is no handshake, and for what comes too early.
#[tokio::test]
async fn whoever_is_turned_away_before_a_certificate_hears_why_too() {
    let pki = ServerPki::new();
    let plain = pki.acceptor(verifier(ClientAuthPolicy::RequestClientCert).build().unwrap());
    let named = ClientCertAcceptor::by_server_name().name("other.test", plain).build().unwrap();
    let more = [0x17; 100_000];
    for sample in [&b"\x16\x03\x01\x00\x04\x02\x00\x00\x00"[..], b"\x16\x03\x01\xff\xff", b""] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut hello = sample.to_vec();
        if hello.is_empty() {
            let config = Arc::new(pki.client(None, &[&TLS13]));
            let name = ServerName::try_from("localhost").unwrap();
            rustls::ClientConnection::new(config, name).unwrap().write_tls(&mut hello).unwrap();
        }
        let client = async {
            let mut tcp = TcpStream::connect(address).await.unwrap();
            tcp.write_all(&hello).await.unwrap();
            let _ = tcp.write_all(&more).await;
            let mut answer = [0; 7];
            tcp.read_exact(&mut answer).await.map(|_| answer)
        };
        let server = async {
            let (tcp, _) = listener.accept().await.unwrap();
            named.accept(tcp).await.unwrap_err()
        };
        let (answer, error) = tokio::join!(client, server);
        let answer = answer.unwrap_or_else(|read| panic!("{error}: {read}"));
        assert_eq!(answer[..5], [0x15, 3, 3, 0, 2], "{error}: {answer:?}");
    }
}

/// A client without a certificate that is through with its share of the handshake, and does not leave.
async fn stay(
    pki: &ServerPki,
    io: tokio::io::DuplexStream,
) -> tokio_rustls::client::TlsStream<tokio::io::DuplexStream> {
    let connector = TlsConnector::from(Arc::new(pki.client(None, &[&TLS13])));
    connector.connect(ServerName::try_from("localhost").unwrap(), io).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn i6_who_does_not_leave_is_waited_for_two_seconds_and_no_more_than_the_handshake() {
    let pki = ServerPki::new();
    let policy = ClientAuthPolicy::RequireAnyClientCert;
    let acceptor = pki.acceptor(verifier(policy).build().unwrap());
    for (timeout, waited) in [(10_000, 2_000), (500, 500)] {
        let acceptor = acceptor.clone().handshake_timeout(Duration::from_millis(timeout));
        let (near, far) = duplex(64 * 1024);
        let begin = Instant::now();
        let (accepted, _client) = tokio::join!(acceptor.accept(near), stay(&pki, far));
        assert!(matches!(accepted, Err(AcceptError::Refused(_))), "{accepted:?}");
        assert_eq!(begin.elapsed().as_millis(), waited);
    }
}

#[tokio::test(start_paused = true)]
async fn i6_who_goes_on_sending_is_cut_off() {
    let pki = ServerPki::new();
    let acceptor = pki.acceptor(verifier(ClientAuthPolicy::RequireAnyClientCert).build().unwrap());
    let (near, far) = duplex(64 * 1024);
    let begin = Instant::now();
    let client = async {
        let (mut io, _) = stay(&pki, far).await.into_inner();
        let mut sent = 0;
        while io.write_all(&[0; 1024]).await.is_ok() {
            sent += 1024;
            assert!(sent < 1024 * 1024, "it is read without end");
        }
    };
    let (accepted, ()) = tokio::join!(acceptor.accept(near), client);
    assert!(matches!(accepted, Err(AcceptError::Refused(_))), "{accepted:?}");
    assert!(begin.elapsed() < Duration::from_secs(1), "it was the bytes, and not the time");
}
