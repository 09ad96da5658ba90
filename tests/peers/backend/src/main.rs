//! Our reader behind somebody else's proxy: answers with whom it takes the client for, as JSON.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Json, Router};
use clap::Parser;
use serde_json::{Value, json};
use tower_client_cert::dialect::{AnyDialect, Dialect};
use tower_client_cert::forwarded::{
    ForwardedClientCert, ForwardedClientCertError, ForwardedClientCertLayer, TrustedProxies,
};
use tower_client_cert::{ClientAuthPolicy, ClientVerifier, Fingerprint};

type Failure = Box<dyn std::error::Error>;

#[derive(Parser)]
struct Args {
    /// A dialect by name, with its options: `envoy;hops=2`.
    #[arg(long)]
    dialect: AnyDialect,
    /// The CA by which the certificates are verified once more.
    #[arg(long)]
    client_ca: PathBuf,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let verifier = ClientAuthPolicy::RequestClientCert
        .verifier()
        .roots_from_file(&args.client_ca)
        .provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()?;
    serve(args.dialect, verifier).await
}

async fn serve<D: Dialect + Send + Sync + 'static>(
    dialect: D,
    verifier: Arc<ClientVerifier>,
) -> Result<(), Failure> {
    let trusted = TrustedProxies::none().ip_range(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
    let app = Router::new()
        .fallback(answer::<D>)
        .with_state(verifier)
        .layer(ForwardedClientCertLayer::new(dialect, trusted));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

async fn answer<D: 'static>(
    State(verifier): State<Arc<ClientVerifier>>,
    client: Result<ForwardedClientCert<D>, ForwardedClientCertError>,
) -> impl IntoResponse {
    match client {
        Ok(client) => (axum::http::StatusCode::OK, Json(told(&client, &verifier))),
        Err(error) if error.is_anonymous() => {
            (axum::http::StatusCode::OK, Json(json!({ "anonymous": error.to_string() })))
        }
        Err(error) => (error.status(), Json(json!({ "refused": error.to_string() }))),
    }
}

fn told<D>(client: &ForwardedClientCert<D>, verifier: &ClientVerifier) -> Value {
    let chain: Vec<_> = client.certificates().iter().map(|der| Fingerprint::of(der).to_string()).collect();
    let again = match client.verify_again(verifier, rustls_pki_types::UnixTime::now()) {
        Ok(Some(verification)) => verification.to_string(),
        Ok(None) => String::new(),
        Err(error) => error.to_string(),
    };
    let details = client.details();
    json!({
        "chain": chain,
        "hash": details.hash.map(|hash| Fingerprint::from(hash).to_string()),
        "status": client.status().map(ToString::to_string),
        "verified": client.is_verified_by_proxy(),
        "again": again,
        "subject": details.subject,
        "issuer": details.issuer,
        "uris": details.uris,
        "dns_names": details.dns_names,
        "by": details.by,
    })
}
