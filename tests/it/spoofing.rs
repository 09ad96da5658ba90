//! Headers that only the layer may write, sent by clients.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use rustls::version::TLS13;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::ServiceExt as _;
use tower_client_cert::{ClientAuthPolicy, ClientCertLayer};

use crate::harness::{HttpClient, Server, ServerPki, connect, get, read, skipper_value, verifier};
use crate::pki::{Authority, Identity};

const CERT: &str = "x-forwarded-tls-client-cert";
const VERIFY: &str = "x-forwarded-tls-client-cert-verify";
/// Every byte that may stand in a header name beside letters and digits (RFC 9110 section 5.6.2).
const PUNCTUATION: &[u8] = b"!#$%&'*+-.^_`|~";

/// Answers with the headers and trailers that reached it, a line each.
async fn echo(request: Request) -> String {
    let (parts, body) = request.into_parts();
    let mut lines = lines("", &parts.headers);
    if let Some(trailers) = body.collect().await.unwrap().trailers() {
        lines.push_str(&self::lines("trailer ", trailers));
    }
    lines
}

fn lines(prefix: &str, headers: &HeaderMap) -> String {
    headers.iter().map(|(name, value)| format!("{prefix}{name}: {}\n", value.to_str().unwrap())).collect()
}

fn app() -> Router {
    Router::new().fallback(echo).layer(ClientCertLayer::new())
}

/// What arrived under a name that a backend may read as one of the layer's.
fn owned(seen: &str) -> Vec<&str> {
    let fold = |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric(), "-").to_lowercase();
    let is_owned = |line: &&str| {
        let name = line.split(": ").next().unwrap();
        let name = fold(name.strip_prefix("trailer ").unwrap_or(name));
        name == CERT || name == VERIFY
    };
    seen.lines().filter(is_owned).collect()
}

/// Each name with each punctuation for all of its hyphens, and for each one alone.
fn spellings() -> Vec<String> {
    let mut spellings = Vec::new();
    for name in [CERT, VERIFY] {
        let hyphens = name.bytes().enumerate().filter(|(_, byte)| *byte == b'-').map(|(at, _)| at);
        for byte in PUNCTUATION {
            spellings.push(name.replace('-', &char::from(*byte).to_string()));
            for at in hyphens.clone() {
                let mut one = name.as_bytes().to_vec();
                one[at] = *byte;
                spellings.push(String::from_utf8(one).unwrap());
            }
        }
    }
    spellings
}

/// What must arrive from this client, and nothing else.
fn expected(identity: Option<&Identity>) -> Vec<String> {
    match identity {
        Some(Identity { chain, .. }) => {
            vec![format!("{CERT}: {}", skipper_value(chain)), format!("{VERIFY}: SUCCESS")]
        }
        None => vec![format!("{VERIFY}: NONE")],
    }
}

struct Edge {
    pki: ServerPki,
    alice: Identity,
    server: Server,
}

impl Edge {
    async fn start() -> Self {
        let ca = Authority::root("client CA");
        let pki = ServerPki::new();
        let verifier = verifier(ClientAuthPolicy::RequestClientCert).roots([ca.der()]).build().unwrap();
        let server = Server::start(pki.acceptor(verifier), app()).await;
        Self { alice: ca.client("alice"), pki, server }
    }

    fn clients(&self) -> [Option<&Identity>; 2] {
        [None, Some(&self.alice)]
    }

    async fn send(&self, client: &HttpClient, request: http::Request<Body>) -> String {
        let response = client.send(self.server.address, request).await;
        assert_eq!(response.status(), 200);
        response.into_body()
    }

    /// A request byte for byte, over HTTP/1.1.
    async fn send_raw(&self, identity: Option<&Identity>, request: &str) -> String {
        let mut config = self.pki.client(identity, &[&TLS13]);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut stream = connect(self.server.address, &config).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        response.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

#[tokio::test]
async fn i1_no_spelling_of_an_owned_header_passes_on_either_http() {
    let edge = Edge::start().await;
    for http2 in [false, true] {
        for identity in edge.clients() {
            let client = HttpClient::new(edge.pki.client(identity, &[&TLS13]), http2);
            // In pieces, since hyper takes about a hundred headers.
            for names in spellings().chunks(40) {
                let mut request = get(edge.server.address, "/");
                for name in names {
                    let name: HeaderName = name.parse().unwrap();
                    request.headers_mut().append(&name, HeaderValue::from_static("forged"));
                    request.headers_mut().append(name, HeaderValue::from_static("twice"));
                }
                request.headers_mut().insert("x-other", HeaderValue::from_static("stays"));
                let seen = edge.send(&client, request).await;
                assert_eq!(owned(&seen), expected(identity), "http2: {http2}");
                assert!(seen.contains("x-other: stays"), "{seen}");
            }
        }
    }
}

#[tokio::test]
async fn i1_case_and_white_space_on_the_wire_make_no_difference() {
    let edge = Edge::start().await;
    for identity in edge.clients() {
        for name in
            ["X-Forwarded-Tls-Client-Cert", "X-FORWARDED-TLS-CLIENT-CERT", "X_Forwarded_TLS_Client_Cert"]
        {
            let request = format!(
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{name}: forged\r\n{name}-Verify:SUCCESS\r\n\r\n"
            );
            assert_eq!(owned(&edge.send_raw(identity, &request).await), expected(identity));
        }
    }
}

#[tokio::test]
async fn i1_a_plaintext_service_is_stripped_too() {
    for name in spellings() {
        let mut request = Request::new(Body::empty());
        request.headers_mut().insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static("forged"));
        let response = app().oneshot(request).await.unwrap();
        assert_eq!(owned(read(response).await.body()), expected(None), "{name}");
    }
}

#[tokio::test]
async fn i1_a_switched_off_companion_is_stripped_all_the_same() {
    let app = Router::new().fallback(echo).layer(ClientCertLayer::new().without_verify_header());
    let request = Request::builder().header(VERIFY, "SUCCESS").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(owned(read(response).await.body()), Vec::<&str>::new());
}

#[tokio::test]
async fn i2_no_connection_token_names_an_owned_header() {
    let edge = Edge::start().await;
    for identity in edge.clients() {
        let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Forwarded-TLS-Client-Cert\r\n\
             Connection: \tx_forwarded.tls!client-cert_VERIFY ,x-hop\r\nx-hop: 1\r\n\
             Proxy-Connection: x-forwarded-tls-client-cert\r\nTE: trailers\r\n\r\n";
        let seen = edge.send_raw(identity, request).await;
        assert_eq!(owned(&seen), expected(identity));
        let connection: Vec<&str> = seen.lines().filter(|line| line.starts_with("connection:")).collect();
        assert_eq!(connection, ["connection: close", "connection: x-hop"]);
        assert!(!seen.contains("proxy-connection"), "{seen}");
        assert!(seen.contains("te: trailers"), "{seen}");
    }
}

#[tokio::test]
async fn i2_no_trailer_is_read_as_an_owned_header() {
    let edge = Edge::start().await;
    for identity in edge.clients() {
        let request = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
             Trailer: X-Forwarded-Tls-Client-Cert, x-other\r\n\r\n2\r\nhi\r\n0\r\n\
             X-Forwarded-Tls-Client-Cert: forged\r\nx_forwarded_tls_client_cert_verify: SUCCESS\r\n\
             X-Other: stays\r\n\r\n";
        let seen = edge.send_raw(identity, request).await;
        assert_eq!(owned(&seen), expected(identity));
        assert!(seen.contains("trailer: x-other\n"), "{seen}");
        assert!(seen.contains("trailer x-other: stays"), "{seen}");

        let mut trailers = HeaderMap::new();
        for name in [CERT, VERIFY, "x.forwarded.tls.client.cert", "x-other"] {
            trailers.insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static("from-trailer"));
        }
        let frames = [Ok::<_, std::io::Error>(Frame::data(Bytes::from("hi"))), Ok(Frame::trailers(trailers))];
        let body = Body::new(StreamBody::new(tokio_stream::iter(frames)));
        let client = HttpClient::new(edge.pki.client(identity, &[&TLS13]), true);
        let (parts, _) = get(edge.server.address, "/").into_parts();
        let seen = edge.send(&client, http::Request::from_parts(parts, body)).await;
        assert_eq!(owned(&seen), expected(identity));
        assert!(seen.contains("trailer x-other: from-trailer"), "{seen}");
    }
}
