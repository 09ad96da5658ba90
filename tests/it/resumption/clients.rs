//! OpenSSL, Python and curl come back with their sessions, where they are installed.

use std::process::{Output, Stdio};
use std::sync::Arc;

use axum::{Extension, Router, routing::get};
use rustls::server::ProducesTickets;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor, ClientVerifier, TlsConnectInfo};

use crate::harness::{Server, ServerPki, verifier};
use crate::pki::{Authority, Identity};
use crate::provider::ticketer;

use ClientAuthPolicy::{RequestClientCert, RequireAndVerifyClientCert};

/// What the clients need as files, and servers that say whether they resumed, and what the certificate is worth.
struct World {
    pki: ServerPki,
    ca: Authority,
    files: TempDir,
    ticketer: Option<Arc<dyn ProducesTickets>>,
}

impl World {
    fn new(identity: impl FnOnce(&Authority) -> Identity, tickets: bool) -> Self {
        let world = Self {
            pki: ServerPki::new(),
            ca: Authority::root("client CA"),
            files: tempfile::tempdir().unwrap(),
            ticketer: tickets.then(ticketer),
        };
        let alice = identity(&world.ca);
        for (name, pem) in [
            ("server-ca.pem", world.pki.ca.pem()),
            ("cert.pem", alice.chain_pem()),
            ("key.pem", alice.key_pem()),
        ] {
            std::fs::write(world.files.path().join(name), pem).unwrap();
        }
        world
    }

    async fn server(&self, verifier: Arc<ClientVerifier>) -> Server {
        async fn say(Extension(info): Extension<TlsConnectInfo>) -> String {
            let peer = info.peer_certificates().map(|peer| peer.verification().to_string());
            format!("resumed: {}, {}\n", info.resumed(), peer.unwrap_or("NONE".to_owned()))
        }
        let mut config = self.pki.config(&verifier);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if let Some(ticketer) = &self.ticketer {
            config.ticketer = Arc::clone(ticketer);
        }
        let acceptor = ClientCertAcceptor::new(config, verifier);
        Server::start(acceptor, Router::new().route("/", get(say))).await
    }

    fn verifier(&self, policy: ClientAuthPolicy) -> Arc<ClientVerifier> {
        verifier(policy).roots([self.ca.der()]).build().unwrap()
    }

    /// Runs a client among the files. `None` if it is not installed.
    async fn run(&self, program: &str, arguments: &[&str], input: &str) -> Option<String> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.files.path()).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                eprintln!("skipped: {program}: {error}");
                return None;
            }
        };
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        drop(stdin);
        let Output { stdout, stderr, .. } = child.wait_with_output().await.unwrap();
        Some([stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat())
    }

    /// One request by `openssl s_client`, with `more` arguments.
    async fn openssl(&self, server: &Server, more: &[&str]) -> Option<String> {
        let address = server.address.to_string();
        let mut arguments = vec!["s_client", "-connect", &address, "-servername", "localhost", "-ign_eof"];
        arguments.extend(["-CAfile", "server-ca.pem", "-cert", "cert.pem", "-key", "key.pem"]);
        arguments.extend(more);
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        self.run("openssl", &arguments, request).await
    }
}

/// The lines in which the server said what it saw.
fn said(output: &str) -> Vec<&str> {
    output.lines().filter(|line| line.starts_with("resumed: ")).collect()
}

fn alice(ca: &Authority) -> Identity {
    ca.client("alice")
}

#[tokio::test]
async fn openssl_resumes_from_a_session_file() {
    for tickets in [false, true] {
        for version in ["-tls1_2", "-tls1_3"] {
            let world = World::new(alice, tickets);
            let server = world.server(world.verifier(RequireAndVerifyClientCert)).await;
            let Some(first) = world.openssl(&server, &[version, "-sess_out", "session"]).await else {
                return;
            };
            assert_eq!(said(&first), ["resumed: false, SUCCESS"], "{first}");
            let second = world.openssl(&server, &[version, "-sess_in", "session"]).await.unwrap();
            assert_eq!(said(&second), ["resumed: true, SUCCESS"], "{second}");
            assert!(second.contains("Reused, TLSv1."), "{second}");
        }
    }
}

/// The ticket is good, the client revoked in the meantime. Its full handshake goes unnoticed.
#[tokio::test]
async fn i5_openssl_is_not_resumed_after_its_revocation() {
    let serial = rcgen::SerialNumber::from(4711);
    for version in ["-tls1_2", "-tls1_3"] {
        let revoked =
            |ca: &Authority| ca.issue("alice", |params| params.serial_number = Some(serial.clone()));
        let world = World::new(revoked, true);
        let server = world.server(world.verifier(RequestClientCert)).await;
        let Some(first) = world.openssl(&server, &[version, "-sess_out", "session"]).await else { return };
        assert_eq!(said(&first), ["resumed: false, SUCCESS"], "{first}");

        let crl = world.ca.crl(&[&serial], time::Duration::days(1));
        let since = verifier(RequestClientCert).roots([world.ca.der()]).crls([crl]).build().unwrap();
        let server = world.server(since).await;
        let second = world.openssl(&server, &[version, "-sess_in", "session"]).await.unwrap();
        assert_eq!(said(&second), ["resumed: false, FAILED:certificate revoked"], "{second}");
        assert!(second.contains("New, TLSv1."), "{second}");
    }
}

/// Five connections in a row. Under TLS 1.3 OpenSSL does not wait for a ticket before it connects again.
#[tokio::test]
async fn openssl_reconnects() {
    for tickets in [false, true] {
        let world = World::new(alice, tickets);
        let server = world.server(world.verifier(RequireAndVerifyClientCert)).await;
        let Some(output) = world.openssl(&server, &["-tls1_2", "-reconnect"]).await else { return };
        assert_eq!(output.matches("Reused, TLSv1.2").count(), 5, "{output}");
        assert_eq!(said(&output), ["resumed: true, SUCCESS"], "{output}");
    }
}

const PYTHON: &str = r#"
import socket, ssl, sys

context = ssl.create_default_context(cafile="server-ca.pem")
context.load_cert_chain("cert.pem", "key.pem")
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, sys.argv[2])
session = None
for _ in range(3):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as tcp:
        with context.wrap_socket(tcp, server_hostname="localhost", session=session) as tls:
            tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while data := tls.recv(4096):
                answer += data
            session = tls.session
            print(answer.decode().split("\r\n\r\n")[1].strip(), tls.session_reused)
"#;

#[tokio::test]
async fn python_resumes() {
    for tickets in [false, true] {
        for version in ["TLSv1_2", "TLSv1_3"] {
            let world = World::new(alice, tickets);
            let server = world.server(world.verifier(RequireAndVerifyClientCert)).await;
            let port = server.address.port().to_string();
            let Some(output) = world.run("python3", &["-c", PYTHON, &port, version], "").await else {
                return;
            };
            let resumed = "resumed: true, SUCCESS True";
            assert_eq!(said(&output), ["resumed: false, SUCCESS False", resumed, resumed], "{output}");
        }
    }
}

#[tokio::test]
async fn curl_resumes() {
    for tickets in [false, true] {
        for version in [["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3", "--tls-max", "1.3"]] {
            let world = World::new(alice, tickets);
            let server = world.server(world.verifier(RequireAndVerifyClientCert)).await;
            let url = format!("https://localhost:{}/", server.address.port());
            let mut arguments = vec!["--silent", "--show-error", "--ipv4", "--header", "Connection: close"];
            arguments.extend(["--cacert", "server-ca.pem", "--cert", "cert.pem", "--key", "key.pem"]);
            arguments.extend(version);
            arguments.extend([&*url, &*url]);
            let Some(output) = world.run("curl", &arguments, "").await else { return };
            assert_eq!(said(&output), ["resumed: false, SUCCESS", "resumed: true, SUCCESS"], "{output}");
        }
    }
}
