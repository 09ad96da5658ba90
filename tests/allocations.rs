//! What is allocated, counted. A binary of its own, since the counter is in the way of everything else.

#[path = "it/pki.rs"]
#[allow(dead_code)]
mod pki;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use allocation_counter::{AllocationInfo, measure};
use http::{HeaderValue, Request, Response};
use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::DuplexStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tower::{Layer as _, Service};
use tower_client_cert::authorize::Rule;
use tower_client_cert::{
    ClientAuthPolicy, ClientCertAcceptor, ClientCertLayer, ClientIdentity, PeerCertificates, TlsConnectInfo,
    Verification,
};

use crate::pki::Authority;

/// Takes a request, and has nothing to say to it.
struct Silent;

impl<B> Service<Request<B>> for Silent {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::new(())))
    }
}

/// Ten headers, in a map as large as hyper makes it for them.
fn request(info: &TlsConnectInfo) -> Request<()> {
    let mut request = Request::new(());
    request.headers_mut().reserve(10);
    request.headers_mut().insert("connection", HeaderValue::from_static("keep-alive, te"));
    request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
    for name in ["host", "accept", "cookie", "user-agent", "x-a", "x-b", "x-c", "x-d"] {
        request.headers_mut().insert(name, HeaderValue::from_static("value"));
    }
    request.extensions_mut().insert(info.clone());
    request
}

/// What the layer allocates for a request.
fn allocated(service: &mut impl Service<Request<()>>, request: Request<()>) -> AllocationInfo {
    let mut request = Some(request);
    let mut response = None;
    let info = measure(|| response = request.take().map(|request| service.call(request)));
    assert!(response.is_some());
    info
}

#[test]
fn a_request_on_a_connection_whose_value_is_ready_allocates_nothing() {
    for certificates in [0, 1, 3] {
        let peer = PeerCertificates::unverified(vec![vec![7; 1_000].into(); certificates]);
        let info = TlsConnectInfo::new(peer);
        let mut service = ClientCertLayer::new().layer(Silent);
        let first = allocated(&mut service, request(&info));
        assert!(first.count_total > 0, "the value is encoded for the first request");
        let second = allocated(&mut service, request(&info));
        assert_eq!(second.count_total, 0, "{second:?}");
    }
}

#[test]
fn a_decision_allocates_nothing_whether_it_lets_in_or_not() {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "web");
    params.subject_alt_names = vec![
        SanType::DnsName("web.example.test".try_into().unwrap()),
        SanType::URI("spiffe://example.org/ns/prod/sa/web".try_into().unwrap()),
        SanType::IpAddress("10.1.2.3".parse().unwrap()),
    ];
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let client = ClientIdentity::from_der(certificate.der()).unwrap();
    let other = "00".repeat(32);
    let rules = [
        Rule::any_certificate(),
        Rule::common_name(["web", "api"]).unwrap(),
        Rule::issuer_dn(["CN=CA,O=Example"]).unwrap(),
        Rule::san_dns(["api.example.test", "*.example.test"]).unwrap(),
        Rule::san_uri(["https://example.org/"]).unwrap(),
        Rule::san_uri_glob(["spiffe://*/ns/*/sa/w?b"]).unwrap(),
        Rule::spiffe_trust_domain(["example.org"]).unwrap(),
        Rule::spiffe_id(["spiffe://example.org/ns/[a-q]*/sa/web"]).unwrap(),
        Rule::san_ip(["10.0.0.0/8", "::1"]).unwrap(),
        Rule::fingerprint([&other]).unwrap(),
        Rule::spki([&other]).unwrap(),
        Rule::custom("no", |_| false),
    ];
    let opposites = rules.clone().map(Rule::not);
    let all = Rule::all(rules.clone()).unwrap();
    let any = Rule::any(opposites.clone()).unwrap();
    let every = rules.iter().chain(&opposites).chain([&all, &any]);

    let mut let_in = 0;
    let info = measure(|| {
        let_in = every.filter(|rule| rule.check(&client, Verification::Verified).is_ok()).count();
    });
    assert_eq!(info.count_total, 0, "{info:?}");
    assert_eq!(let_in, 7 + 5 + 1);
}

#[test]
fn an_idle_connection_holds_little_more_than_its_tls_session() {
    let ca = Authority::root("CA");
    let (server, client) = (ca.server(&["localhost"]), ca.client("alice"));
    let verifier = ClientAuthPolicy::RequireAndVerifyClientCert
        .verifier()
        .provider(aws_lc_rs::default_provider())
        .roots([ca.der()])
        .build()
        .unwrap();
    let mut config = verifier.server_config().unwrap().with_single_cert(server.chain, server.key).unwrap();
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    let bare = TlsAcceptor::from(Arc::new(config.clone()));
    let acceptor = ClientCertAcceptor::new(config, verifier);

    let mut roots = RootCertStore::empty();
    roots.add(ca.der()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(client.chain, client.key)
        .unwrap();
    let connector = TlsConnector::from(Arc::new(config));

    let bare = held(&connector, async |io| bare.accept(io).await.unwrap());
    let ours = held(&connector, async |io| acceptor.accept(io).await.unwrap());
    println!("an idle connection, both ends: {bare} bytes on tokio-rustls, {ours} on the acceptor");
    assert!(ours - bare < 2 * 1024, "{} bytes more", ours - bare);
}

/// The bytes that are still allocated when a handshake is done, of both ends.
fn held<T>(connector: &TlsConnector, accept: impl AsyncFn(DuplexStream) -> T) -> i64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connect = async || {
        let (client, server) = tokio::io::duplex(16 * 1024);
        let connect = connector.connect(ServerName::try_from("localhost").unwrap(), client);
        let (client, server) = tokio::join!(connect, accept(server));
        (client.unwrap(), server)
    };
    // Whatever is made once is made now.
    drop(runtime.block_on(connect()));
    let mut connection = None;
    let info = measure(|| connection = Some(runtime.block_on(connect())));
    assert!(connection.is_some());
    info.bytes_current
}
