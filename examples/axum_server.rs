//! The acceptor in `axum-server`, and that crate's own TLS, whose word is taken by an `AdoptConnectInfoLayer`.
//!
//! ```text
//! cargo run --example axum_server --features axum-server                  # prints a curl line, serves until Ctrl-C
//! cargo run --example axum_server --features axum-server -- --demo-once   # is its own client, and ends
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
use std::time::Duration;

use axum::{Router, routing::get};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use http::HeaderMap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use tower_client_cert::{AdoptConnectInfoLayer, ClientAuthPolicy, ClientCertAcceptor, ClientCertLayer};

use crate::client::Client;
use crate::pki::{Identity, Pki};

/// Says what a backend behind the layer would read. It is the same app under both servers.
fn app() -> Router {
    let show = |headers: HeaderMap| async move {
        let text = |name| headers.get(name).map_or("-", |value| value.to_str().unwrap_or("?"));
        let certificate = text("x-forwarded-tls-client-cert").len();
        format!("{} ({certificate} characters)\n", text("x-forwarded-tls-client-cert-verify"))
    };
    Router::new().route("/", get(show)).layer(ClientCertLayer::new())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let demo_once = std::env::args().any(|argument| argument == "--demo-once");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pki = Pki::create(Ipv4Addr::LOCALHOST.into())?;
    let verifier = ClientAuthPolicy::VerifyClientCertIfGiven
        .verifier()
        .provider(Arc::clone(&provider))
        .roots([pki.ca.clone()])
        .build()?;
    let mut config = verifier
        .server_config()?
        .with_single_cert(vec![pki.server.certificate.clone()], pki.server.key.clone_key())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];

    // That crate's own acceptor tells what was presented, and not what it is worth.
    let stock = RustlsConfig::from_config(Arc::new(config.clone()));
    let stock = axum_server::tls_rustls::RustlsAcceptor::new(stock);
    let acceptor = ClientCertAcceptor::new(config, verifier);

    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (ours, theirs) = (Handle::new(), Handle::new());
    let server = axum_server::bind(any_port).handle(ours.clone()).acceptor(acceptor);
    let server = tokio::spawn(server.serve(app().into_make_service()));
    let stock = axum_server::bind(any_port).handle(theirs.clone()).acceptor(stock);
    let stock =
        tokio::spawn(stock.serve(app().layer(AdoptConnectInfoLayer::axum_server()).into_make_service()));
    let address = ours.listening().await.ok_or("the server did not start")?;
    let stock_address = theirs.listening().await.ok_or("the other server did not start")?;

    if demo_once {
        let trusted = Some(&pki.trusted);
        visit(&provider, &pki, address, [(trusted, "SUCCESS ("), (None, "NONE (1 ")]).await?;
        visit(&provider, &pki, stock_address, [(trusted, "FAILED:not checked ("), (None, "NONE (1 ")])
            .await?;
    } else {
        let Identity { cert_file, key_file, .. } = &pki.trusted;
        println!(
            "curl --cacert {} --cert {} --key {} https://{address}/",
            pki.ca_file.display(),
            cert_file.display(),
            key_file.display()
        );
        tokio::signal::ctrl_c().await?;
    }
    // Requests under way may go on for so long, and no longer.
    for handle in [ours, theirs] {
        handle.graceful_shutdown(Some(Duration::from_secs(10)));
    }
    server.await??;
    stock.await??;
    Ok(())
}

async fn visit(
    provider: &Arc<CryptoProvider>,
    pki: &Pki,
    address: SocketAddr,
    visits: [(Option<&Identity>, &str); 2],
) -> Result<(), Box<dyn Error>> {
    for (identity, expected) in visits {
        let client = Client::new(Arc::clone(provider), &pki.server.certificate, identity)?;
        let reply = client.get(address, "/", &[]).await?;
        print!("{} {}", reply.status, reply.body);
        if !reply.body.starts_with(expected) {
            return Err(format!("expected {expected}").into());
        }
    }
    Ok(())
}
