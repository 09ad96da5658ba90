//! The example `edge_proxy` as its users have it: the program itself, real clients, and a backend of ours behind it.

mod bodies;
mod clients;
mod command_line;
mod drain;
mod flags;
mod heads;
mod idle;
mod proxying;
mod reload;
mod trust_lost;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::Semaphore;

use crate::harness::{HttpClient, ServerPki, connect, example};
use crate::pki::{Authority, Identity};

async fn output(command: &mut Command) -> (Output, String, String) {
    let output = command.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    (output, stdout, stderr)
}

/// The files a proxy is started with, and those of its clients.
struct Files {
    folder: TempDir,
    server: ServerPki,
    client_ca: Authority,
    alice: Identity,
    mallory: Identity,
}

impl Files {
    fn new() -> Self {
        let client_ca = Authority::root("client CA");
        let files = Self {
            folder: TempDir::new().unwrap(),
            server: ServerPki::new(),
            alice: client_ca.client("alice"),
            mallory: Authority::root("stranger").client("mallory"),
            client_ca,
        };
        files.write("server.pem", &files.server.server.chain_pem());
        files.write("server.key", &files.server.server.key_pem());
        files.write("server-ca.pem", &files.server.ca.pem());
        files.write("ca.pem", &files.client_ca.pem());
        for (name, identity) in [("alice", &files.alice), ("mallory", &files.mallory)] {
            files.write(&format!("{name}.pem"), &identity.chain_pem());
            files.write(&format!("{name}.key"), &identity.key_pem());
        }
        files
    }

    fn write(&self, name: &str, contents: &str) {
        std::fs::write(self.folder.path().join(name), contents).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A proxy that runs, until dropped.
struct EdgeProxy {
    child: Child,
    address: SocketAddr,
    /// What it prints after the line that says where it listens.
    stdout: Lines<BufReader<ChildStdout>>,
    files: Files,
}

impl EdgeProxy {
    /// In front of a backend, asking for certificates.
    async fn start(backend: SocketAddr, more: &[&str]) -> Self {
        let files = Files::new();
        let mut command = example("edge_proxy");
        command
            .args(["--listen", "127.0.0.1:0", "--backend", &backend.to_string()])
            .args(["--cert".as_ref(), files.path("server.pem").as_os_str()])
            .args(["--key".as_ref(), files.path("server.key").as_os_str()])
            .args(["--client-ca".as_ref(), files.path("ca.pem").as_os_str()])
            .args(more);
        Self::spawn(command, files).await
    }

    async fn spawn(mut command: Command, files: Files) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let line = stdout.next_line().await.unwrap().expect("a line that says where it listens");
            if let Some(address) = line.strip_prefix("listening on https://") {
                break address.parse().unwrap();
            }
        };
        Self { child, address, stdout, files }
    }

    fn client(&self, identity: Option<&Identity>, http2: bool) -> HttpClient {
        HttpClient::new(self.files.server.client(identity, rustls::ALL_VERSIONS), http2)
    }

    /// Sends bytes over TLS, and returns all that comes back until the proxy closes.
    async fn raw(&self, identity: Option<&Identity>, request: &str) -> String {
        let config = self.files.server.client(identity, rustls::ALL_VERSIONS);
        let mut tls = connect(self.address, &config).await.unwrap();
        tls.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        tls.read_to_string(&mut response).await.unwrap();
        response
    }

    async fn signal(&self, name: &str) {
        // The shell's own `kill`: not every machine has another.
        let kill = format!("kill {name} {}", self.child.id().unwrap());
        assert!(Command::new("sh").args(["-c", &kill]).status().await.unwrap().success());
    }
}

/// A backend that answers with what it received:
///
/// - `/held` once a permit is released, after it has given one to `arrived`;
/// - `/stream` with the body, piece by piece;
/// - `/hop` with headers for the next hop only;
/// - anything else with the head, the body and the trailers, as text.
struct Backend {
    address: SocketAddr,
    arrived: Arc<Semaphore>,
    release: Arc<Semaphore>,
}

impl Backend {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let arrived = Arc::new(Semaphore::new(0));
        let release = Arc::new(Semaphore::new(0));
        let held = {
            let (arrived, release) = (Arc::clone(&arrived), Arc::clone(&release));
            any(async move || {
                arrived.add_permits(1);
                release.acquire().await.unwrap().forget();
                "released"
            })
        };
        let hop = any(async || {
            [("connection", "x-internal"), ("x-internal", "1"), ("keep-alive", "timeout=5"), ("x-kept", "1")]
        });
        let app = Router::new()
            .route("/held", held)
            .route("/stream", any(async |body: Body| body))
            .route("/hop", hop)
            .fallback(describe);
        tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        Self { address, arrived, release }
    }
}

async fn describe(request: Request<Body>) -> String {
    let (head, body) = request.into_parts();
    let mut text = format!("{} {} {:?}\n", head.method, head.uri, head.version);
    for (name, value) in &head.headers {
        text += &format!("{name}: {}\n", value.to_str().unwrap());
    }
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    text += &format!("\n{}", String::from_utf8(body.to_bytes().to_vec()).unwrap());
    for (name, value) in &trailers {
        text += &format!("\ntrailer {name}: {}", value.to_str().unwrap());
    }
    text
}

/// The headers in a text of [`describe`].
fn received(text: &str) -> HeaderMap {
    let lines = text.lines().skip_while(|line| !line.ends_with("HTTP/1.1")).skip(1);
    let mut headers = HeaderMap::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{text}"));
        headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
    }
    headers
}

fn curl(proxy: &EdgeProxy, identity: Option<&str>) -> Command {
    let files = &proxy.files;
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--max-time", "30", "--cacert"])
        .arg(files.path("server-ca.pem"));
    if let Some(name) = identity {
        command.arg("--cert").arg(files.path(&format!("{name}.pem")));
        command.arg("--key").arg(files.path(&format!("{name}.key")));
    }
    command
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
