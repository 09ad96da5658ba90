//! Real proxies in front of our backend, and real readers behind our proxy.
//!
//! They are ignored by default, since they need what their reason names: `cargo test --test it -- --ignored peers::`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use http::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tower_client_cert::dialect::{Dialect, Skipper};
use tower_client_cert::forwarded::{
    Fingerprint, ForwardedClientCert, ForwardedClientCertError, ForwardedClientCertLayer, TrustedProxies,
};
use tower_client_cert::{ClientAuthPolicy, ClientCertLayer};

use crate::harness::{self, HttpClient, Server, ServerPki, skipper_value};
use crate::pki::{Authority, Identity};

/// Files that the peers and curl read.
struct Files {
    dir: TempDir,
    pki: ServerPki,
    clients: Authority,
}

impl Files {
    fn new() -> Self {
        let files =
            Self { dir: TempDir::new().unwrap(), pki: ServerPki::new(), clients: Authority::root("clients") };
        let server = &files.pki.server;
        files.write("server-ca.pem", &files.pki.ca.pem());
        files.write("client-ca.pem", &files.clients.pem());
        files.write("server.pem", &server.chain_pem());
        files.write("server.key", &server.key_pem());
        files.write("server-all.pem", &(server.chain_pem() + &server.key_pem()));
        files
    }

    fn write(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    /// A configuration, with the directory for `DIR`, and an address for each other key.
    fn configure(&self, name: &str, template: &str, keys: &[(&str, SocketAddr)]) -> PathBuf {
        let mut text = template.replace("DIR", self.dir.path().to_str().unwrap());
        for (key, address) in keys {
            text = text.replace(key, &address.to_string());
        }
        self.write(name, &text)
    }

    /// Starts a peer that is to listen on the address it is given, and waits until it does.
    async fn start(&self, peer: impl Fn(&Self, SocketAddr) -> Command) -> Peer {
        // These programs can't be told to take any free port, so somebody else may get it first.
        for _ in 0..5 {
            let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let log = self.dir.path().join("peer.log");
            let output = std::fs::File::create(&log).unwrap();
            let mut command = peer(self, address);
            command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
            let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
            let mut peer = Peer { child, address };
            match peer.wait_until_it_listens().await {
                Ok(()) => return peer,
                Err(why) => {
                    let log = std::fs::read_to_string(&log).unwrap();
                    let taken = log.contains("in use") || log.contains("cannot bind");
                    assert!(taken, "{command:?}: {why}\n{log}");
                }
            }
        }
        panic!("no port stayed free long enough");
    }

    /// curl's answer: the body, and the status.
    async fn curl(
        &self,
        peer: &Peer,
        http2: bool,
        identity: Option<&Identity>,
        headers: &[&str],
    ) -> (String, u16) {
        let mut curl = tokio::process::Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_code}"])
            .arg(if http2 { "--http2" } else { "--http1.1" })
            .arg("--cacert")
            .arg(self.dir.path().join("server-ca.pem"));
        if let Some(identity) = identity {
            curl.arg("--cert").arg(self.write("client.pem", &identity.chain_pem()));
            curl.arg("--key").arg(self.write("client.key", &identity.key_pem()));
        }
        for header in headers {
            curl.args(["--header", header]);
        }
        let output = curl.arg(format!("https://{}/", peer.address)).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}{text}", String::from_utf8_lossy(&output.stderr));
        let (body, status) = text.rsplit_once('\n').unwrap();
        (body.to_owned(), status.parse().unwrap())
    }
}

/// A program of somebody else's, until dropped.
struct Peer {
    child: std::process::Child,
    address: SocketAddr,
}

impl Peer {
    async fn wait_until_it_listens(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.address).await.is_err() {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Err(format!("ended before it listened: {status}"));
            }
            if Instant::now() > deadline {
                return Err("does not listen".to_owned());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// HAProxy. Its `bind` line ends in what is to be done about certificates that do not verify.
fn haproxy(files: &Files, address: SocketAddr, backend: SocketAddr, rules: &str) -> Command {
    let template = "
global
    maxconn 100
defaults
    mode http
    timeout connect 20s
    timeout client 20s
    timeout server 20s
frontend edge
    bind LISTEN ssl crt DIR/server-all.pem alpn h2,http/1.1 verify optional ca-file DIR/client-ca.pem crt-ignore-err all ca-ignore-err all
RULES
    default_backend app
backend app
    server app BACKEND
";
    let template = template.replace("RULES", rules);
    let config = files.configure("haproxy.cfg", &template, &[("LISTEN", address), ("BACKEND", backend)]);
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(config);
    command
}

/// nginx, with one server.
fn nginx(files: &Files, server: &str, keys: &[(&str, SocketAddr)]) -> Command {
    let template = "
daemon off;
master_process off;
pid DIR/nginx.pid;
error_log stderr warn;
events {}
http {
    access_log off;
    client_body_temp_path DIR;
    proxy_temp_path DIR;
    fastcgi_temp_path DIR;
    uwsgi_temp_path DIR;
    scgi_temp_path DIR;
    server {
SERVER
    }
}
";
    let config = files.configure("nginx.conf", &template.replace("SERVER", server), keys);
    let mut command = Command::new("nginx");
    command.args(["-e", "stderr", "-p"]).arg(files.dir.path()).arg("-c").arg(config);
    command
}

/// Answers with what it was told, and with the names of the headers that arrived.
async fn backend<D: Dialect + Send + Sync + 'static>(dialect: D) -> SocketAddr {
    async fn answer<D: 'static>(
        client: Result<ForwardedClientCert<D>, ForwardedClientCertError>,
        headers: HeaderMap,
    ) -> impl IntoResponse {
        let status = client.as_ref().err().map_or(http::StatusCode::OK, ForwardedClientCertError::status);
        let told = match client {
            Ok(client) => {
                let all: Vec<_> =
                    client.certificates().iter().map(|der| Fingerprint::of(der).to_string()).collect();
                let status = client.status().map_or_else(|| "-".to_owned(), ToString::to_string);
                format!("{} {status}", all.join("+"))
            }
            Err(error) => error.to_string(),
        };
        let names: Vec<_> = headers.keys().map(|name| name.as_str()).collect();
        (status, format!("{told}\n{}", names.join(" ")))
    }
    let trusted = TrustedProxies::none().ip_range(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
    let app = Router::new().fallback(answer::<D>).layer(ForwardedClientCertLayer::new(dialect, trusted));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

/// Three kinds of client, each with the dialect's headers forged in every way HTTP lets through, in front of a peer
/// that asks for certificates and takes any.
///
/// `verified`, `unverified` and `none` are what the backend is to be told; `{}` stands for the fingerprint.
async fn every_client_is_told_apart(files: &Files, peer: &Peer, forged: &[&str], told: &Told) {
    let alice = files.clients.client("alice");
    let mallory = Identity::self_signed("mallory");
    let value = skipper_value(&Identity::self_signed("forged").chain);
    let spellings: Vec<String> = forged
        .iter()
        .flat_map(|name| [name.to_string(), name.replace(['-', '_'], "_"), name.replace(['-', '_'], ".")])
        .map(|name| format!("{name}: {value}"))
        .collect();
    let spellings: Vec<&str> = spellings.iter().map(String::as_str).collect();
    for http2 in [false, true] {
        for headers in [&[][..], &spellings] {
            for (identity, expected) in
                [(Some(&alice), told.verified), (Some(&mallory), told.unverified), (None, told.none)]
            {
                let fingerprint =
                    identity.map_or(String::new(), |id| Fingerprint::of(&id.chain[0]).to_string());
                let (body, _) = files.curl(peer, http2, identity, headers).await;
                let (said, names) = body.split_once('\n').unwrap();
                let expected = expected.replace("{}", &fingerprint);
                let as_expected = match expected.strip_suffix('*') {
                    Some(start) => said.starts_with(start),
                    None => said == expected,
                };
                assert!(as_expected, "{said:?} is not {expected:?}, http2: {http2}, forged: {headers:?}");
                // Whatever the peer let through in another spelling, the layer did not.
                for name in names.split(' ') {
                    let same = |forged: &&&str| fold(forged) == fold(name);
                    let exact = |forged: &str| forged.eq_ignore_ascii_case(name);
                    assert!(forged.iter().find(same).is_none_or(|forged| exact(forged)), "{name}");
                }
            }
        }
    }
}

struct Told {
    verified: &'static str,
    unverified: &'static str,
    none: &'static str,
}

fn fold(name: &str) -> String {
    name.replace(|c: char| !c.is_ascii_alphanumeric(), "-").to_lowercase()
}

#[tokio::test]
#[ignore = "needs curl and haproxy: apt-get install curl haproxy"]
async fn haproxy_writes_what_skipper_s_decoder_reads() {
    let files = Files::new();
    let backend = backend(Skipper::new()).await;
    let rules = "
    http-request del-header X-Forwarded-Tls-Client-Cert
    http-request set-header X-Forwarded-Tls-Client-Cert %[ssl_c_der,base64] if { ssl_c_used }
    http-request set-header X-Forwarded-Tls-Client-Cert-Verify NONE
    http-request set-header X-Forwarded-Tls-Client-Cert-Verify SUCCESS if { ssl_c_used }
    http-request set-header X-Forwarded-Tls-Client-Cert-Verify FAILED:%[ssl_c_verify] if { ssl_c_used } ! { ssl_c_verify 0 }
";
    let peer = files.start(|files, address| haproxy(files, address, backend, rules)).await;
    let forged = ["X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Verify"];
    // 18: X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
    let told = Told {
        verified: "{} SUCCESS",
        unverified: "{} FAILED:18",
        none: "no client certificate: the proxy says that the client presented none",
    };
    every_client_is_told_apart(&files, &peer, &forged, &told).await;
}

/// Our proxy, in front of something that speaks plain HTTP/1.1: passes the request's headers on.
async fn our_proxy<D>(files: &Files, layer: ClientCertLayer<D>, upstream: SocketAddr) -> Server
where
    D: Dialect + Send + Sync + 'static,
{
    let relay = move |request: Request<Body>| async move {
        let mut onward = Request::get("/").body(Body::empty()).unwrap();
        *onward.headers_mut() = request.headers().clone();
        let io = TokioIo::new(TcpStream::connect(upstream).await.unwrap());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        harness::read(sender.send_request(onward).await.unwrap()).await
    };
    let verifier =
        harness::verifier(ClientAuthPolicy::RequestClientCert).roots([files.clients.der()]).build().unwrap();
    let app = Router::new().fallback(relay).layer(layer);
    Server::start(files.pki.acceptor(verifier), app).await
}

async fn ask(files: &Files, server: &Server, identity: Option<&Identity>, http2: bool) -> Response<String> {
    let client = HttpClient::new(files.pki.client(identity, &[&TLS12, &TLS13]), http2);
    client.send(server.address, harness::get(server.address, "/")).await
}

#[tokio::test]
#[ignore = "needs nginx: apt-get install nginx"]
async fn nginx_as_a_second_hop_changes_nothing() {
    let files = Files::new();
    let backend = backend(Skipper::new()).await;
    let server = "
        listen LISTEN;
        location / { proxy_pass http://BACKEND; }
";
    let peer = files
        .start(|files, address| nginx(files, server, &[("LISTEN", address), ("BACKEND", backend)]))
        .await;
    let proxy = our_proxy(&files, ClientCertLayer::new(), peer.address).await;
    let intermediate = files.clients.intermediate("intermediate");
    let alice = intermediate.client("alice").with([intermediate.der()]);
    let mallory = Identity::self_signed("mallory");
    for http2 in [false, true] {
        let response = ask(&files, &proxy, Some(&alice), http2).await;
        let chain: Vec<_> = alice.chain.iter().map(|der| Fingerprint::of(der).to_string()).collect();
        assert!(
            response.body().starts_with(&format!("{} SUCCESS\n", chain.join("+"))),
            "{}",
            response.body()
        );

        let response = ask(&files, &proxy, Some(&mallory), http2).await;
        let told = format!("{} FAILED:unable to get local issuer", Fingerprint::of(&mallory.chain[0]));
        assert!(response.body().starts_with(&told), "{}", response.body());

        let response = ask(&files, &proxy, None, http2).await;
        assert!(response.body().contains("the client presented none"), "{}", response.body());
    }
    proxy.shut_down().await;
}
