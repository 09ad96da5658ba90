//! What a backend says of requests that it does not believe: who runs it hears why, and its clients hear no advice.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use axum::routing::get;
use http::{HeaderMap, HeaderName, Request, StatusCode};
use tower::ServiceExt as _;
use tower_client_cert::Identified;
use tower_client_cert::authorize::{Denied, Reason, RequireClientCertLayer, Rule};
use tower_client_cert::dialect::{AnyDialect, Dialect as _, Limits, Nginx, Outgoing, VerifyStatus};
use tower_client_cert::forwarded::{
    ForwardedClientCert, ForwardedClientCertError, ForwardedClientCertLayer, FromForwarded, Hop,
    TrustedProxies,
};
use tower_client_cert::{ClientAuthPolicy, ClientIdentity, PeerCertificates, TlsConnectInfo};

use super::{request, send, serve};
use crate::harness::read;
use crate::log::Log;
use crate::pki::Authority;

const CERT: &str = "x-ssl-client-cert";
const PROXY: [u8; 4] = [127, 0, 0, 1];
const STRANGER: [u8; 4] = [192, 0, 2, 66];

fn reader() -> ForwardedClientCertLayer<Nginx> {
    let dialect = Nginx::new().with_limits(Limits::new().max_value_size(4 * 1024));
    ForwardedClientCertLayer::new(dialect, TrustedProxies::none().ip_range(IpAddr::from(PROXY)))
}

/// Every way to ask for a certificate, behind the layer.
fn app(reader: ForwardedClientCertLayer<Nginx>) -> Router {
    type Client = ForwardedClientCert<Nginx>;
    let any = RequireClientCertLayer::new(Rule::any_certificate());
    let forwarded = any.clone().from_source(FromForwarded::<Nginx>::new());
    Router::new()
        .route("/nobody", get(|| async {}))
        .route("/required", get(|_: Client| async {}))
        .route("/optional", get(|_: Option<Client>| async {}))
        .route("/rule", get(|| async {}).layer(forwarded))
        .route("/default", get(|| async {}).layer(any))
        .route("/identity", get(|_: ClientIdentity| async {}))
        .layer(reader)
}

struct Answer {
    status: u16,
    reason: Option<Reason>,
    body: String,
    log: String,
}

async fn ask(app: Router, path: &str, headers: &[(&str, &str)], filter: &str) -> Answer {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    for (name, value) in headers {
        request.headers_mut().append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    answer(app, request, filter).await
}

async fn answer(app: Router, request: Request<Body>, filter: &str) -> Answer {
    let log = Log::with_filter(filter);
    let response = app.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let reason = response.extensions().get().map(Denied::reason);
    Answer { status, reason, body: read(response).await.into_body(), log: log.text() }
}

#[tokio::test]
async fn a_proxys_upgrade_that_makes_every_request_a_400_is_in_the_log() {
    let address = serve(app(reader())).await;
    for http2 in [false, true] {
        let log = Log::start();
        let response = send(address, http2, request(address, "/required", &[(CERT, ":MIIB:")])).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let text = log.text();
        let line = text.lines().find(|line| line.contains("is not a client certificate")).expect(&text);
        for part in ["WARN", "peer=127.0.0.1", "header=\"x-ssl-client-cert\"", "byte=0", "reason=", "rfc9440"]
        {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
}

/// Whoever asks for the certificate, and even if nobody does: the layer says it.
#[tokio::test]
async fn each_thing_that_can_be_wrong_with_a_header_is_a_line_with_the_byte_and_the_reason() {
    let large = "A".repeat(5_000);
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[(CERT, "(null)")], "byte=0 reason=\"`(null)`, which is what Apache sends"),
        (&[(CERT, "rubbish")], "byte=0 reason=\"not PEM"),
        (&[(CERT, "a"), (CERT, "a")], "byte=0 reason=\"the header occurs more than once"),
        (&[(CERT, &large)], "byte=4096 reason=\"more than the 4096 bytes allowed"),
        (&[("x-ssl-client-verify", "maybe")], "byte=0 reason=\"expected SUCCESS"),
    ];
    for (headers, expected) in cases {
        for path in ["/required", "/optional", "/rule", "/nobody"] {
            let answer = ask(app(reader().with_peer_ip(PROXY.into())), path, headers, "info").await;
            let mut lines = answer.log.lines().filter(|line| line.contains("is not a client certificate"));
            let line = lines.next().expect(&answer.log);
            assert!(
                line.contains(expected) && line.contains("WARN") && line.contains("peer=127.0.0.1"),
                "{line}"
            );
            assert_eq!(lines.next(), None, "once");
            assert!(line.len() < 1024, "{line}");
        }
    }
    // Without tower it is the same.
    let (reader, proxy) = (reader(), Hop::unknown().at(PROXY.into()));
    let mut headers = HeaderMap::new();
    headers.insert(CERT, "rubbish".parse().unwrap());
    let log = Log::start();
    reader.read(&proxy, &headers).unwrap_err();
    reader.receive(&proxy, &mut headers).unwrap_err();
    assert_eq!(log.text().matches("byte=0 reason=\"not PEM").count(), 2, "{}", log.text());
}

/// Neither what is wrong in size nor who says so makes a difference.
#[tokio::test]
async fn a_header_too_large_to_look_at_is_431_for_the_extractor_and_for_a_rule() {
    let large = "A".repeat(5_000);
    for (path, reason) in [("/required", None), ("/optional", None), ("/rule", Some(Reason::HeaderTooLarge))]
    {
        let app = app(reader().with_peer_ip(PROXY.into()));
        let answer = ask(app, path, &[(CERT, &large)], "info").await;
        assert_eq!((answer.status, answer.reason), (431, reason), "{path}");
        assert!(reason.is_none() || answer.log.contains("reason=header-too-large"), "{}", answer.log);
    }
}

#[tokio::test]
async fn plain_absence_is_no_event() {
    type Case = (&'static [(&'static str, &'static str)], [u8; 4], u16);
    let cases: [Case; 4] = [
        (&[], PROXY, 401),
        (&[("x-ssl-client-verify", "NONE")], PROXY, 401),
        (&[("x-ssl-client-verify", "FAILED:certificate has expired")], PROXY, 401),
        (&[], STRANGER, 200),
    ];
    for (headers, hop, status) in cases {
        let path = if status == 200 { "/optional" } else { "/required" };
        let answer = ask(app(reader().with_peer_ip(hop.into())), path, headers, "info").await;
        // Whoever takes the first header of a kind in this process says so.
        let lines = answer.log.lines().filter(|line| !line.contains("took a header off a request"));
        assert_eq!((answer.status, lines.collect::<String>()), (status, String::new()));
    }
}

/// The layer says it of a claim, and who refuses the request of one without.
#[tokio::test]
async fn a_403_for_an_untrusted_hop_logs_the_address() {
    let app = || app(reader().with_peer_ip(STRANGER.into()));
    for path in ["/required", "/optional", "/rule", "/nobody"] {
        let answer = ask(app(), path, &[("X_Ssl_Client_Cert", "forged")], "info").await;
        assert_eq!(answer.status, if path == "/nobody" { 200 } else { 403 });
        let line = answer.log.lines().find(|line| line.contains("removed a header")).expect(&answer.log);
        for part in ["INFO", "peer=192.0.2.66", "header=\"x_ssl_client_cert\""] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(!answer.body.contains("192.0.2"), "{}", answer.body);
        assert!(!answer.log.contains("forged"), "{}", answer.log);
    }
    let answer = ask(app(), "/rule", &[], "info").await;
    assert_eq!((answer.status, answer.reason), (403, Some(Reason::UntrustedProxy)));
    assert!(answer.log.contains("detail=\"from 192.0.2.66: this request does not come"), "{}", answer.log);
    // The limit of this one is the process's, so that other tests may have used it up for a moment.
    loop {
        let answer = ask(app(), "/required", &[], "info").await;
        assert_eq!(answer.status, 403);
        if answer.log.contains("INFO") {
            assert!(
                answer.log.contains("status 403") && answer.log.contains("peer=192.0.2.66"),
                "{}",
                answer.log
            );
            break;
        }
    }
    let answer = ask(app(), "/optional", &[], "tower_client_cert=debug").await;
    assert!(answer.log.contains("DEBUG") && answer.log.contains("peer=192.0.2.66"), "{}", answer.log);
}

#[tokio::test]
async fn i12_a_flood_is_told_in_part_and_hides_nothing_of_another_kind() {
    let reader = reader();
    let log = Log::start();
    for _ in 0..2_000 {
        let mut headers = HeaderMap::new();
        headers.insert("x_ssl_client_cert", "A".repeat(4_000).parse().unwrap());
        reader.receive(&Hop::unknown().at(STRANGER.into()), &mut headers).unwrap_err();
    }
    let flood = log.text();
    let told = flood.lines().filter(|line| line.contains("removed a header")).count();
    assert!((10..1_000).contains(&told), "{told}");
    assert!(flood.lines().all(|line| line.len() < 1024));
    let mut headers = HeaderMap::new();
    headers.insert(CERT, "rubbish".parse().unwrap());
    reader.receive(&Hop::unknown().at(PROXY.into()), &mut headers).unwrap_err();
    assert!(log.text().contains("WARN"), "what strangers do hides the proxy's fault");
}

/// Every dialect behind a reader of another: the log says which was sent.
#[tokio::test]
async fn a_proxy_that_speaks_another_dialect_is_told_from_one_that_forwards_nothing() {
    let alice = Authority::root("CA").client("alice").chain;
    for sent in AnyDialect::NAMES {
        let dialect: AnyDialect = sent.parse().unwrap();
        let expected = if dialect.header_names().iter().any(|name| name.as_str().starts_with("x-ssl-client"))
        {
            "rfc9440"
        } else {
            "nginx"
        };
        let mut headers = HeaderMap::new();
        dialect.encode(&Outgoing::new(&alice, VerifyStatus::Success), &mut headers);
        let reader = ForwardedClientCertLayer::new(
            expected.parse::<AnyDialect>().unwrap(),
            TrustedProxies::none().ip_range(IpAddr::from(PROXY)),
        );
        let own = || reader.clone().with_peer_ip(PROXY.into());
        let app =
            || Router::new().route("/", get(|_: ForwardedClientCert<AnyDialect>| async {})).layer(own());
        if dialect
            .header_names()
            .iter()
            .any(|name| expected.parse::<AnyDialect>().unwrap().header_names().contains(name))
        {
            continue;
        }
        let ask = async || {
            let mut request = Request::new(Body::empty());
            *request.headers_mut() = headers.clone();
            answer(app(), request, "info").await
        };
        let answer = ask().await;
        assert_eq!(answer.status, 401, "{sent}: {}", answer.body);
        let line = answer.log.lines().find(|line| line.contains("forwarded no header of this dialect"));
        let line = line.unwrap_or_else(|| panic!("{sent}: {}", answer.log));
        let header = headers.keys().next().unwrap();
        assert!(line.contains(&format!("`{header}`, the dialect of ")), "{line}");
        assert!(line.contains(sent) || headers.len() > 2, "{sent}: {line}");
        assert!(line.contains("WARN") && line.contains("peer=127.0.0.1") && line.len() < 1024, "{line}");
        assert!(!ask().await.log.contains("of this dialect"), "not for every request");
    }
}

/// By the same code where there is no service: and of one's own headers in another spelling.
#[test]
fn another_spelling_and_a_reader_without_tower_say_so_too() {
    let proxy = Hop::unknown().at(PROXY.into());
    for name in ["x_ssl_client_cert", "client-cert", "ssl_client_cert"] {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(name), "MAA=".parse().unwrap());
        for receives in [false, true] {
            let log = Log::start();
            let reader = reader();
            let outcome = if receives {
                reader.receive(&proxy, &mut headers.clone())
            } else {
                reader.read(&proxy, &headers)
            };
            assert_eq!(outcome.unwrap_err(), ForwardedClientCertError::Absent);
            let log = log.text();
            assert!(log.contains(&format!("`{name}`, the dialect of ")), "{log}");
            assert!(log.contains("expected=\"x-ssl-client-cert\""), "{log}");
        }
    }
    // Nobody's dialect, and a stranger's.
    for (name, hop) in [("x-remote-user", PROXY), ("client-cert", STRANGER)] {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(name), "alice".parse().unwrap());
        let log = Log::start();
        reader().read(&Hop::unknown().at(hop.into()), &headers).unwrap_err();
        assert_eq!(log.text(), "", "{name}");
    }
}

/// The rejection of every extractor, and what the log says of it.
#[tokio::test]
async fn no_500_tells_a_client_how_the_server_is_set_up() {
    struct Anybody;
    // The extractor asks for `TryFrom`, by which the real ones fail.
    #[allow(clippy::infallible_try_from)]
    impl TryFrom<ClientIdentity> for Anybody {
        type Error = Infallible;
        fn try_from(_: ClientIdentity) -> Result<Self, Infallible> {
            Ok(Self)
        }
    }
    // Bare, without a layer and without a connection.
    let bare = Router::new()
        .route("/tls", get(|_: TlsConnectInfo| async {}))
        .route("/peer", get(|_: PeerCertificates| async {}))
        .route("/perhaps", get(|_: Option<PeerCertificates>| async {}))
        .route("/who", get(|_: ClientIdentity| async {}))
        .route("/own-type", get(|_: Identified<Anybody>| async {}))
        .route("/forwarded", get(|_: ForwardedClientCert<Nginx>| async {}))
        .route("/perhaps-forwarded", get(|_: Option<ForwardedClientCert<Nginx>>| async {}));
    let never = TlsConnectInfo::new(None).with_policy(ClientAuthPolicy::NoClientCert);
    let (none, never) = (None, Some(never));
    let listener = "axum::serve(TlsListener::new(listener, acceptor)";
    let asks = "ClientAuthPolicy::RequestClientCert.verifier()";
    let backend = ".from_source(FromForwarded::<Dialect>::new())";
    let connect_info = "into_make_service_with_connect_info";
    let behind = app(reader());
    for (app, path, info, advice) in [
        (&bare, "/tls", &none, listener),
        (&bare, "/peer", &none, listener),
        (&bare, "/peer", &never, asks),
        (&bare, "/perhaps", &none, listener),
        (&bare, "/who", &none, listener),
        (&bare, "/who", &never, asks),
        (&bare, "/own-type", &none, listener),
        (&bare, "/forwarded", &none, ".layer(ForwardedClientCertLayer::new("),
        (&bare, "/perhaps-forwarded", &none, ".layer(ForwardedClientCertLayer::new("),
        (&behind, "/required", &none, connect_info),
        (&behind, "/optional", &none, connect_info),
        (&behind, "/identity", &none, backend),
    ] {
        // The first ten of each, and then one a second, are warnings, whoever asks in this process.
        let mut seen = false;
        while !seen {
            let mut request = Request::get(path).body(Body::empty()).unwrap();
            info.clone().map(|info| request.extensions_mut().insert(info));
            let answer = answer(app.clone(), request, "tower_client_cert=debug").await;
            assert_eq!((answer.status, answer.body.as_str()), (500, ""), "{path}");
            let line = answer.log.lines().find(|line| line.contains("answered with status 500"));
            let line = line.unwrap_or_else(|| panic!("{path}: {}", answer.log));
            assert!(line.contains(advice) && line.len() < 1024, "{path}: {line}");
            seen = line.contains("WARN");
        }
    }
}

/// On a backend without TLS too.
#[tokio::test]
async fn behind_the_layer_the_advice_is_the_backends() {
    for hop in [PROXY, STRANGER] {
        for path in ["/default", "/identity"] {
            let answer =
                ask(app(reader().with_peer_ip(hop.into())), path, &[], "tower_client_cert=debug").await;
            assert_eq!((answer.status, answer.body.as_str()), (500, ""), "{path}");
            assert!(answer.log.contains(".from_source(FromForwarded::"), "{path}: {}", answer.log);
            assert!(!answer.log.contains("TlsListener"), "{path}: {}", answer.log);
        }
    }
    // In the wrong order nobody can tell that there is a layer, so both ways are told.
    let any = RequireClientCertLayer::new(Rule::any_certificate());
    let outside = || Router::new().route("/", get(|| async {})).layer(reader().with_peer_ip(PROXY.into()));
    let answer = ask(outside().layer(any.clone()), "/", &[], "info").await;
    assert!(answer.log.contains("TlsListener") && answer.log.contains(".from_source("), "{}", answer.log);
    let outside = outside().layer(any.from_source(FromForwarded::<Nginx>::new()));
    let answer = ask(outside, "/", &[], "info").await;
    assert!(answer.log.contains("what is added last sees a request first"), "{}", answer.log);
}

#[test]
fn the_text_of_an_error_keeps_the_advice_for_who_logs_it() {
    let error = ForwardedClientCert::<Nginx>::from_extensions(&http::Extensions::new()).unwrap_err();
    assert!(error.to_string().contains(".layer(ForwardedClientCertLayer::new("), "{error}");
    assert_eq!(error.into_response().status(), StatusCode::INTERNAL_SERVER_ERROR);
}
