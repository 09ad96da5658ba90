//! An axum app that greets its clients by their certificates.
//!
//! ```text
//! cargo run --example axum                  # prints curl lines, serves until Ctrl-C
//! cargo run --example axum -- --demo-once   # is its own client, and ends
//! ```

#[path = "edge_proxy/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "edge_proxy/pki.rs"]
#[allow(dead_code)]
mod pki;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::{Router, routing::get};
use http::StatusCode;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use tokio::net::TcpListener;
use tower_client_cert::{
    ClientAuthPolicy, ClientCertAcceptor, PeerCertificates, TlsConnectInfo, TlsListener, serve,
};

use crate::client::Client;
use crate::pki::{Identity, Pki};

/// The members of a club, by certificate.
type Members = Arc<Vec<(CertificateDer<'static>, &'static str)>>;

fn app(members: Members) -> Router {
    Router::new().route("/", get(greet)).route("/club", get(enter)).with_state(members)
}

/// Anybody may come in here, with a certificate or without.
async fn greet(
    State(members): State<Members>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    tls: TlsConnectInfo,
    peer: Option<PeerCertificates>,
) -> String {
    let name = match &peer {
        None => "whoever you are",
        Some(peer) => name_of(peer, &members).unwrap_or("stranger"),
    };
    let verification = peer.map_or("no certificate".to_owned(), |peer| peer.verification().to_string());
    let version = tls.protocol_version();
    format!("Hello, {name}! You come from {}, over {version:?}, with {verification}.\n", address.ip())
}

/// Members only: without a certificate the answer is 401, by the extractor itself.
async fn enter(
    State(members): State<Members>,
    peer: PeerCertificates,
) -> Result<String, (StatusCode, &'static str)> {
    match name_of(&peer, &members) {
        Some(name) => Ok(format!("Come in, {name}.\n")),
        None => Err((StatusCode::FORBIDDEN, "Members only.\n")),
    }
}

/// The client has proven that it holds the key of `end_entity`. That the certificate *verified* matters all the same:
/// only then has it not expired, and not been revoked.
fn name_of(peer: &PeerCertificates, members: &Members) -> Option<&'static str> {
    let member = members.iter().find(|(certificate, _)| certificate == peer.end_entity());
    member.filter(|_| peer.is_verified()).map(|(_, name)| *name)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let demo_once = std::env::args().any(|argument| argument == "--demo-once");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pki = Pki::create(Ipv4Addr::LOCALHOST.into())?;

    // Ask each client for a certificate, take none for an answer, and judge what comes by this CA.
    let verifier = ClientAuthPolicy::RequestClientCert
        .verifier()
        .provider(Arc::clone(&provider))
        .roots([pki.ca.clone()])
        .build()?;
    let chain = vec![pki.server.certificate.clone()];
    let acceptor = ClientCertAcceptor::from_der(chain, pki.server.key.clone_key(), verifier, |_| {})?;

    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = tcp.local_addr()?;
    let members = Arc::new(vec![(pki.trusted.certificate.clone(), "Alice")]);
    let served = serve(TlsListener::new(tcp, acceptor), app(members)).with_graceful_shutdown(async move {
        let stopped = if demo_once { std::future::pending().await } else { tokio::signal::ctrl_c().await };
        stopped.expect("this system has signals");
    });

    if demo_once {
        tokio::spawn(served.into_future());
        return visit(provider, address, &pki).await;
    }
    let curl = format!("curl --cacert {}", pki.ca_file.display());
    let Identity { cert_file, key_file, .. } = &pki.trusted;
    println!("listening on https://{address}, throw-away PKI in {}\n", pki.folder().display());
    println!("{curl} --cert {} --key {} https://{address}/club", cert_file.display(), key_file.display());
    println!("{curl} https://{address}/");
    Ok(served.await?)
}

/// Visits the app as three kinds of clients, and checks how each is received.
async fn visit(provider: Arc<CryptoProvider>, address: SocketAddr, pki: &Pki) -> Result<(), Box<dyn Error>> {
    let greetings = [
        (Some(&pki.trusted), "/", 200, "Hello, Alice!"),
        (Some(&pki.untrusted), "/", 200, "Hello, stranger!"),
        (None, "/", 200, "Hello, whoever you are!"),
        (Some(&pki.trusted), "/club", 200, "Come in, Alice."),
        (Some(&pki.untrusted), "/club", 403, "Members only."),
        (None, "/club", 401, "a client certificate is needed here"),
    ];
    for (identity, path, status, greeting) in greetings {
        let client = Client::new(Arc::clone(&provider), &pki.server.certificate, identity)?;
        let reply = client.get(address, path, &[]).await?;
        println!("{path:<5} {} {}", reply.status, reply.body.trim_end());
        if reply.status != status || !reply.body.starts_with(greeting) {
            return Err(format!("expected {status} {greeting}").into());
        }
    }
    Ok(())
}
