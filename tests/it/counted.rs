//! How many headers were removed from a request: told once, by whichever layer is first to know.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower::layer::util::Stack;
use tower::{Layer, Service};
use tower_client_cert::dialect::{Rfc9440, Skipper};
use tower_client_cert::forwarded::{ForwardedClientCertLayer, Hop, TrustedProxies};
use tower_client_cert::{ClientCertLayer, TlsConnectInfo};

use crate::log::Log;

const FILTER: &str = "tower_client_cert=debug";
const PROXY: &str = "192.0.2.7";

/// Has nothing to say.
#[derive(Clone)]
struct Silent;

impl<B> Service<Request<B>> for Silent {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::new(())))
    }
}

/// Three names, one of them twice, of which one is Skipper's.
fn headers() -> HeaderMap {
    let lines = [
        ("client-cert", "forged"),
        ("client-cert", "forged"),
        ("ssl_client_cert", "forged"),
        ("x-forwarded-tls-client-cert", "MAA="),
        ("accept", "*/*"),
    ];
    lines
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .into_iter()
        .collect()
}

/// What the log says was removed from a request by these layers, each time that it says so.
async fn removed<L>(layer: &L, headers: HeaderMap) -> Vec<String>
where
    L: Layer<Silent>,
    L::Service: Service<Request<()>, Error = Infallible>,
{
    let mut request = Request::new(());
    *request.headers_mut() = headers;
    let mut service = layer.layer(Silent);
    let log = Log::with_filter(FILTER);
    assert!(service.call(request).await.is_ok());
    told(&log)
}

/// `2 Some(192.0.2.7)`: how many, and of which peer where that is said.
fn told(log: &Log) -> Vec<String> {
    let text = log.text();
    let lines = text.lines().filter_map(|line| line.split_once("stripped=").map(|(_, rest)| rest));
    lines.map(|rest| rest.replace("peer=", "")).collect()
}

fn reader(ip: &str) -> ForwardedClientCertLayer {
    let trusted = TrustedProxies::none().ip_range(PROXY.parse::<IpAddr>().unwrap());
    ForwardedClientCertLayer::new(Skipper::new(), trusted).with_peer_ip(ip.parse().unwrap())
}

#[tokio::test]
async fn what_was_removed_is_told_once_by_name_and_with_the_peer() {
    let info = TlsConnectInfo::new(None);
    let writer = ClientCertLayer::new;
    // Everything from a stranger, and all but its own header from a proxy.
    for (ip, expected) in [("192.0.2.8", "3 Some(192.0.2.8)"), (PROXY, "2 Some(192.0.2.7)")] {
        let rfc9440 = ForwardedClientCertLayer::new(Rfc9440::new(), TrustedProxies::none())
            .with_peer_ip(ip.parse().unwrap());
        for (stack, told) in [
            ("alone", removed(&reader(ip), headers()).await),
            ("behind the door", removed(&Stack::new(reader(ip), info.clone()), headers()).await),
            ("around another", removed(&Stack::new(rfc9440, reader(ip)), headers()).await),
            ("around a writer", removed(&Stack::new(writer(), reader(ip)), headers()).await),
        ] {
            assert_eq!(told.len(), 1, "{ip} {stack}: {told:?}");
            assert!(told[0].starts_with(expected), "{ip} {stack}: {told:?}");
        }
        let (log, mut map) = (Log::with_filter(FILTER), headers());
        let _ = reader(ip).receive(&Hop::unknown().at(ip.parse().unwrap()), &mut map);
        let told = told(&log);
        assert!(told.len() == 1 && told[0].starts_with(expected), "{ip} receive: {told:?}");
        assert_eq!(map.contains_key("x-forwarded-tls-client-cert"), ip == PROXY);
        assert!(map.contains_key("accept") && !map.contains_key("client-cert"));
    }
    for told in [
        removed(&writer(), headers()).await,
        removed(&Stack::new(writer(), info.clone()), headers()).await,
        removed(&Stack::new(writer(), writer()), headers()).await,
    ] {
        assert!(told.len() == 1 && told[0].starts_with('3'), "{told:?}");
    }
}

#[tokio::test]
async fn where_nothing_was_removed_nothing_is_told() {
    let nothing = || HeaderMap::from_iter([(http::header::ACCEPT, HeaderValue::from_static("*/*"))]);
    let info = TlsConnectInfo::new(None);
    for told in [
        removed(&reader(PROXY), nothing()).await,
        removed(&reader("192.0.2.8"), nothing()).await,
        removed(&Stack::new(reader(PROXY), info.clone()), nothing()).await,
        removed(&Stack::new(ClientCertLayer::new(), info), nothing()).await,
        removed(&ClientCertLayer::new(), nothing()).await,
    ] {
        assert_eq!(told, [""; 0]);
    }
    // The proxy's own header alone.
    let own = HeaderMap::from_iter([(
        HeaderName::from_static("x-forwarded-tls-client-cert"),
        HeaderValue::from_static("MAA="),
    )]);
    assert_eq!(removed(&reader(PROXY), own).await, [""; 0]);
}
