//! What is between a server and a service passes on what the one tells the other: that it is busy, that it has failed,
//! how long a body is and when it ends.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Empty, Full};
use tower::{Layer, Service};
use tower_client_cert::authorize::{RequireClientCertLayer, Rule};
use tower_client_cert::dialect::Skipper;
use tower_client_cert::forwarded::{ForwardedClientCertLayer, PassHeadersLayer, TrustedProxies};
use tower_client_cert::{ClientCertLayer, RefuseMisdirectedLayer, StripTrailers, TlsConnectInfo};

/// Is as ready as it is told.
#[derive(Clone)]
struct Backend(fn() -> Poll<Result<(), &'static str>>);

impl<B> Service<Request<B>> for Backend {
    type Response = Response<String>;
    type Error = &'static str;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        (self.0)()
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::new("called".to_owned())))
    }
}

fn readiness<L>(layer: &L, backend: Backend) -> Poll<Result<(), &'static str>>
where
    L: Layer<Backend>,
    L::Service: Service<Request<Empty<Bytes>>, Error = &'static str>,
{
    layer.layer(backend).poll_ready(&mut Context::from_waker(Waker::noop()))
}

/// A service that is called without being ready may panic; one that is never called holds everybody up.
#[test]
fn a_service_is_ready_when_the_one_behind_it_is() {
    let trusted = TrustedProxies::none;
    for state in [
        (|| Poll::Pending) as fn() -> Poll<Result<(), &'static str>>,
        || Poll::Ready(Ok(())),
        || Poll::Ready(Err("closed")),
    ] {
        let backend = || Backend(state);
        for (layer, seen) in [
            ("ClientCertLayer", readiness(&ClientCertLayer::new(), backend())),
            (
                "ForwardedClientCertLayer",
                readiness(&ForwardedClientCertLayer::new(Skipper::new(), trusted()), backend()),
            ),
            ("PassHeadersLayer", readiness(&PassHeadersLayer::new([], trusted()), backend())),
            ("TlsConnectInfo", readiness(&TlsConnectInfo::new(None), backend())),
            ("RefuseMisdirectedLayer", readiness(&RefuseMisdirectedLayer::new(), backend())),
            (
                "RequireClientCertLayer",
                readiness(&RequireClientCertLayer::new(Rule::any_certificate()), backend()),
            ),
        ] {
            assert_eq!(seen, state(), "{layer}");
        }
    }
}

/// What a service behind a [`ClientCertLayer`] gets as a body.
async fn behind<B: Body + 'static>(body: B) -> StripTrailers<B> {
    let keep = std::sync::Arc::new(std::sync::Mutex::new(None));
    let kept = std::sync::Arc::clone(&keep);
    let mut service =
        ClientCertLayer::new().layer(tower::service_fn(move |request: Request<StripTrailers<B>>| {
            *kept.lock().unwrap() = Some(request.into_body());
            ready(Ok::<_, Infallible>(Response::new(String::new())))
        }));
    service.call(Request::new(body)).await.unwrap();
    keep.lock().unwrap().take().unwrap()
}

/// Without the size a proxy has to send chunks, and a body that says it has ended is not read.
#[tokio::test]
async fn a_body_is_as_long_as_it_says_and_ends_when_it_does() {
    let mut body = behind(Full::new(Bytes::from_static(b"body"))).await;
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(4), false));
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "body");
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
    assert!(body.frame().await.is_none());
    assert!(behind(Empty::<Bytes>::new()).await.is_end_stream());
}

#[tokio::test]
async fn the_error_of_a_body_and_its_other_trailers_pass() {
    struct Fails;
    impl Body for Fails {
        type Data = Bytes;
        type Error = &'static str;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, &'static str>>> {
            Poll::Ready(Some(Err("reset")))
        }
    }
    assert_eq!(behind(Fails).await.frame().await.unwrap().unwrap_err(), "reset");

    let mut trailers = HeaderMap::new();
    for name in ["x-checksum", "ssl_client_cert", "x-forwarded-tls-client-cert"] {
        trailers.insert(name, HeaderValue::from_static("1"));
    }
    let sent = trailers.clone();
    let body = Full::new(Bytes::new()).with_trailers(async { Some(Ok::<_, Infallible>(sent)) });
    let collected = behind(Box::pin(body)).await.collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap().keys().collect::<Vec<_>>(), ["x-checksum"]);

    let sent = trailers.clone();
    let body = Full::new(Bytes::new()).with_trailers(async { Some(Ok::<_, Infallible>(sent)) });
    let unchanged = behind(Box::pin(body)).await.into_inner().collect().await.unwrap();
    assert_eq!(unchanged.trailers(), Some(&trailers));
}
