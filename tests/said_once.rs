//! What is said once in the life of a process: a binary of its own, since other tests would have had it said.

#[path = "it/log.rs"]
#[allow(dead_code)]
mod log;

use std::convert::Infallible;
use std::future::ready;

use http::{HeaderName, HeaderValue, Request, Response};
use tower::{Layer, Service as _, service_fn};
use tower_client_cert::dialect::{DecodeError, Dialect, ForwardedCert, Outgoing};
use tower_client_cert::{ClientCertLayer, StripTrailers, TlsConnectInfo};

use crate::log::Log;

/// A dialect with a name that no table knows.
struct Ours([HeaderName; 1]);

impl Dialect for Ours {
    fn header_names(&self) -> &[HeaderName] {
        &self.0
    }
    fn encode(&self, _: &Outgoing<'_>, _: &mut http::HeaderMap) {}
    fn decode(&self, _: &http::HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        Ok(None)
    }
}

/// The kinds of which the log tells that they were taken off a request with these headers.
async fn said(names: &[&'static str]) -> Vec<String> {
    let log = Log::start();
    let layer = ClientCertLayer::with_dialect(Ours([HeaderName::from_static("x-our-cert")]));
    let mut service = layer.layer(service_fn(|request: Request<StripTrailers<()>>| {
        assert!(request.headers().is_empty());
        ready(Ok::<_, Infallible>(Response::new(())))
    }));
    let mut request = Request::new(());
    request.extensions_mut().insert(TlsConnectInfo::new(None));
    for name in names {
        request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static("1"));
    }
    service.call(request).await.unwrap();
    let text = log.text();
    assert_eq!(text.matches("INFO").count(), text.lines().count(), "{text}");
    let kinds = text.lines().filter_map(|line| line.split_once("header=\"")?.1.split_once('"'));
    let mut kinds: Vec<_> = kinds.map(|(kind, _)| kind.to_owned()).collect();
    assert_eq!(kinds.len(), text.lines().count(), "{text}");
    kinds.sort_unstable();
    kinds
}

/// Nothing is taken in silence, and nobody fills a disk with it.
#[tokio::test]
async fn each_kind_of_header_that_is_taken_is_told_of_once() {
    // The first and the last row of the table, and one between: by another spelling, and by two of a family.
    assert_eq!(said(&["x_forwarded_tls_client_cert"]).await, ["x-forwarded-tls-client-cert*"]);
    assert_eq!(
        said(&["x-remote-extra-a", "x-remote-extra-b", "l5d.client.id"]).await,
        ["l5d-client-id", "x-remote-extra-*"]
    );
    assert_eq!(said(&["x-our-cert"]).await, ["a dialect of your own"]);
    let again = ["x-forwarded-tls-client-cert", "x-remote-extra-c", "l5d-client-id", "x_our_cert"];
    assert_eq!(said(&again).await, [""; 0]);
    // That these have been told of says nothing of their neighbours.
    assert_eq!(
        said(&["x-remote-group", "x-authentik-outpost-certificate", "x-forwarded-ssl-client-cert"]).await,
        ["x-authentik-outpost-certificate", "x-forwarded-ssl-client-cert*", "x-remote-group"]
    );
    assert_eq!(said(&[]).await, [""; 0]);
}
