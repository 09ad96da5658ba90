//! What the layer costs a request: `cargo bench -p tower-client-cert-benches --bench layer`.
//!
//! Each request has ten headers, as curl and browsers send them through a proxy. It is made before the clock starts
//! and dropped after it has stopped.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use divan::{Bencher, black_box};
use http::{HeaderName, HeaderValue, Request, Response};
use tower::{Layer, Service};
use tower_client_cert::dialect::Skipper;
use tower_client_cert::{ClientCertLayer, PeerCertificates, TlsConnectInfo};

fn main() {
    divan::main();
}

/// Hands a request back.
#[derive(Clone)]
struct Bare;

impl<B> Service<Request<B>> for Bare {
    type Response = Response<Option<Request<B>>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(Response::new(Some(request))))
    }
}

const HEADERS: [(&str, &str); 10] = [
    ("host", "www.example.com"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("connection", "keep-alive"),
    ("cookie", "session=0123456789abcdef0123456789abcdef"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-request-id", "7b2f3d1e-5a0c-4f7b-9d2a-1c3e5f708192"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
];

/// The client's certificates, of one kilobyte each.
fn connection(certificates: usize) -> TlsConnectInfo {
    TlsConnectInfo::new(PeerCertificates::unverified(vec![vec![0x5A; 1_000].into(); certificates]))
}

fn request(info: &TlsConnectInfo) -> Request<()> {
    let mut request = Request::new(());
    request.headers_mut().reserve(HEADERS.len());
    for (name, value) in HEADERS {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    request.extensions_mut().insert(info.clone());
    request
}

/// The service alone.
#[divan::bench]
fn bare(bencher: Bencher<'_, '_>) {
    let info = connection(1);
    bencher.with_inputs(|| request(&info)).bench_local_values(|request| Bare.call(black_box(request)));
}

/// The same two headers written by hand, and their names removed before: no other spellings, no `Connection`, no
/// trailers.
#[divan::bench]
fn by_hand(bencher: Bencher<'_, '_>) {
    static CERT: HeaderName = HeaderName::from_static("x-forwarded-tls-client-cert");
    static VERIFY: HeaderName = HeaderName::from_static("x-forwarded-tls-client-cert-verify");
    let info = connection(1);
    let value = HeaderValue::from_static("a value that is ready");
    bencher.with_inputs(|| request(&info)).bench_local_values(|mut request| {
        let headers = request.headers_mut();
        headers.remove(&CERT);
        headers.remove(&VERIFY);
        headers.insert(&CERT, value.clone());
        headers.insert(&VERIFY, value.clone());
        Bare.call(black_box(request))
    });
}

/// The layer, on a connection whose value is ready.
#[divan::bench(args = [0, 1, 3])]
fn layer(bencher: Bencher<'_, '_>, certificates: usize) {
    let info = connection(certificates);
    let mut service = ClientCertLayer::new().layer(Bare);
    drop(service.call(request(&info)));
    bencher.with_inputs(|| request(&info)).bench_local_values(|request| service.call(black_box(request)));
}

/// The same, for a client that forges the header.
#[divan::bench]
fn layer_strips_a_forged_header(bencher: Bencher<'_, '_>) {
    let info = connection(1);
    let mut service = ClientCertLayer::new().layer(Bare);
    let forged = || {
        let mut request = request(&info);
        request.headers_mut().insert("x_forwarded_tls_client_cert", HeaderValue::from_static("me"));
        request
    };
    bencher.with_inputs(forged).bench_local_values(|request| service.call(black_box(request)));
}

/// What it would cost to encode for each request: each comes over a connection of its own.
#[divan::bench(args = [1, 3])]
fn encoding_per_request(bencher: Bencher<'_, '_>, certificates: usize) {
    let mut service = ClientCertLayer::with_dialect(Skipper::new()).layer(Bare);
    bencher
        .with_inputs(|| request(&connection(certificates)))
        .bench_local_values(|request| service.call(black_box(request)));
}

/// `TlsConnectInfo` on each request, which comes before the layer.
#[divan::bench]
fn connect_info(bencher: Bencher<'_, '_>) {
    let mut service = connection(1).layer(Bare);
    let request = || {
        let mut request = request(&connection(0));
        request.extensions_mut().clear();
        request
    };
    bencher.with_inputs(request).bench_local_values(|request| service.call(black_box(request)));
}
