//! A gRPC server on a `TlsListener`, twice: in tonic's own server, and as routes under `axum::serve`.
//!
//! ```text
//! cargo run -p tower-client-cert-tonic-example --example tonic   # is its own client, and ends
//! ```
//!
//! In tonic's server `Request::peer_certs` works, and so does the layer behind an `AdoptConnectInfoLayer`; but tonic passes
//! on no more than that, so that nobody learns there whether a certificate was verified. Under `axum::serve` each request
//! carries a `TlsConnectInfo`, which tells.

#[path = "../edge_proxy/pki.rs"]
#[allow(dead_code)]
mod pki;

use std::convert::Infallible;
use std::error::Error;
use std::future::{Ready, ready};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::serve::Listener as _;
use http::{Request, Response};
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_stream::{Stream, StreamExt as _};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::Server;
use tower_client_cert::{
    AdoptConnectInfoLayer, ClientAuthPolicy, ClientCertAcceptor, ClientCertLayer, TlsConnectInfo,
    TlsListener, make_service,
};

use crate::pki::{Identity, Pki};

/// A service as `tonic-build` generates them, without the messages: it answers in `grpc-message`.
#[derive(Clone)]
struct WhoAmI;

impl NamedService for WhoAmI {
    const NAME: &'static str = "demo.WhoAmI";
}

impl tower::Service<Request<Body>> for WhoAmI {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let request = tonic::Request::from_http(request);
        let certificates = request.peer_certs().map_or(0, |certificates| certificates.len());
        let verification = request
            .extensions()
            .get::<TlsConnectInfo>()
            .and_then(TlsConnectInfo::peer_certificates)
            .map_or("-".to_owned(), |peer| peer.verification().to_string());
        let forwarded = request.metadata().contains_key("x-forwarded-tls-client-cert");
        let answer =
            format!("peer_certs: {certificates}, verification: {verification}, forwarded: {forwarded}");
        ready(Ok(tonic::Status::ok(answer).into_http()))
    }
}

/// The connections of a listener, for tonic: each has been through its handshake, off the accept loop.
fn incoming(
    listener: TlsListener<TcpListener>,
) -> impl Stream<Item = Result<<TlsListener<TcpListener> as axum::serve::Listener>::Io, Infallible>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let mut listener = listener;
        loop {
            let (stream, _) = listener.accept().await;
            if sender.send(stream).await.is_err() {
                break;
            }
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(receiver).map(Ok)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pki = Pki::create(Ipv4Addr::LOCALHOST.into())?;
    let verifier = ClientAuthPolicy::VerifyClientCertIfGiven
        .verifier()
        .provider(Arc::clone(&provider))
        .roots([pki.ca.clone()])
        .build()?;
    let chain = vec![pki.server.certificate.clone()];
    let acceptor = ClientCertAcceptor::from_der(chain, pki.server.key.clone_key(), verifier, |config| {
        config.alpn_protocols = vec![b"h2".to_vec()];
    })?;

    // In tonic's own server.
    let listener = TlsListener::new(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?, acceptor.clone());
    let in_tonic = listener.local_addr()?;
    let server = Server::builder().layer(AdoptConnectInfoLayer::tonic()).layer(ClientCertLayer::new());
    tokio::spawn(server.serve_with_incoming(Routes::new(WhoAmI), incoming(listener)));

    // As routes under `axum::serve`.
    let listener = TlsListener::new(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?, acceptor);
    let in_axum = listener.local_addr()?;
    let app = Routes::new(WhoAmI).into_axum_router().layer(ClientCertLayer::new());
    tokio::spawn(axum::serve(listener, make_service(app)).into_future());

    let expected = [
        (in_tonic, Some(&pki.trusted), "peer_certs: 1, verification: FAILED:not checked, forwarded: true"),
        (in_tonic, None, "peer_certs: 0, verification: -, forwarded: false"),
        (in_axum, Some(&pki.trusted), "peer_certs: 0, verification: SUCCESS, forwarded: true"),
        (in_axum, None, "peer_certs: 0, verification: -, forwarded: false"),
    ];
    for (address, identity, expected) in expected {
        let answer = ask(Arc::clone(&provider), &pki, identity, address).await?;
        println!("{answer}");
        if answer != expected {
            return Err(format!("expected {expected}").into());
        }
    }
    Ok(())
}

/// One call over HTTP/2.
async fn ask(
    provider: Arc<CryptoProvider>,
    pki: &Pki,
    identity: Option<&Identity>,
    address: SocketAddr,
) -> Result<String, Box<dyn Error>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(pki.ca.clone())?;
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut config = match identity {
        None => config.with_no_client_auth(),
        Some(Identity { certificate, key, .. }) => {
            config.with_client_auth_cert(vec![certificate.clone()], key.clone_key())?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(address).await?;
    let stream = TlsConnector::from(Arc::new(config)).connect(ServerName::from(address.ip()), tcp).await?;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::post(format!("https://{address}/demo.WhoAmI/Ask"))
        .header("content-type", "application/grpc")
        .body(Empty::<bytes::Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let message = response.headers().get("grpc-message").ok_or("no grpc-message")?.to_str()?;
    Ok(message.replace("%20", " "))
}
