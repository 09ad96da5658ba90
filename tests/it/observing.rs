//! What is logged and counted.

use std::convert::Infallible;
use std::future::ready;

use axum::body::Body;
use axum::{Router, routing::get};
use http::{HeaderValue, Request, Response};
use rustls::version::TLS13;
use tokio::io::AsyncReadExt as _;
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};
use tower_client_cert::{ClientAuthPolicy, ClientCertLayer, PeerCertificates, TlsConnectInfo};

use crate::harness::{self, HttpClient, Server, ServerPki, connect, skipper_value, verifier};
use crate::log::Log;
use crate::pki::{Authority, Identity};

const FILTER: &str = "tower_client_cert=debug,it=info";

#[tokio::test]
async fn the_log_tells_what_was_stripped_and_written_and_no_value() {
    let alice = Authority::root("CA").client("alice");
    let service = service_fn(|_| ready(Ok::<_, Infallible>(Response::new(Body::empty()))));
    let mut service = ClientCertLayer::new().log_headers().layer(service);
    let mut request = Request::new(Body::empty());
    request.headers_mut().insert("cookie", HeaderValue::from_static("secret"));
    request.headers_mut().insert("x_forwarded_tls_client_cert", HeaderValue::from_static("forged"));
    let peer = PeerCertificates::unverified(alice.chain.clone());
    request.extensions_mut().insert(TlsConnectInfo::new(peer));
    let log = Log::with_filter(FILTER);
    service.ready().await.unwrap().call(request).await.unwrap();

    let text = log.text();
    let value = skipper_value(&alice.chain);
    for part in [
        "received=cookie (6 bytes), x_forwarded_tls_client_cert (6 bytes)",
        "stripped=x_forwarded_tls_client_cert (6 bytes)",
        &format!("written=x-forwarded-tls-client-cert ({} bytes), ", value.len()),
        "FAILED:not checked",
        "certificate=sha256:",
        "stripped=1",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("CN=alice"), "{text}");
    for value in ["secret", "forged", &value[..40]] {
        assert!(!text.contains(value), "{value}: {text}");
    }
}

#[tokio::test]
async fn a_connection_is_a_span_and_its_requests_are_in_it() {
    let ca = Authority::root("client CA");
    let pki = ServerPki::new();
    let policy = ClientAuthPolicy::RequireAndVerifyClientCert;
    let acceptor = pki.acceptor(verifier(policy).roots([ca.der()]).build().unwrap());
    let app = Router::new().route("/", get(|| async { tracing::info!("a request") }));
    let (alice, mallory) = (ca.client("alice"), Identity::self_signed("mallory"));
    // All tasks are on this thread.
    let log = Log::with_filter(FILTER);
    let server = Server::start(acceptor, app).await;
    let client = HttpClient::new(pki.client(Some(&alice), &[&TLS13]), false);
    client.send(server.address, harness::get(server.address, "/")).await;
    let mut refused = connect(server.address, &pki.client(Some(&mallory), &[&TLS13])).await.unwrap();
    // Under TLS 1.3 a client learns that it was refused only when it reads.
    refused.read_u8().await.unwrap_err();
    server.shut_down().await;
    let text = log.text();
    let request = text.lines().find(|line| line.contains("a request")).expect("logged");
    assert!(request.contains("connection{peer=127.0.0.1:"), "{request}");
    assert!(request.contains("server_name=\"localhost\" certificate=SUCCESS}"), "{request}");
    let refused = text.lines().find(|line| line.contains("client certificate refused")).expect("logged");
    assert!(refused.contains("}: tower_client_cert::"), "{refused}");
    assert!(refused.contains(": client certificate refused peer=127.0.0.1:"), "{refused}");
}
