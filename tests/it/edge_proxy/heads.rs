//! What passes the proxy of a request's and a response's head.

use axum::body::Body;
use http::{Request, StatusCode};

use super::{Backend, EdgeProxy, received};
use crate::harness::get;

#[tokio::test]
async fn headers_for_this_hop_stay_here() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &[]).await;
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\
        Connection: close, X-Hop, Host, X-Forwarded-For, Upgrade, HTTP2-Settings\r\nConnection: x_hop2\r\n\
        X-Hop: 1\r\nX_Hop2: 1\r\nKeep-Alive: 1\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\n\
        TE: gzip, trailers\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nX-Kept: 1\r\n\r\n";
    let answer = proxy.raw(None, request).await;
    let headers = received(&answer);
    let mut names: Vec<&str> = headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    let expected = [
        "connection",
        "host",
        "te",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-tls-client-cert-verify",
        "x-kept",
    ];
    assert_eq!(names, expected, "{answer}");
    assert_eq!(
        (&headers["connection"], &headers["te"]),
        (&"te".parse().unwrap(), &"trailers".parse().unwrap())
    );
    assert_eq!(headers["via"], "1.1 edge_proxy");
}

#[tokio::test]
async fn the_backends_headers_for_its_hop_stay_there() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &[]).await;
    for http2 in [false, true] {
        let response = proxy.client(None, http2).send(proxy.address, get(proxy.address, "/hop")).await;
        assert_eq!(response.headers()["x-kept"], "1");
        for name in ["connection", "x-internal", "keep-alive"] {
            assert!(!response.headers().contains_key(name), "{name}: {response:?}");
        }
    }
}

#[tokio::test]
async fn only_the_proxy_says_where_a_request_came_from() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &[]).await;
    for http2 in [false, true] {
        let mut request = get(proxy.address, "/a?b=c");
        for name in [
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-host",
            "x-forwarded-port",
            "forwarded",
            "x-real-ip",
            "x_forwarded_for",
            "x.real_ip",
        ] {
            request.headers_mut().append(name, "forged".parse().unwrap());
        }
        let response = proxy.client(None, http2).send(proxy.address, request).await;
        let (text, headers) = (response.body(), received(response.body()));
        let host = proxy.address.to_string();
        assert!(text.starts_with("GET /a?b=c HTTP/1.1\n") && !text.contains("forged"), "{text}");
        assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
        assert_eq!(headers["x-forwarded-proto"], "https");
        assert_eq!(headers["x-forwarded-host"], host.as_str());
        assert_eq!(headers["host"], host.as_str());
    }
}

#[tokio::test]
async fn a_request_has_one_host() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &[]).await;
    for (head, outcome) in [
        ("GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n", Err("400")),
        ("GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n", Err("400")),
        ("GET / HTTP/1.1\r\n", Err("400")),
        ("GET / HTTP/1.1\r\nHost:\r\n", Err("400")),
        ("GET / HTTP/1.1\r\nHost: user@a.test\r\n", Err("400")),
        ("GET / HTTP/1.1\r\nHost: a.test, b.test\r\n", Err("400")),
        ("GET / HTTP/1.1\r\nHost: a.test/x\r\n", Err("400")),
        ("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n", Err("501")),
        ("GET / HTTP/1.1\r\nHost: A.test:8443\r\n", Ok("A.test:8443")),
        ("GET https://a.test/ HTTP/1.1\r\nHost: b.test\r\n", Ok("a.test")),
        ("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n", Ok("a.test")),
    ] {
        let answer = proxy.raw(None, &format!("{head}Connection: close\r\n\r\n")).await;
        match outcome {
            Err(status) => assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answer}"),
            Ok(host) => assert_eq!(received(&answer)["host"], host, "{head}: {answer}"),
        }
    }
}

#[tokio::test]
async fn an_http2_request_becomes_an_http1_request() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &[]).await;
    let client = proxy.client(Some(&proxy.files.alice), true);
    let request = |host: Option<&str>| {
        let mut request = Request::get("https://a.test:8443/").body(Body::empty()).unwrap();
        if let Some(host) = host {
            request.headers_mut().insert("host", host.parse().unwrap());
        }
        request.headers_mut().append("cookie", "a=1".parse().unwrap());
        request.headers_mut().append("cookie", "b=2; c=3".parse().unwrap());
        request
    };
    for host in [None, Some("a.test:8443")] {
        let response = client.send(proxy.address, request(host)).await;
        let headers = received(response.body());
        assert_eq!(headers["host"], "a.test:8443");
        assert_eq!(headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2; c=3"]);
        assert_eq!(headers["via"], "2.0 edge_proxy");
        assert_eq!(headers["x-forwarded-tls-client-cert-verify"], "SUCCESS");
    }
    let response = client.send(proxy.address, request(Some("b.test"))).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);

    let connect = Request::connect("a.test:443").body(Body::empty()).unwrap();
    assert_eq!(client.send(proxy.address, connect).await.status(), StatusCode::NOT_IMPLEMENTED);
}
