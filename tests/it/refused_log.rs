//! A refused client leaves one line in the log that is on by default, whatever server it came to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Router, routing::get};
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use tokio::io::{AsyncReadExt as _, duplex};
use tokio_rustls::TlsConnector;
use tower_client_cert::authorize::{RequireClientCertLayer, Rule};
use tower_client_cert::{AcceptError, ClientAuthPolicy, ClientCertAcceptor, Reloader};

use crate::harness::{self, HttpClient, Server, ServerPki, connect, verifier};
use crate::log::Log;
use crate::pki::{Authority, Identity};
use crate::refused::cases;

const LINE: &str = "client certificate refused";

fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains(LINE)).collect()
}

/// One handshake in memory, at the end of which the client has gone.
async fn visit(acceptor: &ClientCertAcceptor, pki: &ServerPki, identity: Option<&Identity>) -> AcceptError {
    let connector = TlsConnector::from(Arc::new(pki.client(identity, &[&TLS13])));
    let (near, far) = duplex(128 * 1024);
    let client = async {
        let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), far).await.unwrap();
        let _ = stream.read_u8().await;
    };
    let (accepted, ()) = tokio::join!(acceptor.accept(near), client);
    accepted.unwrap_err()
}

fn sha256(identity: &Identity) -> String {
    tower_client_cert::Fingerprint::of(&identity.chain[0]).to_string()
}

#[tokio::test]
async fn every_refusal_is_a_line_with_the_reason_in_words_and_whose_certificate_it_was() {
    let pki = ServerPki::new();
    for case in cases() {
        let acceptor = pki.acceptor(case.verifier.build().unwrap());
        let log = Log::start();
        visit(&acceptor, &pki, case.identity.as_ref()).await;
        let text = log.text();
        assert_eq!(text.lines().count(), 1, "{}: {text}", case.name);
        assert!(text.contains(" INFO tower_client_cert") && text.contains(LINE), "{}: {text}", case.name);
        assert!(text.contains(&format!(" reason={} policy=Re", case.reason)), "{}: {text}", case.name);
        assert!(text.contains("server_name=\"localhost\""), "{}: {text}", case.name);
        for word in ["InvalidCertificate", "Other(", "Context", "peer="] {
            assert!(!text.contains(word), "{}: {text}", case.name);
        }
        match &case.identity {
            Some(identity) => {
                for part in ["subject=\"CN=", "issuer=\"CN=", "serial=\""] {
                    assert!(text.contains(part), "{}: {text}", case.name);
                }
                assert!(text.contains(&format!("sha256={}", sha256(identity))), "{}: {text}", case.name);
            }
            None => assert!(!text.contains("subject=") && !text.contains("sha256="), "{text}"),
        }
    }
}

/// As much as there is room for in a certificate, of what breaks and turns lines.
fn hostile() -> (Authority, Identity) {
    let name =
        "\r\nINFO all is well\u{1b}[2K\u{202e}\u{2066}\u{2028}\u{2029}\u{85}x peer=192.0.2.1 \"".repeat(400);
    let ca = Authority::root("root").intermediate_with("issuer", |params| {
        params.distinguished_name.push(rcgen::DnType::OrganizationName, name.as_str());
    });
    let identity = ca.issue("mallory", |params| {
        params.distinguished_name.push(rcgen::DnType::OrganizationName, name.as_str());
        params.serial_number = Some(vec![0x7F; 2_000].into());
    });
    (ca, identity)
}

fn is_bounded(line: &str) {
    assert!(line.len() < 2_048, "{} bytes: {line}", line.len());
    let misleads = |char: char| char.is_control() || ('\u{2028}'..='\u{2069}').contains(&char);
    assert!(!line.contains(misleads), "{line:?}");
    // Names are in quotes, and there is no way out of these.
    let outside: String = line.replace("\\\\", "").replace("\\\"", "").split('"').step_by(2).collect();
    assert!(!outside.contains("192.0.2.1"), "{outside}: {line}");
}

#[tokio::test]
async fn i12_no_name_makes_the_line_long_or_misleading() {
    let pki = ServerPki::new();
    let ca = Authority::root("client CA");
    let policy = ClientAuthPolicy::RequireAndVerifyClientCert;
    let builder = verifier(policy).roots([ca.der()]).max_certificate_size(64_000);
    let acceptor = pki.acceptor(builder.build().unwrap());
    let (_, mallory) = hostile();
    let log = Log::start();
    let AcceptError::Refused(refusal) = visit(&acceptor, &pki, Some(&mallory)).await else { panic!() };
    let text = log.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    is_bounded(text.trim_end());
    let claimed = refusal.certificate().unwrap();
    for name in [claimed.subject(), claimed.issuer(), claimed.serial()] {
        let name = name.unwrap();
        assert!(name.len() <= 256 && name.ends_with('…'), "{name}");
    }
}

#[tokio::test]
async fn i12_a_denied_request_logs_a_kilobyte_at_most_whatever_the_certificate() {
    let pki = ServerPki::new();
    let (ca, mallory) = hostile();
    let verified = verifier(ClientAuthPolicy::RequireAndVerifyClientCert).roots([ca.der()]);
    let acceptor = pki.acceptor(verified.max_certificate_size(64_000).without_root_hints().build().unwrap());
    let rule = RequireClientCertLayer::new(Rule::san_dns(["nobody.test"]).unwrap());
    let app = Router::new().route("/", get(|| async { "in" })).layer(rule);
    let log = Log::start();
    let server = Server::start(acceptor, app).await;
    let client = HttpClient::new(pki.client(Some(&mallory), &[&TLS13]), false);
    let response = client.send(server.address, harness::get(server.address, "/")).await;
    assert_eq!(response.status(), 403);
    let text = log.text();
    let denied: Vec<_> = text.lines().filter(|line| line.contains("client certificate denied")).collect();
    assert_eq!(denied.len(), 1, "{text}");
    assert!(denied[0].len() <= 1_024, "{}", denied[0].len());
    is_bounded(denied[0]);
}

#[tokio::test]
async fn one_switch_leaves_the_hash_and_the_reason() {
    let pki = ServerPki::new();
    let ca = Authority::root("client CA");
    let mallory = Authority::root("stranger").client("mallory");
    let strict = verifier(ClientAuthPolicy::RequireAndVerifyClientCert).roots([ca.der()]).build().unwrap();
    let config = pki.config(&strict);
    let make = move || ClientCertAcceptor::new(config.clone(), Arc::clone(&strict));
    let silent = make().without_names_in_log();
    let named = ClientCertAcceptor::by_server_name().name("a.test", silent.clone()).fallback(make());
    let reloaded = Reloader::new(move || Ok::<_, std::io::Error>(make().without_names_in_log())).unwrap();
    for acceptor in [silent, named.build().unwrap(), reloaded.acceptor()] {
        let log = Log::start();
        visit(&acceptor, &pki, Some(&mallory)).await;
        let text = log.text();
        let line = lines(&text)[0];
        assert!(line.contains(&format!("sha256={}", sha256(&mallory))), "{line}");
        assert!(line.contains("unable to get local issuer certificate"), "{line}");
        for name in ["mallory", "stranger", "subject", "issuer=", "serial"] {
            assert!(!line.contains(name), "{name}: {line}");
        }
    }
}

/// Comes with a certificate that nobody takes, and hears so.
async fn knock(address: SocketAddr, pki: &ServerPki) {
    let mallory = Identity::self_signed("mallory");
    let mut refused = connect(address, &pki.client(Some(&mallory), &[&TLS13])).await.unwrap();
    refused.read_u8().await.unwrap_err();
}

#[tokio::test]
async fn a_refusal_is_one_line_with_the_peer_on_every_server() {
    let pki = ServerPki::new();
    let ca = Authority::root("client CA");
    let strict = verifier(ClientAuthPolicy::RequireAndVerifyClientCert).roots([ca.der()]);
    let acceptor = pki.acceptor(strict.build().unwrap());
    // All tasks are on this thread.
    let log = Log::with_filter("tower_client_cert=debug");

    let server = Server::start(acceptor.clone(), Router::new()).await;
    knock(server.address, &pki).await;
    server.shut_down().await;

    #[cfg(feature = "axum-server")]
    {
        let handle = axum_server::Handle::new();
        let app = Router::<()>::new().into_make_service();
        let server = axum_server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).handle(handle.clone());
        let server = tokio::spawn(server.acceptor(acceptor.clone()).serve(app));
        knock(handle.listening().await.unwrap(), &pki).await;
        handle.shutdown();
        server.await.unwrap().unwrap();
    }

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accept = async {
        let (tcp, peer) = listener.accept().await.unwrap();
        acceptor.accept_from(tcp, peer).await.unwrap_err();
    };
    tokio::join!(accept, knock(address, &pki));

    let text = log.text();
    let lines = lines(&text);
    assert_eq!(lines.len(), if cfg!(feature = "axum-server") { 3 } else { 2 }, "{text}");
    assert!(!text.contains("no TLS connection"), "nothing is said twice: {text}");
    for line in lines {
        assert!(line.contains(&format!("{LINE} peer=127.0.0.1:")), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_refusals_is_counted_and_at_level_debug_there_are_all() {
    const CLIENTS: usize = 50;
    let pki = ServerPki::new();
    let acceptor = pki.acceptor(verifier(ClientAuthPolicy::RequireAnyClientCert).build().unwrap());
    let log = Log::with_filter("tower_client_cert=debug");
    for _ in 0..CLIENTS {
        visit(&acceptor, &pki, None).await;
    }
    let text = log.text();
    assert_eq!(lines(&text).len(), CLIENTS, "{text}");
    let told = lines(&text).iter().filter(|line| line.contains(" INFO ")).count();
    tokio::time::advance(Duration::from_secs(60)).await;
    visit(&acceptor.clone(), &pki, None).await;
    let text = log.text();
    let last = lines(&text).pop().unwrap();
    assert!(last.contains(" INFO ") && told < CLIENTS, "{text}");
    let suppressed: usize = text.matches("suppressed=").count();
    assert_eq!(suppressed, 1, "{text}");
    assert!(last.contains(&format!("suppressed={}", CLIENTS - told)), "{told}: {last}");
}

#[tokio::test]
async fn what_makes_every_handshake_fail_is_one_error() {
    let pki = ServerPki::new();
    let policy = ClientAuthPolicy::RequestClientCert;
    let [one, other] = [(); 2].map(|()| verifier(policy).build().unwrap());
    let foreign = ClientCertAcceptor::new(pki.config(&one), Arc::clone(&other));
    let nothing = rustls::server::ResolvesServerCertUsingSni::new();
    let empty = one.server_config().unwrap().with_cert_resolver(Arc::new(nothing));
    let empty = ClientCertAcceptor::new(empty, one);
    for (acceptor, said) in [(foreign, "verifier.server_config()"), (empty, "no server certificate")] {
        let log = Log::start();
        for _ in 0..3 {
            let (near, far) = duplex(128 * 1024);
            let connector = TlsConnector::from(Arc::new(pki.client(None, &[&TLS13])));
            let client = async {
                let name = ServerName::try_from("localhost").unwrap();
                match connector.connect(name, far).await {
                    Ok(mut stream) => stream.read_u8().await.unwrap_err(),
                    Err(error) => error,
                }
            };
            let (accepted, _) = tokio::join!(acceptor.accept(near), client);
            accepted.unwrap_err();
        }
        let text = log.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("ERROR") && text.contains(said), "{text}");
    }
}
