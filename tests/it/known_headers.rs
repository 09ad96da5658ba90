//! Headers that *some* reader believes, whatever the dialect in use, the wiring and the order of layers.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use rustls::version::TLS13;
use tower::{Layer, Service, ServiceExt as _, service_fn};
use tower_client_cert::dialect::{AnyDialect, Dialect, Envoy, Rfc9440, Skipper, XfccMode};
use tower_client_cert::forwarded::{
    ForwardedClientCert, ForwardedClientCertLayer, PassHeadersLayer, TrustedProxies,
};
use tower_client_cert::{ClientAuthPolicy, ClientCertLayer, PeerCertificates, TlsConnectInfo};

use crate::harness::{HttpClient, Server, ServerPki, get as request_for, skipper_value, verifier};
use crate::pki::{Authority, Identity};

/// Every row of the documentation's table, a family by one of its members.
fn known() -> Vec<String> {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../src/docs/stripped.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let names: Vec<_> = rows.map(|row| row.replace('*', "chain-17")).collect();
    assert!(names.len() > 20, "the table has moved");
    names
}

/// As it is, as CGI and Tomcat spell it, and as something odd.
fn spellings() -> impl Iterator<Item = HeaderName> {
    known().into_iter().flat_map(|name| {
        ["-", "_", "."].map(|hyphen| HeaderName::try_from(name.replace('-', hyphen)).unwrap())
    })
}

fn forged() -> HeaderMap {
    let value = HeaderValue::from_static("forged");
    spellings().map(|name| (name, value.clone())).chain([(http::header::HOST, value.clone())]).collect()
}

/// What reaches the service behind this layer, headers and trailers.
async fn behind<L>(layer: &L, info: Option<TlsConnectInfo>, headers: HeaderMap) -> HeaderMap
where
    L: Layer<Router>,
    L::Service: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let app = Router::new().fallback(echo);
    let trailers = StreamBody::new(futures([Ok::<_, Infallible>(Frame::<Bytes>::trailers(headers.clone()))]));
    let mut request = Request::new(Body::new(trailers));
    *request.headers_mut() = headers;
    if let Some(info) = info {
        request.extensions_mut().insert(info);
    }
    let response = layer.layer(app).oneshot(request).await.unwrap();
    response.headers().clone()
}

fn futures<T>(items: impl IntoIterator<Item = T>) -> impl tokio_stream::Stream<Item = T> {
    tokio_stream::iter(items)
}

/// Sends headers and trailers back as headers.
async fn echo(request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = parts.headers;
    if let Some(trailers) = body.collect().await.unwrap().trailers() {
        for (name, value) in trailers {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}

fn forged_in(headers: &HeaderMap) -> Vec<String> {
    let is_forged = |(name, value): &(&HeaderName, &HeaderValue)| *name != "host" && *value == "forged";
    headers.iter().filter(is_forged).map(|(name, _)| name.to_string()).collect()
}

fn alice() -> TlsConnectInfo {
    let peer = PeerCertificates::unverified(Identity::self_signed("alice").chain);
    TlsConnectInfo::new(peer).with_policy(ClientAuthPolicy::RequestClientCert)
}

fn by_address() -> TrustedProxies {
    TrustedProxies::none().ip_range("192.0.2.7".parse::<IpAddr>().unwrap())
}

/// An anonymous client was anybody behind Tomcat with `--dialect apache`.
#[tokio::test]
async fn i1_no_header_of_any_reader_passes_whatever_the_dialect() {
    for name in AnyDialect::NAMES {
        let layer = ClientCertLayer::with_dialect(name.parse::<AnyDialect>().unwrap());
        for info in [None, Some(TlsConnectInfo::new(None)), Some(alice())] {
            let seen = behind(&layer, info, forged()).await;
            assert_eq!(forged_in(&seen), Vec::<String>::new(), "{name}");
            assert_eq!(seen.get_all("host").iter().count(), 2, "{name}: in headers and trailers");
        }
    }
}

/// A later hop would drop what the layer wrote.
#[tokio::test]
async fn i2_no_connection_token_names_a_header_of_any_reader() {
    let mut headers = HeaderMap::new();
    for name in spellings() {
        headers.append("connection", HeaderValue::try_from(format!("x-other, {name}")).unwrap());
    }
    let seen = behind(&ClientCertLayer::with_dialect(Rfc9440::new()), None, headers.clone()).await;
    // Once in the headers; the trailers' are nobody's business.
    let lines: Vec<_> = seen.get_all("connection").iter().take(headers.len()).collect();
    assert!(lines.iter().all(|line| **line == "x-other"), "{lines:?}");
}

/// The outermost strips all that is known, and no layer removes what another wrote.
#[tokio::test]
async fn i1_layers_stack_in_any_order_and_strip_once() {
    let dialects = ["skipper", "rfc9440", "apache", "haproxy", "envoy", "aws-alb-verify"];
    let layer =
        |name: &str| ClientCertLayer::with_dialect(name.parse::<AnyDialect>().unwrap()).forward_unverified();
    for one in dialects {
        for other in dialects.into_iter().filter(|other| *other != one) {
            let both = tower::layer::util::Stack::new(layer(one), layer(other));
            let seen = behind(&both, Some(alice()), forged()).await;
            assert_eq!(forged_in(&seen), Vec::<String>::new(), "{one} in {other}");
            for name in [one, other] {
                let alone = behind(&layer(name), Some(alice()), HeaderMap::new()).await;
                assert!(!alone.is_empty());
                for written in alone.keys() {
                    assert_eq!(seen.get_all(written).iter().count(), 1, "{one} in {other}: {written}");
                }
            }
        }
    }
}

/// A name that only a user's dialect has is taken in every order of layers, and never twice.
#[tokio::test]
async fn i1_a_dialect_of_ones_own_owns_its_names_inside_and_outside_of_others() {
    struct Ours;
    static NAMES: [HeaderName; 2] =
        [HeaderName::from_static("x-our-cert"), HeaderName::from_static("x-our-verdict")];
    impl Dialect for Ours {
        fn header_names(&self) -> &[HeaderName] {
            &NAMES
        }
        fn encode(&self, client: &tower_client_cert::dialect::Outgoing<'_>, headers: &mut HeaderMap) {
            // Two lines under one name, and none under the other.
            headers.append(&NAMES[1], HeaderValue::from(client.certificates.len()));
            headers.append(&NAMES[1], HeaderValue::from_static("ours"));
        }
        fn decode(
            &self,
            _: &HeaderMap,
        ) -> Result<Option<tower_client_cert::dialect::ForwardedCert>, tower_client_cert::dialect::DecodeError>
        {
            Ok(None)
        }
    }
    let forged = || {
        let forged = HeaderValue::from_static("forged");
        HeaderMap::from_iter([
            (HeaderName::from_static("x_our_cert"), forged.clone()),
            (HeaderName::from_static("x-our-verdict"), forged),
        ])
    };
    let ours = || ClientCertLayer::with_dialect(Ours);
    let skipper = ClientCertLayer::new;
    for seen in [
        behind(&ours(), Some(alice()), forged()).await,
        behind(&tower::layer::util::Stack::new(ours(), skipper()), Some(alice()), forged()).await,
        behind(&tower::layer::util::Stack::new(skipper(), ours()), Some(alice()), forged()).await,
        behind(&tower::layer::util::Stack::new(ours(), alice()), None, forged()).await,
    ] {
        assert_eq!(forged_in(&seen), Vec::<String>::new());
        let lines: Vec<_> = seen.get_all("x-our-verdict").iter().collect();
        assert_eq!(lines, ["0", "ours"], "not verified, so not forwarded: {seen:?}");
    }
}

/// `Cf-Client-Cert-…` of a CDN, meant for the service behind.
#[tokio::test]
async fn named_headers_pass_from_trusted_proxies_only() {
    let names = || [HeaderName::from_static("cf-client-cert-sha256"), HeaderName::from_static("client-cert")];
    let passed = |seen: &HeaderMap| forged_in(seen);
    let at = |ip: &str, trusted| PassHeadersLayer::new(names(), trusted).with_peer_ip(ip.parse().unwrap());
    let mut headers = forged();
    for name in names() {
        headers.insert(name, HeaderValue::from_static("forged"));
    }
    headers.append("connection", HeaderValue::from_static("cf-client-cert-sha256"));

    let writer = ClientCertLayer::new;
    for (pass, expected) in [
        (at("192.0.2.7", by_address()), vec!["cf-client-cert-sha256", "client-cert"]),
        (at("192.0.2.8", by_address()), vec![]),
        (PassHeadersLayer::new(names(), by_address()), vec![]),
        (at("192.0.2.7", TrustedProxies::none()), vec![]),
        (
            PassHeadersLayer::new(names(), TrustedProxies::none().trust_whoever_can_connect()),
            vec!["cf-client-cert-sha256", "client-cert"],
        ),
    ] {
        let inside = tower::layer::util::Stack::new(pass.clone(), writer());
        let outside = tower::layer::util::Stack::new(writer(), pass.clone());
        for seen in [
            behind(&inside, Some(alice()), headers.clone()).await,
            behind(&outside, Some(alice()), headers.clone()).await,
            behind(&outside, None, headers.clone()).await,
        ] {
            let mut passed = passed(&seen);
            passed.sort_unstable();
            assert_eq!(passed, expected, "{pass:?}");
            assert_eq!(seen.get_all("connection").iter().count(), 1, "the one in the trailers");
        }
    }
    // What the layer inside owns is not let through.
    let own = PassHeadersLayer::new(
        [HeaderName::from_static("client-cert")],
        TrustedProxies::none().trust_whoever_can_connect(),
    );
    let stack = tower::layer::util::Stack::new(ClientCertLayer::with_dialect(Rfc9440::new()), own);
    assert_eq!(forged_in(&behind(&stack, Some(alice()), headers).await), Vec::<String>::new());
}

/// What a handler sees of headers, over TLS.
async fn served(app: Router, identity: Option<&Identity>, ca: &Authority, headers: HeaderMap) -> String {
    async fn serve(app: Router, identity: Option<&Identity>, ca: &Authority, headers: HeaderMap) -> String {
        let pki = ServerPki::new();
        let verifier = verifier(ClientAuthPolicy::RequestClientCert).roots([ca.der()]).build().unwrap();
        let server = Server::start(pki.acceptor(verifier), app).await;
        let client = HttpClient::new(pki.client(identity, &[&TLS13]), false);
        let mut request = request_for(server.address, "/missed");
        request.headers_mut().extend(headers);
        client.send(server.address, request).await.into_body()
    }
    serve(app, identity, ca, headers).await
}

async fn names(request: Request<Body>) -> String {
    forged_in(request.headers()).join(" ")
}

/// axum applies a layer to what was added before it: here to a route that nobody asks for.
#[tokio::test]
async fn i1_a_route_that_the_layer_misses_sees_no_forged_header() {
    let ca = Authority::root("client CA");
    let app = || {
        Router::new()
            .route("/", get(names))
            .layer(ClientCertLayer::new())
            .route("/missed", get(names))
            .fallback(names)
    };
    for identity in [None, Some(&ca.client("alice"))] {
        assert_eq!(served(app(), identity, &ca, forged()).await, "");
    }
    // There is a door where there is no layer at all, too.
    assert_eq!(served(Router::new().fallback(names), None, &ca, forged()).await, "");
}

/// The door has taken what the proxy wrote, and the reader finds it all the same.
#[tokio::test]
async fn a_reader_behind_the_door_still_reads_and_so_does_a_dialect_that_appends() {
    let ca = Authority::root("client CA");
    let (edge, alice) = (ca.client("edge"), ca.client("alice"));
    async fn read(client: ForwardedClientCert, headers: HeaderMap) -> String {
        format!("{} {}", client.certificates().len(), headers.contains_key("x-forwarded-tls-client-cert"))
    }
    let trusted = TrustedProxies::none().ip_range("127.0.0.1".parse::<IpAddr>().unwrap());
    let reader = ForwardedClientCertLayer::new(Skipper::new(), trusted);
    let app = Router::new().route("/missed", get(read)).layer(reader);
    let value = HeaderValue::try_from(skipper_value(&alice.chain)).unwrap();
    let headers = HeaderMap::from_iter([(HeaderName::from_static("x-forwarded-tls-client-cert"), value)]);
    assert_eq!(served(app, Some(&edge), &ca, headers).await, "1 true");

    let before = "By=spiffe://a/edge;Hash=468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688";
    async fn xfcc(headers: HeaderMap) -> String {
        let lines: Vec<_> = headers.get_all("x-forwarded-client-cert").iter().collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines[0].to_str().unwrap().to_owned()
    }
    let append = ClientCertLayer::with_dialect(Envoy::new().mode(XfccMode::AppendForward));
    let app = Router::new().fallback(xfcc).layer(append);
    let headers = HeaderMap::from_iter([
        (HeaderName::from_static("x-forwarded-client-cert"), HeaderValue::from_static(before)),
        (HeaderName::from_static("x_forwarded_client_cert"), HeaderValue::from_static("Hash=forged")),
    ]);
    let seen = served(app, Some(&edge), &ca, headers).await;
    assert!(seen.starts_with(&format!("{before},Hash=")), "{seen}");
    assert!(!seen.contains("forged"), "{seen}");
}

/// Two readers for two dialects, each of which asks its own proxies.
#[tokio::test]
async fn readers_of_two_dialects_stack_and_each_asks_its_own_proxies() {
    let chain = Identity::self_signed("alice").chain;
    let skipper = HeaderValue::try_from(skipper_value(&chain)).unwrap();
    let rfc9440 = HeaderValue::try_from(format!(":{}:", skipper_value(&chain))).unwrap();
    for (one, other) in [(true, true), (true, false), (false, true), (false, false)] {
        let trusted = |yes| if yes { by_address() } else { TrustedProxies::none() };
        let ip: IpAddr = "192.0.2.7".parse().unwrap();
        let outer = ForwardedClientCertLayer::new(Skipper::new(), trusted(one)).with_peer_ip(ip);
        let inner = ForwardedClientCertLayer::new(Rfc9440::new(), trusted(other)).with_peer_ip(ip);
        let mut service = outer.layer(inner.layer(service_fn(|request: Request<_>| async move {
            let (one, other) = (
                ForwardedClientCert::<Skipper>::from_extensions(request.extensions()).is_ok(),
                ForwardedClientCert::<Rfc9440>::from_extensions(request.extensions()).is_ok(),
            );
            let headers = request.headers();
            assert_eq!(headers.contains_key("x-forwarded-tls-client-cert"), one);
            assert_eq!(headers.contains_key("client-cert"), other);
            assert!(!headers.contains_key("ssl-client-cert"));
            Ok::<_, Infallible>((one, other))
        })));
        let request = Request::get("/")
            .header("x-forwarded-tls-client-cert", &skipper)
            .header("client-cert", &rfc9440)
            .header("ssl-client-cert", "forged")
            .body(Body::empty())
            .unwrap();
        assert_eq!(service.ready().await.unwrap().call(request).await.unwrap(), (one, other));
    }
}
