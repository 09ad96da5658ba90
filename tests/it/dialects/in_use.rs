//! Dialects in a program: chosen by a flag, in layers one around the other, and in front of caches.

use std::convert::Infallible;

use axum::body::Body;
use clap::Parser as _;
use http::{HeaderMap, Request, Response};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_client_cert::dialect::{AnyDialect, Dialect, Rfc9440, Skipper};
use tower_client_cert::{ClientCertLayer, PeerCertificates, TlsConnectInfo};

use super::named;
use crate::vectors::{chain, map};

#[test]
fn a_dialect_is_chosen_by_a_flag() {
    #[derive(clap::Parser)]
    struct Flags {
        #[arg(long, default_value_t)]
        dialect: AnyDialect,
    }
    assert_eq!(Flags::parse_from(["test"]).dialect.name(), "skipper");
    assert_eq!(Flags::parse_from(["test", "--dialect", "envoy"]).dialect.name(), "envoy");
    let Err(error) = Flags::try_parse_from(["test", "--dialect", "nginxx"]) else { panic!("refused") };
    let error = error.to_string();
    assert!(error.contains("ingress-nginx") && error.contains("cloud-foundry"), "{error}");
}

/// The headers behind two layers, the first of which is outside.
async fn behind<A, B>(
    outer: ClientCertLayer<A>,
    inner: ClientCertLayer<B>,
    request: Request<Body>,
) -> HeaderMap
where
    A: Dialect,
    B: Dialect,
{
    let service = inner.layer(service_fn(|request: Request<_>| async move {
        Ok::<_, Infallible>(Response::new(request.headers().clone()))
    }));
    outer.layer(service).oneshot(request).await.unwrap().into_body()
}

#[tokio::test]
async fn i1_two_dialects_at_once_are_both_stripped_and_both_written() {
    let certificates = chain("rfc9440-chain.pem");
    let request = |peer: Option<PeerCertificates>| {
        let mut request = Request::get("/")
            .header("client-cert", ":MAA=:")
            .header("Client_Cert_Chain", ":MAA=:")
            .header("x-forwarded-tls-client-cert", "MAA=")
            .header("x-forwarded-tls-client-cert-verify", "SUCCESS")
            .body(Body::empty())
            .unwrap();
        request.extensions_mut().insert(TlsConnectInfo::new(peer));
        request
    };
    let skipper = ClientCertLayer::new;
    let rfc9440 = || ClientCertLayer::with_dialect(Rfc9440::new()).forward_unverified();

    let peer = PeerCertificates::unverified(certificates.clone());
    for headers in [
        behind(skipper(), rfc9440(), request(peer.clone())).await,
        behind(rfc9440(), skipper(), request(peer.clone())).await,
    ] {
        assert_eq!(headers.len(), 4, "{headers:?}");
        assert_eq!(Skipper::new().decode(&headers).unwrap().unwrap().certificates, certificates);
        assert_eq!(Rfc9440::new().decode(&headers).unwrap().unwrap().certificates, certificates);
    }
    let headers = behind(skipper(), rfc9440(), request(None)).await;
    assert_eq!(headers, map(&[("x-forwarded-tls-client-cert-verify", "NONE")]));
}

#[tokio::test]
async fn unverified_certificates_are_written_only_where_their_own_proxy_does() {
    let peer = PeerCertificates::unverified(chain("rfc9440-chain.pem"));
    for name in AnyDialect::NAMES {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(TlsConnectInfo::new(peer.clone()));
        let layer = ClientCertLayer::with_dialect(named(name));
        let headers = layer.layer(service_fn(|request: Request<_>| async move {
            Ok::<_, Infallible>(Response::new(request.headers().clone()))
        }));
        let headers = headers.oneshot(request).await.unwrap().into_body();
        let written = headers.values().any(|value| value.len() > 200);
        let expected = ["skipper", "traefik", "tower", "kong"].iter().any(|start| name.starts_with(start));
        assert_eq!(written, expected, "{name}: {headers:?}");
    }
}

#[test]
fn vary_is_added_once_and_hidden_from_caches_in_front() {
    let shielded = |value: &str| {
        let mut response = map(&[("vary", "origin"), ("vary", value)]);
        Rfc9440::shield_caches(&mut response);
        response.get_all("vary").iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(shielded("Client-Cert"), ["*"]);
    assert_eq!(shielded("accept , client-cert-chain"), ["*"]);
    assert_eq!(shielded("client-certs"), ["origin", "client-certs"]);

    let mut response = map(&[("vary", "origin, CLIENT-CERT")]);
    Rfc9440::vary(&mut response);
    assert_eq!(response.get_all("vary").iter().count(), 1);
}
