//! Real proxies in front of our backend, terminating mutual TLS. Ignored by default, since they need what their reason
//! names.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::IntoResponse;
use http::{HeaderMap, HeaderName};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tower_client_cert::Fingerprint;
use tower_client_cert::dialect::{Apache, Dialect, HaProxy, Nginx, TowerClientCert};
use tower_client_cert::forwarded::{
    ForwardedClientCert, ForwardedClientCertError, ForwardedClientCertLayer, TrustedProxies,
};

use crate::harness::ServerPki;
use crate::pki::{Authority, Identity};

/// What the backend says of a client without a certificate.
pub(crate) const NOT_PRESENTED: &str = "no client certificate: the proxy says that the client presented none";

/// Files that the peers and curl read.
pub(crate) struct Files {
    dir: TempDir,
    pub(crate) pki: ServerPki,
    pub(crate) clients: Authority,
}

impl Files {
    pub(crate) fn new() -> Self {
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
    pub(crate) async fn start(&self, peer: impl Fn(&Self, SocketAddr) -> Command) -> Peer {
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

    /// The body of curl's answer.
    async fn curl(&self, peer: &Peer, http2: bool, identity: Option<&Identity>, headers: &[&str]) -> String {
        let mut curl = tokio::process::Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_version}"])
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
        let (body, version) = text.rsplit_once('\n').unwrap();
        assert_eq!(version, if http2 { "2" } else { "1.1" });
        body.to_owned()
    }
}

/// A program of somebody else's, until dropped.
pub(crate) struct Peer {
    child: std::process::Child,
    pub(crate) address: SocketAddr,
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
pub(crate) fn nginx(files: &Files, server: &str, keys: &[(&str, SocketAddr)]) -> Command {
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

/// Apache. Every name of the dialect must be set or unset: what is not mentioned passes.
fn apache(files: &Files, address: SocketAddr, backend: SocketAddr) -> Command {
    let template = "
ServerRoot DIR
DefaultRuntimeDir DIR
PidFile DIR/apache.pid
ErrorLog DIR/peer.log
ServerName localhost
Listen LISTEN
User nobody
Group nogroup
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
LoadModule http2_module /usr/lib/apache2/modules/mod_http2.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
Protocols h2 http/1.1
SSLEngine on
SSLSessionCache none
SSLCertificateFile DIR/server.pem
SSLCertificateKeyFile DIR/server.key
SSLCACertificateFile DIR/client-ca.pem
SSLVerifyClient optional_no_ca
SSLVerifyDepth 3
RequestHeader set SSL_CLIENT_CERT         \"%{SSL_CLIENT_CERT}s\"
RequestHeader set SSL_CLIENT_CERT_CHAIN_0 \"%{SSL_CLIENT_CERT_CHAIN_0}s\"
RequestHeader set SSL_CLIENT_VERIFY       \"%{SSL_CLIENT_VERIFY}s\"
UNSET
ProxyPass / http://BACKEND/
";
    let unset: Vec<_> = (1..9).map(|n| format!("RequestHeader unset SSL_CLIENT_CERT_CHAIN_{n}")).collect();
    let template = template.replace("UNSET", &unset.join("\n"));
    let config = files.configure("apache.conf", &template, &[("LISTEN", address), ("BACKEND", backend)]);
    let mut command = Command::new("apache2");
    command.arg("-X").arg("-f").arg(config);
    command
}

/// Answers with what it was told, and with the names of the headers that arrived.
pub(crate) async fn backend<D: Dialect + Send + Sync + 'static>(dialect: D) -> SocketAddr {
    async fn answer<D: 'static>(
        client: Result<ForwardedClientCert<D>, ForwardedClientCertError>,
        headers: HeaderMap,
    ) -> impl IntoResponse {
        let status = client.as_ref().err().map_or(http::StatusCode::OK, ForwardedClientCertError::status);
        let told = match client {
            Ok(client) => {
                let status = client.status().map_or_else(|| "-".to_owned(), ToString::to_string);
                format!("{} {status}", fingerprints(client.certificates()))
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

/// What the backend is to be told behind a peer that asks for certificates and takes any; `{}` stands for the
/// fingerprints, and a final `*` for any text.
struct Told {
    /// Whether the peer passes on the client's intermediate.
    chain: bool,
    verified: &'static str,
    unverified: &'static str,
    none: &'static str,
}

/// Three kinds of client, each without and with the dialect's headers forged in the spellings HTTP lets through.
async fn every_client_is_told_apart(files: &Files, peer: &Peer, owned: &[HeaderName], told: &Told) {
    let intermediate = files.clients.intermediate("intermediate");
    let alice = intermediate.client("alice").with([intermediate.der()]);
    let mallory = Identity::self_signed("mallory");
    let forged: Vec<String> = owned
        .iter()
        .flat_map(|name| ["-", "_", "."].map(|byte| name.as_str().replace(['-', '_'], byte)))
        .map(|name| format!("{name}: forged"))
        .collect();
    let forged: Vec<&str> = forged.iter().map(String::as_str).collect();
    for (http2, headers) in [(false, &[][..]), (false, &forged), (true, &[]), (true, &forged)] {
        for (identity, expected) in
            [(Some(&alice), told.verified), (Some(&mallory), told.unverified), (None, told.none)]
        {
            let chain = identity.map_or(&[][..], |identity| &identity.chain);
            let chain = if told.chain { chain } else { &chain[..chain.len().min(1)] };
            let expected = expected.replace("{}", &fingerprints(chain));
            let body = files.curl(peer, http2, identity, headers).await;
            let (said, names) = body.split_once('\n').unwrap();
            let as_expected = match expected.strip_suffix('*') {
                Some(start) => said.starts_with(start),
                None => said == expected,
            };
            assert!(as_expected, "{said:?} is not {expected:?}, http2: {http2}, sent: {headers:?}");
            // Whatever the peer let through in another spelling, the layer did not.
            for name in names.split(' ') {
                assert!(
                    owned.iter().all(|owned| owned == name || fold(owned.as_str()) != fold(name)),
                    "{name}"
                );
            }
        }
    }
}

pub(crate) fn fingerprints(chain: &[CertificateDer<'_>]) -> String {
    let all: Vec<_> = chain.iter().map(|der| Fingerprint::of(der).to_string()).collect();
    all.join("+")
}

fn fold(name: &str) -> String {
    name.replace(|c: char| !c.is_ascii_alphanumeric(), "-").to_lowercase()
}

#[tokio::test]
#[ignore = "needs curl and haproxy: apt-get install curl haproxy"]
async fn haproxy_in_front_of_its_own_dialect() {
    let files = Files::new();
    let backend = backend(HaProxy::new()).await;
    // As the dialect's documentation has it.
    let rules = "
    http-request set-header X-SSL-Client-Cert   %[ssl_c_der,base64]
    http-request set-header X-SSL-Client-Chain  %[ssl_c_chain_der,base64]
    http-request set-header X-SSL-Client-Verify %[ssl_c_verify]
";
    let peer = files.start(|files, address| haproxy(files, address, backend, rules)).await;
    let told = Told {
        chain: true,
        verified: "{} SUCCESS",
        unverified: "{} FAILED:self-signed certificate",
        none: NOT_PRESENTED,
    };
    every_client_is_told_apart(&files, &peer, HaProxy::new().header_names(), &told).await;
}

#[tokio::test]
#[ignore = "needs curl and haproxy: apt-get install curl haproxy"]
async fn haproxy_in_front_of_skipper_s_dialect() {
    let files = Files::new();
    let backend = backend(TowerClientCert::new()).await;
    let rules = "
    http-request del-header X-Forwarded-Tls-Client-Cert
    http-request set-header X-Forwarded-Tls-Client-Cert %[ssl_c_der,base64] if { ssl_c_used }
    http-request set-header X-Forwarded-Tls-Client-Cert-Verify NONE
    http-request set-header X-Forwarded-Tls-Client-Cert-Verify SUCCESS if { ssl_c_used }
    http-request set-header X-Forwarded-Tls-Client-Cert-Verify FAILED:%[ssl_c_verify] if { ssl_c_used } ! { ssl_c_verify 0 }
";
    let peer = files.start(|files, address| haproxy(files, address, backend, rules)).await;
    let told = Told { chain: false, verified: "{} SUCCESS", unverified: "{} FAILED:18", none: NOT_PRESENTED };
    every_client_is_told_apart(&files, &peer, TowerClientCert::new().header_names(), &told).await;
}

#[tokio::test]
#[ignore = "needs curl and nginx: apt-get install curl nginx"]
async fn nginx_in_front_of_its_own_dialect() {
    let files = Files::new();
    let backend = backend(Nginx::new()).await;
    let server = "
        listen LISTEN ssl http2;
        ssl_certificate DIR/server.pem;
        ssl_certificate_key DIR/server.key;
        ssl_client_certificate DIR/client-ca.pem;
        ssl_verify_client optional_no_ca;
        ssl_verify_depth 3;
        proxy_set_header X-SSL-Client-Cert   $ssl_client_escaped_cert;
        proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
        location / { proxy_pass http://BACKEND; }
";
    let peer = files
        .start(|files, address| nginx(files, server, &[("LISTEN", address), ("BACKEND", backend)]))
        .await;
    // OpenSSL 3 says `self-signed`, 1.1.1 `self signed`.
    let told =
        Told { chain: false, verified: "{} SUCCESS", unverified: "{} FAILED:self*", none: NOT_PRESENTED };
    every_client_is_told_apart(&files, &peer, Nginx::new().header_names(), &told).await;
}

#[tokio::test]
#[ignore = "needs curl and Apache: apt-get install curl apache2"]
async fn apache_in_front_of_its_own_dialect() {
    let files = Files::new();
    let backend = backend(Apache::new()).await;
    let peer = files.start(|files, address| apache(files, address, backend)).await;
    let told =
        Told { chain: true, verified: "{} SUCCESS", unverified: "{} FAILED:self*", none: NOT_PRESENTED };
    every_client_is_told_apart(&files, &peer, Apache::new().header_names(), &told).await;
}
