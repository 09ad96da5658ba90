//! What the layer writes, byte for byte, and how often it takes the trouble.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::version::{TLS12, TLS13};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_client_cert::dialect::{DecodeError, Dialect, ForwardedCert, Outgoing, Skipper};
use tower_client_cert::{ClientAuthPolicy, ClientCertLayer, PeerCertificates, StripTrailers, TlsConnectInfo};

use crate::harness::{HttpClient, Server, ServerPki, connect, get, read, skipper_value, verifier};
use crate::pki::{Authority, Identity, unknown_extension};

const CERT: &str = "x-forwarded-tls-client-cert";
const VERIFY: &str = "x-forwarded-tls-client-cert-verify";

fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn chain(name: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(&data(name)).collect::<Result<_, _>>().unwrap()
}

/// The headers that leave this layer for a connection like that.
async fn written<D: Dialect>(layer: ClientCertLayer<D>, info: Option<&TlsConnectInfo>) -> HeaderMap {
    let service = layer.layer(service_fn(|request: Request<StripTrailers<Body>>| async move {
        Ok::<_, Infallible>(Response::new(request.headers().clone()))
    }));
    let mut request = Request::new(Body::empty());
    request.extensions_mut().extend(
        info.map(|info| {
            let mut extensions = http::Extensions::new();
            extensions.insert(info.clone());
            extensions
        })
        .unwrap_or_default(),
    );
    service.oneshot(request).await.unwrap().into_body()
}

fn unverified(chain: Vec<CertificateDer<'static>>) -> TlsConnectInfo {
    TlsConnectInfo::new(PeerCertificates::unverified(chain))
}

fn judged(ca: &Authority, identity: &Identity) -> TlsConnectInfo {
    let verifier = verifier(ClientAuthPolicy::RequestClientCert).roots([ca.der()]).build().unwrap();
    TlsConnectInfo::new(verifier.judge(identity.chain.clone(), UnixTime::now()).unwrap())
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str().unwrap());
    assert_eq!(values.next(), None, "{name} once");
    value
}

#[tokio::test]
async fn the_header_is_skippers_byte_for_byte() {
    let mut rfc9440 = chain("rfc9440-chain.pem");
    rfc9440.truncate(2);
    for (chain, vector) in [
        (rfc9440, data("skipper-leaf+intermediate.value")),
        (chain("traefik-two.pem"), data("traefik-two.value")),
    ] {
        let headers = written(ClientCertLayer::new(), Some(&unverified(chain.clone()))).await;
        assert_eq!(headers[CERT].as_bytes(), vector);
        assert_eq!(value(&headers, VERIFY), Some("FAILED:not checked"));

        let read = Skipper::new().decode(&headers).unwrap().unwrap();
        assert_eq!(read.certificates, chain);
    }
}

#[tokio::test]
async fn without_a_certificate_there_is_no_certificate_header() {
    for info in [None, Some(TlsConnectInfo::new(None))] {
        let headers = written(ClientCertLayer::new(), info.as_ref()).await;
        assert_eq!(value(&headers, CERT), None);
        assert_eq!(value(&headers, VERIFY), Some("NONE"));
        let headers = written(ClientCertLayer::new().without_verify_header(), info.as_ref()).await;
        assert!(headers.is_empty());
    }
}

#[tokio::test]
async fn every_value_is_marked_sensitive() {
    let headers = written(ClientCertLayer::new(), Some(&unverified(chain("traefik-two.pem")))).await;
    assert_eq!(headers.len(), 2);
    assert!(headers.values().all(HeaderValue::is_sensitive));
}

#[tokio::test]
async fn i3_a_stranger_sent_along_never_looks_verified() {
    let ca = Authority::root("ca");
    let intermediate = ca.intermediate("intermediate");
    let stranger = Authority::root("stranger");
    let alice = intermediate.client("alice").with([stranger.der(), intermediate.der()]);
    let info = judged(&ca, &alice);
    let peer = info.peer_certificates().unwrap();
    assert_eq!(peer.presented(), alice.chain);
    assert_eq!(peer.verified_path().unwrap(), [alice.chain[0].clone(), intermediate.der()]);

    let headers = written(ClientCertLayer::new(), Some(&info)).await;
    assert_eq!(value(&headers, CERT).unwrap(), skipper_value(&alice.chain));
    assert_eq!(value(&headers, VERIFY), Some("SUCCESS"));

    let headers = written(ClientCertLayer::new().verified_path(), Some(&info)).await;
    assert_eq!(value(&headers, CERT).unwrap(), skipper_value(peer.verified_path().unwrap()));
}

#[tokio::test]
async fn options_choose_among_the_certificates() {
    let ca = Authority::root("ca");
    let intermediate = ca.intermediate("intermediate");
    let alice = intermediate.client("alice").with([intermediate.der(), ca.der()]);
    let good = judged(&ca, &alice);
    let bad = judged(&Authority::root("other"), &alice);
    let all = skipper_value(&alice.chain);
    let (leaf, path) = (skipper_value(&alice.chain[..1]), skipper_value(&alice.chain[..2]));
    type Options = fn(ClientCertLayer) -> ClientCertLayer;
    let table: [(&str, Options, Option<&String>, Option<&String>); 8] = [
        ("nothing set", |layer| layer, Some(&all), Some(&all)),
        ("leaf only", ClientCertLayer::leaf_only, Some(&leaf), Some(&leaf)),
        ("two at most", |layer| layer.max_certificates(2), Some(&path), Some(&path)),
        ("nine at most", |layer| layer.max_certificates(9), Some(&all), Some(&all)),
        ("only verified", ClientCertLayer::only_verified, Some(&all), None),
        ("verified path", ClientCertLayer::verified_path, Some(&path), None),
        ("verified leaf", |layer| layer.verified_path().leaf_only(), Some(&leaf), None),
        ("verified path or all", |layer| layer.verified_path().forward_unverified(), Some(&path), Some(&all)),
    ];
    for (name, options, verified, unverified) in table {
        for (info, expected, status) in [
            (&good, verified, "SUCCESS"),
            (&bad, unverified, "FAILED:unable to get local issuer certificate"),
        ] {
            let headers = written(options(ClientCertLayer::new()), Some(info)).await;
            assert_eq!(value(&headers, CERT), expected.map(String::as_str), "{name}");
            assert_eq!(value(&headers, VERIFY), Some(status), "{name}");
        }
    }
}

#[tokio::test]
async fn a_value_that_is_too_large_loses_its_chain_then_itself_and_is_never_cut() {
    let ca = Authority::root("ca");
    let large = ca.issue("large", |params| params.custom_extensions = vec![unknown_extension(false, 3_000)]);
    let info = judged(&ca, &large.clone().with([ca.der()]));
    let (leaf, all) = (skipper_value(&large.chain), skipper_value(&[large.chain[0].clone(), ca.der()]));

    for (max, expected, status) in [
        (all.len(), Some(&all), "SUCCESS"),
        (all.len() - 1, Some(&leaf), "SUCCESS"),
        (leaf.len(), Some(&leaf), "SUCCESS"),
        (leaf.len() - 1, None, "FAILED:certificate too large to forward"),
        (0, None, "FAILED:certificate too large to forward"),
    ] {
        let headers = written(ClientCertLayer::new().max_value_size(max), Some(&info)).await;
        assert_eq!(value(&headers, CERT), expected.map(String::as_str), "{max}");
        assert_eq!(value(&headers, VERIFY), Some(status), "{max}");
    }
}

/// Counts how often it is asked, and is content with one header.
#[derive(Clone, Default)]
struct Counting {
    encoded: Arc<AtomicUsize>,
}

static COUNTING: [HeaderName; 1] = [HeaderName::from_static("x-counting")];

impl Dialect for Counting {
    fn header_names(&self) -> &[HeaderName] {
        &COUNTING
    }

    fn forwards_unverified(&self) -> bool {
        true
    }

    fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap) {
        let count = self.encoded.fetch_add(1, Ordering::SeqCst);
        headers.insert(&COUNTING[0], format!("{count} {}", client.certificates.len()).parse().unwrap());
        headers.insert("x-not-declared", HeaderValue::from_static("a client could forge this"));
    }

    fn decode(&self, _: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        Ok(None)
    }
}

fn counting_server_app(dialect: &Counting) -> Router {
    let echo = |headers: HeaderMap| async move { value(&headers, "x-counting").unwrap().to_owned() };
    Router::new()
        .route("/a", axum::routing::get(echo))
        .route("/b", axum::routing::get(echo))
        .layer(ClientCertLayer::with_dialect(dialect.clone()))
}

#[tokio::test]
async fn a_value_is_encoded_once_per_connection_http2_streams_included() {
    let pki = ServerPki::new();
    let dialect = Counting::default();
    let verifier = verifier(ClientAuthPolicy::RequestClientCert).build().unwrap();
    let server = Server::start(pki.acceptor(verifier), counting_server_app(&dialect)).await;
    let alice = Identity::self_signed("alice");

    for connection in 0..3 {
        let mut config = pki.client(Some(&alice), &[&TLS13]);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let io = hyper_util::rt::TokioIo::new(connect(server.address, &config).await.unwrap());
        let (sender, driver) =
            hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(driver);
        let streams = (0..20).map(|i| {
            let mut sender = sender.clone();
            let request = get(server.address, if i % 2 == 0 { "/a" } else { "/b" });
            tokio::spawn(async move { read(sender.send_request(request).await.unwrap()).await.into_body() })
        });
        for stream in streams.collect::<Vec<_>>() {
            assert_eq!(stream.await.unwrap(), format!("{connection} 1"));
        }
    }
    assert_eq!(dialect.encoded.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_header_its_dialect_does_not_own_is_not_written() {
    let layer = ClientCertLayer::with_dialect(Counting::default());
    let headers = written(layer, Some(&TlsConnectInfo::new(None))).await;
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-counting"]);
}

#[tokio::test]
async fn a_changed_clone_of_a_layer_does_not_get_the_originals_headers() {
    let chain = chain("traefik-two.pem");
    let info = unverified(chain.clone());
    let layer = ClientCertLayer::new();
    for _ in 0..2 {
        let headers = written(layer.clone(), Some(&info)).await;
        assert_eq!(value(&headers, CERT).unwrap(), skipper_value(&chain));
        let headers = written(layer.clone().leaf_only(), Some(&info)).await;
        assert_eq!(value(&headers, CERT).unwrap(), skipper_value(&chain[..1]));
    }
}

#[tokio::test]
async fn two_layers_on_one_connection_each_write_their_own() {
    let info = unverified(chain("traefik-two.pem"));
    let inner = service_fn(|request: Request<_>| async move {
        Ok::<_, Infallible>(Response::new(request.headers().clone()))
    });
    let mut service =
        ClientCertLayer::new().layer(ClientCertLayer::with_dialect(Counting::default()).layer(inner));
    for _ in 0..2 {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(info.clone());
        request.headers_mut().insert("x_counting", HeaderValue::from_static("forged"));
        let headers = service.ready().await.unwrap().call(request).await.unwrap().into_body();
        assert_eq!(headers[CERT].as_bytes(), data("traefik-two.value"));
        assert_eq!(value(&headers, "x-counting"), Some("0 2"));
        assert_eq!(headers.len(), 3);
    }
}

#[tokio::test]
async fn interleaved_connections_never_swap_identities() {
    let ca = Authority::root("ca");
    let pki = ServerPki::new();
    let verifier = verifier(ClientAuthPolicy::VerifyClientCertIfGiven).roots([ca.der()]).build().unwrap();
    let echo = |headers: HeaderMap| async move { value(&headers, CERT).unwrap_or("none").to_owned() };
    let app = Router::new().fallback(echo).layer(ClientCertLayer::new());
    let server = Server::start(pki.acceptor(verifier), app).await;
    let address = server.address;

    let clients = (0..60).map(|i| {
        let identity = (i % 3 != 0).then(|| ca.client(&format!("client-{i}")));
        let version = if i % 2 == 0 { &TLS12 } else { &TLS13 };
        let client = HttpClient::new(pki.client(identity.as_ref(), &[version]), i % 4 < 2);
        let expected = identity.map_or("none".to_owned(), |identity| skipper_value(&identity.chain));
        tokio::spawn(async move {
            for _ in 0..3 {
                assert_eq!(*client.send(address, get(address, "/")).await.body(), expected);
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}
