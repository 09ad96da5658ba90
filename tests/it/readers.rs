//! Real readers behind our proxy. Ignored by default where they need what their reason names.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, Response};
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpStream;
use tower_client_cert::dialect::{AnyDialect, Dialect, Skipper, TowerClientCert};
use tower_client_cert::{ClientAuthPolicy, ClientCertLayer};

use crate::harness::{self, HttpClient, Server};
use crate::peers::{Files, NOT_PRESENTED, backend, fingerprints, nginx};
use crate::pki::Identity;

/// Our proxy, around a service of its own.
async fn our_proxy<D>(files: &Files, dialect: D, app: Router) -> Server
where
    D: Dialect + Send + Sync + 'static,
{
    let verifier =
        harness::verifier(ClientAuthPolicy::RequestClientCert).roots([files.clients.der()]).build().unwrap();
    let app = app.layer(ClientCertLayer::with_dialect(dialect));
    Server::start(files.pki.acceptor(verifier), app).await
}

/// Passes requests on, with their headers, to something that speaks plain HTTP/1.1.
fn relay(upstream: SocketAddr) -> Router {
    Router::new().fallback(move |headers: HeaderMap| async move {
        let mut onward = Request::new(Body::empty());
        *onward.headers_mut() = headers;
        harness::exchange(TcpStream::connect(upstream).await.unwrap(), false, onward).await
    })
}

async fn ask(files: &Files, server: &Server, identity: Option<&Identity>, http2: bool) -> Response<String> {
    let client = HttpClient::new(files.pki.client(identity, &[&TLS12, &TLS13]), http2);
    client.send(server.address, harness::get(server.address, "/")).await
}

#[tokio::test]
#[ignore = "needs nginx: apt-get install nginx"]
async fn nginx_as_a_second_hop_changes_nothing() {
    let files = Files::new();
    let backend = backend(TowerClientCert::new()).await;
    let server = "
        listen LISTEN;
        location / { proxy_pass http://BACKEND; }
";
    let peer = files
        .start(|files, address| nginx(files, server, &[("LISTEN", address), ("BACKEND", backend)]))
        .await;
    let proxy = our_proxy(&files, Skipper::new(), relay(peer.address)).await;
    let intermediate = files.clients.intermediate("intermediate");
    let alice = intermediate.client("alice").with([intermediate.der()]);
    let mallory = Identity::self_signed("mallory");
    for http2 in [false, true] {
        let response = ask(&files, &proxy, Some(&alice), http2).await;
        let told = format!("{} SUCCESS\n", fingerprints(&alice.chain));
        assert!(response.body().starts_with(&told), "{}", response.body());

        let response = ask(&files, &proxy, Some(&mallory), http2).await;
        let told = format!("{} FAILED:unable to get local issuer", fingerprints(&mallory.chain));
        assert!(response.body().starts_with(&told), "{}", response.body());

        let response = ask(&files, &proxy, None, http2).await;
        assert!(response.body().starts_with(NOT_PRESENTED), "{}", response.body());
    }
    proxy.shut_down().await;
}

/// Reads each dialect as its readers do, with nothing of ours, and prints the certificates' fingerprints.
const PYTHON: &str = r#"
import base64, hashlib, json, ssl, sys
from urllib.parse import unquote, unquote_plus

dialect, headers = sys.argv[1], json.loads(sys.argv[2])

def skipper():
    items = headers["x-forwarded-tls-client-cert"].split(",")
    return [base64.b64decode(item, validate=True) for item in items]

def nginx():
    value = headers["x-ssl-client-cert"]
    assert unquote(value) == unquote_plus(value), "half of the readers take + for a space"
    return [ssl.PEM_cert_to_DER_cert(unquote(value))]

def apache():
    names = ["ssl_client_cert"] + [f"ssl_client_cert_chain_{n}" for n in range(9)]
    # As Undertow does it: 28 characters in front and 26 behind are the armour.
    values = [headers[name][28:-26] for name in names if name in headers]
    return [base64.b64decode(value.replace(" ", ""), validate=True) for value in values]

def haproxy():
    leaf = base64.b64decode(headers["x-ssl-client-cert"], validate=True)
    rest = base64.b64decode(headers.get("x-ssl-client-chain", ""), validate=True)
    ders = [leaf]
    while rest:
        assert rest[:2] == b"\x30\x82"
        length = 4 + int.from_bytes(rest[2:4], "big")
        ders.append(rest[:length])
        rest = rest[length:]
    return ders

def rfc9440():
    import http_sf
    leaf, _ = http_sf.parse(headers["client-cert"].encode(), tltype="item")
    chain = http_sf.parse(headers.get("client-cert-chain", "").encode(), tltype="list")
    return [leaf] + [der for der, _ in chain]

print("+".join(hashlib.sha256(der).hexdigest() for der in globals()[dialect]()))
"#;

/// What Python makes of the headers that our proxy writes for a client with an intermediate.
async fn python_reads(dialect: &str) -> (String, Vec<CertificateDer<'static>>) {
    async fn headers(headers: HeaderMap) -> String {
        let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
        let json: std::collections::BTreeMap<_, _> =
            headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        serde_json::to_string(&json).unwrap()
    }
    let files = Files::new();
    let app = Router::new().fallback(headers);
    let server = our_proxy(&files, dialect.parse::<AnyDialect>().unwrap(), app).await;
    let intermediate = files.clients.intermediate("intermediate");
    let alice = intermediate.client("alice").with([intermediate.der()]);
    let headers = ask(&files, &server, Some(&alice), true).await.into_body();
    let mut python = tokio::process::Command::new("python3");
    let output = python.args(["-c", PYTHON, dialect, &headers]).output().await.unwrap();
    assert!(output.status.success(), "{dialect}: {}", String::from_utf8_lossy(&output.stderr));
    server.shut_down().await;
    (String::from_utf8(output.stdout).unwrap().trim().to_owned(), alice.chain)
}

#[tokio::test]
async fn python_reads_what_our_proxy_writes() {
    for (dialect, with_chain) in [("skipper", true), ("nginx", false), ("apache", true), ("haproxy", true)] {
        let (read, chain) = python_reads(dialect).await;
        let chain = if with_chain { &chain[..] } else { &chain[..1] };
        assert_eq!(read, fingerprints(chain), "{dialect}");
    }
}

#[tokio::test]
#[ignore = "needs python3 with http-sf: pip install http-sf"]
async fn a_parser_of_structured_fields_reads_rfc_9440() {
    let (read, chain) = python_reads("rfc9440").await;
    assert_eq!(read, fingerprints(&chain));
}
