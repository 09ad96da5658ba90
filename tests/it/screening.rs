//! What a layer takes when something further out has looked at the request before: found by mutation.

use std::convert::Infallible;

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_client_cert::dialect::{DecodeError, Dialect, ForwardedCert, Outgoing};
use tower_client_cert::forwarded::{PassHeadersLayer, TrustedProxies};
use tower_client_cert::{AdoptConnectInfoLayer, ClientCertLayer, TlsConnectInfo};

const CERT: HeaderName = HeaderName::from_static("x-forwarded-tls-client-cert");

/// The layer writes its verdict, and no certificate that could take the place of the one that was let through.
#[tokio::test]
async fn i1_an_owned_header_that_the_layer_does_not_write_is_removed_whoever_put_it_there() {
    let service = service_fn(|request: Request<_>| async move {
        Ok::<_, Infallible>(Response::new(request.headers().clone()))
    });
    let pass = PassHeadersLayer::new([CERT], TrustedProxies::none().trust_whoever_can_connect());
    let service = TlsConnectInfo::new(None).layer(pass.layer(ClientCertLayer::new().layer(service)));
    let request = Request::get("/").header(CERT, "forged").body(Body::empty()).unwrap();
    let headers = service.oneshot(request).await.unwrap().into_body();
    assert_eq!(headers.get(CERT), None);
    assert_eq!(headers["x-forwarded-tls-client-cert-verify"], "NONE");
}

/// An account that is adopted between two layers must not make the inner one take itself for the outermost.
#[tokio::test]
async fn what_a_layer_has_written_survives_an_account_that_is_adopted_behind_it() {
    let service = service_fn(|request: Request<_>| async move {
        Ok::<_, Infallible>(Response::new(request.headers().clone()))
    });
    let adopt = AdoptConnectInfoLayer::new(|_: &http::Extensions| Some(TlsConnectInfo::new(None)));
    let inner =
        adopt.layer(ClientCertLayer::with_dialect(tower_client_cert::dialect::Nginx::new()).layer(service));
    let service = ClientCertLayer::new().layer(inner);
    let request = Request::get("/").header(CERT, "forged").body(Body::empty()).unwrap();
    let headers = service.oneshot(request).await.unwrap().into_body();
    assert_eq!(headers.get(CERT), None);
    assert_eq!(headers["x-forwarded-tls-client-cert-verify"], "NONE");
    assert_eq!(headers["x-ssl-client-verify"], "NONE");
}

/// Keeps what came under its name, and tries to keep what is not its own.
struct Keeping;

static NAMES: [HeaderName; 1] = [HeaderName::from_static("x-our-hops")];

impl Dialect for Keeping {
    fn header_names(&self) -> &[HeaderName] {
        &NAMES
    }

    fn encode(&self, _: &Outgoing<'_>, headers: &mut HeaderMap) {
        headers.insert(&NAMES[0], HeaderValue::from_static("this"));
    }

    fn keep(&self, received: &HeaderMap, _: bool) -> HeaderMap {
        let mut kept = received.clone();
        kept.insert("x-not-ours", HeaderValue::from_static("forged"));
        kept
    }

    fn decode(&self, _: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        Ok(None)
    }
}

#[tokio::test]
async fn a_dialect_of_ones_own_keeps_its_header_behind_the_door_and_no_other() {
    let service = || {
        ClientCertLayer::with_dialect(Keeping).layer(service_fn(|request: Request<_>| async move {
            Ok::<_, Infallible>(Response::new(request.headers().clone()))
        }))
    };
    let request = || {
        let request = Request::get("/").header("x-our-hops", "before").header("client-cert", "forged");
        request.body(Body::empty()).unwrap()
    };
    let info = TlsConnectInfo::new(None);
    let behind = info.layer(service()).oneshot(request()).await.unwrap().into_body();
    let alone = service().oneshot(request()).await.unwrap().into_body();
    for headers in [behind, alone] {
        assert_eq!(headers.len(), 1, "{headers:?}");
        assert_eq!(headers["x-our-hops"], "before,this");
    }
}
