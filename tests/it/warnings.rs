//! Silence was the bug: what a layer says that can never have a certificate to forward.

use std::convert::Infallible;
use std::future::{Ready, ready};

use axum::body::Body;
use http::{Request, Response};
use tower::util::ServiceFn;
use tower::{Layer, Service, ServiceExt as _, service_fn};
use tower_client_cert::dialect::Skipper;
use tower_client_cert::forwarded::{ForwardedClientCertLayer, TrustedProxies};
use tower_client_cert::{ClientAuthPolicy, ClientCertLayer, PeerCertificates, StripTrailers, TlsConnectInfo};

use crate::log::capture;
use crate::pki::Identity;

/// What the layers are around.
type Inner = ServiceFn<fn(Request<StripTrailers<Body>>) -> Ready<Result<Response<()>, Infallible>>>;

/// What is logged while one layer handles three requests of a connection like that.
fn logged<L: Layer<Inner>>(layer: &L, info: Option<&TlsConnectInfo>) -> String
where
    L::Service: Service<Request<Body>, Response = Response<()>, Error = Infallible>,
{
    capture(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for _ in 0..3 {
                // A service of its own each time, as axum and hyper make them.
                let mut service = layer.layer(service_fn(|_| ready(Ok(Response::new(())))));
                let mut request = Request::new(Body::empty());
                if let Some(info) = info {
                    request.extensions_mut().insert(info.clone());
                }
                service.ready().await.unwrap().call(request).await.unwrap();
            }
        });
    })
}

#[test]
fn a_layer_without_an_acceptor_warns_once_with_the_line_to_write() {
    let layer = ClientCertLayer::new();
    let log = logged(&layer, None);
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    assert!(
        log.contains(
            "axum::serve(TlsListener::new(listener, acceptor), tower_client_cert::make_service(app))"
        )
    );
    assert_eq!(logged(&layer, None), "", "not again");
}

#[test]
fn a_layer_under_a_policy_that_does_not_ask_warns_once_with_the_line_to_write() {
    let info = TlsConnectInfo::new(None).with_policy(ClientAuthPolicy::NoClientCert);
    let log = logged(&ClientCertLayer::new(), Some(&info));
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    assert!(
        log.contains("NoClientCert") && log.contains("ClientAuthPolicy::RequestClientCert.verifier()"),
        "{log}"
    );
}

#[test]
fn a_backend_that_does_not_know_its_peers_warns_once_with_the_line_to_write() {
    let proxy = std::net::IpAddr::from([192, 0, 2, 1]);
    let layer = ForwardedClientCertLayer::new(Skipper::new(), TrustedProxies::none().ip_range(proxy));
    let log = logged(&layer, None);
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    assert!(log.contains("into_make_service_with_connect_info::<std::net::SocketAddr>()"), "{log}");
    assert_eq!(logged(&layer, None), "", "not again");
    assert_eq!(logged(&layer.with_peer_ip(proxy), None), "");
}

#[test]
fn a_layer_that_works_is_silent() {
    let peer = PeerCertificates::unverified(Identity::self_signed("alice").chain);
    for peer in [None, peer] {
        let info = TlsConnectInfo::new(peer).with_policy(ClientAuthPolicy::RequestClientCert);
        assert_eq!(logged(&ClientCertLayer::new(), Some(&info)), "");
    }
}

#[test]
fn dropping_a_chain_and_then_the_certificate_is_a_warning_each() {
    let Identity { chain, .. } = Identity::self_signed("alice");
    let pair = [chain.clone(), chain.clone()].concat();
    for (chain, max, without_chain, not_at_all) in [
        (&pair, 10, true, true),
        (&pair, 700, true, false),
        (&chain, 10, false, true),
        (&chain, 700, false, false),
    ] {
        let peer = PeerCertificates::unverified(chain.clone());
        let info = TlsConnectInfo::new(peer).with_policy(ClientAuthPolicy::RequestClientCert);
        let log = logged(&ClientCertLayer::new().max_value_size(max), Some(&info));
        assert_eq!(log.contains("forwarded without its chain"), without_chain, "{log}");
        assert_eq!(log.contains("it is not forwarded"), not_at_all, "{log}");
        assert_eq!(log.lines().count(), usize::from(without_chain) + usize::from(not_at_all), "{log}");
    }
}
