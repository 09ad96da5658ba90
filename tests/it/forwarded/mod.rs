//! The backend's end over real sockets: whom it believes, what it removes, and what it answers.

mod answers;
mod log;
mod removed;
mod trust;

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use tokio::net::{TcpListener, TcpStream};
use tower_client_cert::Fingerprint;
use tower_client_cert::dialect::{Limits, TowerClientCert, VerifyStatus};
use tower_client_cert::forwarded::{ForwardedClientCert, ForwardedClientCertLayer, TrustedProxies};

use crate::harness;

const CERT: &str = "x-forwarded-tls-client-cert";
const VERIFY: &str = "x-forwarded-tls-client-cert-verify";

/// Any range that has 127.0.0.1 in it, and none that has.
fn loopback() -> TrustedProxies {
    TrustedProxies::none().ip_range("127.0.0.0/8".parse::<ipnet::IpNet>().unwrap())
}

fn elsewhere() -> TrustedProxies {
    TrustedProxies::none().ip_range("192.0.2.0/24".parse::<ipnet::IpNet>().unwrap())
}

/// `/required` and `/optional` answer with the extractor's outcome, `/headers` with what reached the handler.
fn app(trusted: TrustedProxies) -> Router {
    async fn required(client: ForwardedClientCert<TowerClientCert>) -> String {
        describe(&client)
    }
    async fn optional(client: Option<ForwardedClientCert<TowerClientCert>>) -> String {
        client.map_or_else(|| "anonymous".to_owned(), |client| describe(&client))
    }
    async fn headers(request: Request<Body>) -> String {
        let (parts, body) = request.into_parts();
        let trailers = body.collect().await.unwrap().trailers().cloned().unwrap_or_default();
        format!("{} | {}", names(&parts.headers), names(&trailers))
    }
    let dialect =
        TowerClientCert::new().with_limits(Limits::new().max_certificates(3).max_value_size(8 * 1024));
    Router::new()
        .route("/required", get(required))
        .route("/optional", get(optional))
        .route("/headers", get(headers).post(headers))
        .layer(ForwardedClientCertLayer::new(dialect, trusted))
}

fn describe(client: &ForwardedClientCert<TowerClientCert>) -> String {
    let status = client.status().map_or_else(|| "-".to_owned(), VerifyStatus::to_string);
    format!("{} of {}, {status}", Fingerprint::of(client.end_entity().unwrap()), client.certificates().len())
}

fn names(headers: &HeaderMap) -> String {
    let mut names: Vec<_> = headers.keys().map(|name| name.as_str()).filter(|name| *name != "host").collect();
    names.sort_unstable();
    names.join(" ")
}

pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(
        axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).into_future(),
    );
    address
}

/// One request in plaintext, over HTTP/1.1 or with prior knowledge over HTTP/2.
pub(crate) async fn send(address: SocketAddr, http2: bool, request: Request<Body>) -> Response<String> {
    harness::exchange(TcpStream::connect(address).await.unwrap(), http2, request).await
}

pub(crate) fn request(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = harness::get(address, path);
    *request.uri_mut() = format!("http://{address}{path}").parse().unwrap();
    for (name, value) in headers {
        request.headers_mut().append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    request
}
