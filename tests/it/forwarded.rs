//! The backend's end over real sockets: whom it believes, what it removes, and what it answers.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;

use axum::response::IntoResponse;
use axum::routing::get;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use rustls::version::TLS13;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;
use tower_client_cert::dialect::{DecodeErrorKind, Limits, Skipper, TowerClientCert, VerifyStatus};
use tower_client_cert::forwarded::{
    Fingerprint, ForwardedClientCert, ForwardedClientCertError, ForwardedClientCertLayer, Hop, TrustedProxies,
};
use tower_client_cert::{ClientAuthPolicy, UnverifiedReason, Verification};

use crate::harness::{self, HttpClient, Server, ServerPki, skipper_value};
use crate::log::Log;
use crate::pki::{Authority, Identity};

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

#[tokio::test]
async fn a_trusted_proxy_is_believed_on_both_protocols() {
    let ca = Authority::root("CA");
    let chain = [ca.client("alice").chain, vec![ca.der()]].concat();
    let value = skipper_value(&chain);
    let address = serve(app(loopback())).await;
    for http2 in [false, true] {
        for path in ["/required", "/optional"] {
            let headers = [(CERT, value.as_str()), (VERIFY, "FAILED:certificate has expired")];
            let response = send(address, http2, request(address, path, &headers)).await;
            assert_eq!(response.status(), StatusCode::OK);
            let fingerprint = Fingerprint::of(&chain[0]);
            assert_eq!(response.body(), &format!("{fingerprint} of 2, FAILED:certificate has expired"));
        }
    }
}

/// Security invariant I-23: removed in every spelling, and the extractor says so.
#[tokio::test]
async fn i1_a_forged_header_of_an_untrusted_peer_is_removed_in_every_folding() {
    let value = skipper_value(&Identity::self_signed("mallory").chain);
    let address = serve(app(elsewhere())).await;
    for http2 in [false, true] {
        for byte in "!#$%&'*+-.^_`|~".chars() {
            let name = CERT.replace('-', &byte.to_string());
            let headers = [(name.as_str(), value.as_str()), ("connection", name.as_str())];
            let headers = if http2 { &headers[..1] } else { &headers[..] };
            for path in ["/required", "/optional"] {
                let response = send(address, http2, request(address, path, headers)).await;
                assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name} {path}");
                assert!(response.body().contains("not come from a trusted proxy"), "{}", response.body());
                assert!(response.body().contains(&format!("`{name}`")), "{}", response.body());
            }
            let seen = send(address, http2, request(address, "/headers", headers)).await;
            assert_eq!(seen.body(), " | ", "{name}");
        }
    }
}

/// A proxy may write its own name and let the other spellings of its client through.
#[tokio::test]
async fn a_trusted_proxy_passes_no_other_spelling_on() {
    let value = skipper_value(&Identity::self_signed("alice").chain);
    let address = serve(app(loopback())).await;
    let forged = CERT.replace('-', "_");
    let headers = [(CERT, value.as_str()), (forged.as_str(), "forged"), ("x-other", "1")];
    for http2 in [false, true] {
        let seen = send(address, http2, request(address, "/headers", &headers)).await;
        assert_eq!(seen.body(), &format!("{CERT} x-other | "), "{http2}");
    }
}

/// Whoever sent them: a proxy passes its client's trailers on.
#[tokio::test]
async fn i2_no_trailer_reaches_the_handler_under_an_owned_name() {
    for trusted in [loopback(), elsewhere()] {
        let address = serve(app(trusted)).await;
        for http2 in [false, true] {
            let mut trailers = HeaderMap::new();
            trailers.insert(CERT, "forged".parse().unwrap());
            trailers.insert("x_forwarded_tls_client_cert", "forged".parse().unwrap());
            trailers.insert("x-checksum", "1".parse().unwrap());
            // Over HTTP/1.1 only trailers that are announced are sent, and only with chunks.
            let announced = format!("x-checksum, {CERT}, x_forwarded_tls_client_cert");
            let mut request = request(address, "/headers", &[("trailer", &announced)]);
            *request.method_mut() = http::Method::POST;
            if !http2 {
                request.headers_mut().insert("transfer-encoding", "chunked".parse().unwrap());
            }
            let body = Full::from("body").with_trailers(async { Some(Ok(trailers)) });
            let request = request.map(|_| Body::new(body));
            let seen = send(address, http2, request).await;
            let (_, trailers) = seen.body().split_once(" | ").unwrap();
            assert!(trailers == "x-checksum", "{}", seen.body());
        }
    }
}

/// Invariant I8, security invariants I-23 and I-24: each answer has its status and its text.
#[tokio::test]
async fn i8_absent_empty_malformed_duplicated_and_untrusted_are_distinct() {
    let one = Identity::self_signed("alice").chain;
    let four: Vec<_> = one.iter().cycle().take(4).cloned().collect();
    let good = skipper_value(&one);
    let too_many = skipper_value(&four);
    let too_large = "A".repeat(8 * 1024 + 4);
    let broken = format!("{good},MII?");
    let at = format!("byte {}:", good.len() + 4);
    let rfc9440 = format!(":{good}:");

    // Name, headers, status, what the text says, and whether `Option` takes it for nobody.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], u16, &'a [&'a str], bool);
    const ANONYMOUS: &str = "anonymous";
    let cases: &[Case<'_>] = &[
        ("absent", &[], 401, &["the proxy forwarded none"], true),
        ("not presented", &[(VERIFY, "NONE")], 401, &["the client presented none"], true),
        ("withheld", &[(VERIFY, "FAILED:certificate has expired")], 401, &["certificate has expired"], true),
        ("empty", &[(CERT, "")], 400, &[CERT, "byte 0:", "empty"], false),
        ("duplicated", &[(CERT, &good), (CERT, &good)], 400, &[CERT, "more than once"], false),
        ("malformed", &[(CERT, &broken)], 400, &[CERT, &at, "not base64"], false),
        ("another dialect's", &[(CERT, &rfc9440)], 400, &[CERT, "byte 0:", "looks like", "rfc9440"], false),
        ("Apache's nothing", &[(CERT, "(null)")], 400, &[CERT, "byte 0:", "(null)", "Apache"], false),
        (
            "contradictory",
            &[(CERT, &good), (VERIFY, "NONE")],
            400,
            &[VERIFY, "NONE, but a certificate"],
            false,
        ),
        ("no status", &[(CERT, &good), (VERIFY, "success")], 400, &[VERIFY, "expected SUCCESS"], false),
        ("too many", &[(CERT, &too_many)], 400, &[CERT, "more than the 3 certificates allowed"], false),
        (
            "too large",
            &[(CERT, &too_large)],
            431,
            &[CERT, "byte 8192:", "more than the 8192 bytes allowed"],
            false,
        ),
    ];
    let address = serve(app(loopback())).await;
    for http2 in [false, true] {
        for (case, headers, status, texts, anonymous) in cases {
            let required = send(address, http2, request(address, "/required", headers)).await;
            assert_eq!(required.status(), *status, "{case}: {}", required.body());
            for text in *texts {
                assert!(required.body().contains(text), "{case}: {text:?} is not in {:?}", required.body());
            }
            let optional = send(address, http2, request(address, "/optional", headers)).await;
            if *anonymous {
                assert_eq!(
                    (optional.status(), optional.body().as_str()),
                    (StatusCode::OK, ANONYMOUS),
                    "{case}"
                );
            } else {
                assert_eq!(
                    (optional.status(), optional.body()),
                    (required.status(), required.body()),
                    "{case}"
                );
            }
        }
    }

    let address = serve(app(elsewhere())).await;
    let required = send(address, false, request(address, "/required", &[])).await;
    assert_eq!(required.status(), StatusCode::FORBIDDEN);
    assert_eq!(required.body(), "this request does not come from a trusted proxy");
    let optional = send(address, false, request(address, "/optional", &[])).await;
    assert_eq!((optional.status(), optional.body().as_str()), (StatusCode::OK, ANONYMOUS));
}

/// Security invariant I-29.
#[tokio::test]
async fn mounting_mistakes_are_500_with_the_line_to_write_in_the_log() {
    // At every level, since other tests may have used the limit up for a moment.
    let log = Log::with_filter("tower_client_cert=debug");
    // No layer at all.
    let bare = Router::new().route("/", get(|_: ForwardedClientCert| async {}));
    let response = bare.oneshot(Request::<Body>::default()).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(body(response).await, "");
    let text = log.text();
    assert!(text.contains("Skipper") && text.contains(".layer(ForwardedClientCertLayer::new("), "{text}");

    // A layer for another dialect is no layer.
    let other = std::sync::Arc::new(Skipper::new());
    let other = Router::new()
        .route("/", get(|_: ForwardedClientCert| async {}))
        .layer(ForwardedClientCertLayer::new(other, loopback()));
    assert_eq!(
        other.oneshot(Request::<Body>::default()).await.unwrap().status(),
        StatusCode::INTERNAL_SERVER_ERROR
    );

    // Served without `ConnectInfo`: nobody knows the peer's address, so nobody is believed, not even without headers.
    for path in ["/required", "/optional"] {
        let forged = Request::get(path).header(CERT, "MAA=").body(Body::empty()).unwrap();
        for request in [forged, Request::get(path).body(Body::empty()).unwrap()] {
            let log = Log::with_filter("tower_client_cert=debug");
            let response = app(loopback()).oneshot(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(body(response).await, "");
            let text = log.text();
            assert!(text.contains("into_make_service_with_connect_info"), "{text}");
        }
    }
    let forged = Request::get("/headers").header(CERT, "MAA=").body(Body::empty()).unwrap();
    assert_eq!(body(app(loopback()).oneshot(forged).await.unwrap()).await, " | ");
}

async fn body(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The proxy's own client certificate, over TLS: by fingerprint and by name, and only if it was verified.
#[tokio::test]
async fn a_proxy_is_known_by_its_verified_certificate() {
    let pki = ServerPki::new();
    let ca = Authority::root("proxies");
    let proxy = ca.issue("edge", |params| {
        params.subject_alt_names.push(rcgen::SanType::URI("spiffe://example.org/edge".try_into().unwrap()));
    });
    let other = ca.client("other");
    let impostor = Authority::root("nobody").issue("edge", |params| {
        params.subject_alt_names.push(rcgen::SanType::URI("spiffe://example.org/edge".try_into().unwrap()));
    });
    let alice = Identity::self_signed("alice").chain;
    let value = skipper_value(&alice);

    let none = TrustedProxies::none;
    let mut by = vec![none().client_cert_fingerprint(Fingerprint::of(&proxy.chain[0]))];
    // An impostor's certificate of the right bytes is impossible; one that nobody verified is not.
    by.push(elsewhere().client_cert_fingerprint(Fingerprint::of(&proxy.chain[0])));
    by.extend([
        none().client_cert_dns_name("EDGE.test"),
        none().client_cert_dns_name("nosuch").client_cert_uri("spiffe://example.org/edge"),
    ]);
    for trusted in by {
        let policy = ClientAuthPolicy::RequestClientCert;
        let verifier = harness::verifier(policy).roots([ca.der()]).build().unwrap();
        let server = Server::start(pki.acceptor(verifier), app(trusted)).await;
        for http2 in [false, true] {
            for (identity, status) in [
                (Some(&proxy), StatusCode::OK),
                (Some(&other), StatusCode::FORBIDDEN),
                (Some(&impostor), StatusCode::FORBIDDEN),
                (None, StatusCode::FORBIDDEN),
            ] {
                let client = HttpClient::new(pki.client(identity, &[&TLS13]), http2);
                let mut request = harness::get(server.address, "/required");
                request.headers_mut().insert(CERT, value.parse().unwrap());
                request.headers_mut().insert(VERIFY, "SUCCESS".parse().unwrap());
                let response = client.send(server.address, request).await;
                assert_eq!(response.status(), status, "{}", response.body());
                if status == StatusCode::OK {
                    // The client's certificate, not the proxy's.
                    assert_eq!(response.body(), &format!("{} of 1, SUCCESS", Fingerprint::of(&alice[0])));
                }
            }
        }
        server.shut_down().await;
    }

    // The right certificate, on a server that has nothing to verify it with.
    let verifier = harness::verifier(ClientAuthPolicy::RequestClientCert).build().unwrap();
    let trusted = none().client_cert_fingerprint(Fingerprint::of(&proxy.chain[0]));
    let server = Server::start(pki.acceptor(verifier), app(trusted)).await;
    let client = HttpClient::new(pki.client(Some(&proxy), &[&TLS13]), true);
    let response = client.send(server.address, harness::get(server.address, "/required")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    server.shut_down().await;
}

/// Security invariant I-25: the backend may check for itself, and what comes out is a verdict.
#[tokio::test]
async fn a_forwarded_certificate_can_be_verified_again() {
    let ca = Authority::root("CA");
    let verifier =
        harness::verifier(ClientAuthPolicy::VerifyClientCertIfGiven).roots([ca.der()]).build().unwrap();
    let reader = ForwardedClientCertLayer::new(TowerClientCert::new(), loopback());
    let told = |chain: &[_]| {
        let mut headers = HeaderMap::new();
        headers.insert(CERT, skipper_value(chain).parse().unwrap());
        headers.insert(VERIFY, "SUCCESS".parse().unwrap());
        reader.read(&Hop::unknown().at("127.0.0.1".parse().unwrap()), &headers).unwrap()
    };
    let now = rustls::pki_types::UnixTime::now();
    let alice = told(&ca.client("alice").chain);
    assert_eq!(alice.verify_again(&verifier, now).unwrap(), Some(Verification::Verified));
    // The proxy says SUCCESS, and these roots say otherwise.
    let stranger = told(&Identity::self_signed("mallory").chain);
    assert!(stranger.is_verified_by_proxy());
    assert_eq!(
        stranger.verify_again(&verifier, now).unwrap(),
        Some(Verification::Unverified(UnverifiedReason::UnknownIssuer))
    );
    assert!(told(&[vec![0x30, 0x00].into()]).verify_again(&verifier, now).is_err());
}

/// Without axum's `ConnectInfo`, as a tower service and as a function.
#[tokio::test]
async fn servers_without_axum_name_the_peer_themselves() {
    let service = tower::service_fn(|request: Request<_>| async move {
        let client = ForwardedClientCert::<Skipper>::from_extensions(request.extensions());
        let _: tower_client_cert::StripTrailers<Body> = request.into_body();
        Ok::<_, std::convert::Infallible>(client)
    });
    let layer = ForwardedClientCertLayer::new(Skipper::new(), loopback());
    let ask = |ip: &str| {
        let request = Request::get("/").header(CERT, "MAA=").body(Body::empty()).unwrap();
        let layer = layer.clone().with_peer_ip(ip.parse().unwrap());
        tower::Layer::layer(&layer, service).oneshot(request)
    };
    assert_eq!(ask("127.0.0.2").await.unwrap().unwrap().end_entity().unwrap().as_ref(), [0x30, 0x00]);
    assert_eq!(
        ask("192.0.2.1").await.unwrap().unwrap_err(),
        ForwardedClientCertError::Untrusted { header: Some(CERT.parse().unwrap()) }
    );

    let mut headers = HeaderMap::new();
    headers.insert(CERT, "".parse().unwrap());
    let trusted = Hop::unknown().at("::ffff:127.0.0.1".parse().unwrap());
    let error = layer.receive(&trusted, &mut headers).unwrap_err();
    let ForwardedClientCertError::Malformed(error) = error else { panic!("{error:?}") };
    assert_eq!((error.kind(), error.offset()), (&DecodeErrorKind::Empty, 0));
    assert!(headers.contains_key(CERT));
    let error = layer.receive(&Hop::unknown(), &mut headers).unwrap_err();
    assert_eq!(error, ForwardedClientCertError::HopUnknown);
    assert_eq!(error.into_response().status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(headers.is_empty());
}
