//! A backend behind a proxy: answers every request with what it was told of the client's certificate, as JSON.
//!
//! ```sh
//! cargo run --example backend -- --listen 127.0.0.1:8080 --dialect skipper --trusted-proxy 127.0.0.1
//! curl -H 'X-Forwarded-Tls-Client-Cert: MAA=' http://127.0.0.1:8080/
//! ```
//!
//! `skipper` is for a backend behind Skipper. Behind `edge_proxy` as it comes, or behind anything with this crate's layer,
//! it is `tower-client-cert`: the same headers, of which the verdict is then believed.
//!
//! It speaks HTTP/1.1, and HTTP/2 with prior knowledge, both in plaintext. Port 0 is a free one; the address it listens
//! on is the first line it prints.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::response::{IntoResponse, Response};
use clap::Parser;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use ipnet::IpNet;
use serde_json::{Value, json};
use tower_client_cert::Fingerprint;
use tower_client_cert::dialect::AnyDialect;
use tower_client_cert::forwarded::{
    ForwardedClientCert, ForwardedClientCertError, ForwardedClientCertLayer, TrustedProxies,
};

#[derive(Parser)]
struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// How the proxy spells the certificate: tower-client-cert behind edge_proxy as it comes. A wrong name lists all.
    #[arg(long, value_name = "NAME", default_value_t)]
    dialect: AnyDialect,
    /// A proxy to believe: an address, or a range such as 10.0.0.0/8. May be given again. Nobody is believed unless
    /// named.
    #[arg(long, value_name = "CIDR", value_parser = range)]
    trusted_proxy: Vec<IpNet>,
}

fn range(text: &str) -> Result<IpNet, String> {
    text.parse::<IpAddr>()
        .map(IpNet::from)
        .or_else(|_| text.parse())
        .map_err(|_| "expected an IP address, or a range such as 10.0.0.0/8".to_owned())
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_writer(std::io::stderr).init();
    let args = Args::parse();
    let trusted = args.trusted_proxy.into_iter().fold(TrustedProxies::none(), TrustedProxies::ip_range);
    let app = Router::new().fallback(answer).layer(ForwardedClientCertLayer::new(args.dialect, trusted));
    let listener = tokio::net::TcpListener::bind(args.listen).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
}

async fn answer(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    client: Result<ForwardedClientCert<AnyDialect>, ForwardedClientCertError>,
    request: Request,
) -> Response {
    let (status, client) = match &client {
        Ok(client) => (StatusCode::OK, certificate(client)),
        Err(error) if error.is_anonymous() => (StatusCode::OK, json!({ "anonymous": error.to_string() })),
        Err(error) => (error.status(), json!({ "refused": error.to_string() })),
    };
    let headers: Vec<&str> = request.headers().keys().map(|name| name.as_str()).collect();
    let body = json!({
        "peer": peer.to_string(),
        "protocol": format!("{:?}", request.version()),
        "client": client,
        "headers": headers,
    });
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn certificate(client: &ForwardedClientCert<AnyDialect>) -> Value {
    let certificates: Vec<Value> = client
        .certificates()
        .iter()
        .map(|der| json!({ "sha256": Fingerprint::of(der).to_string(), "bytes": der.len() }))
        .collect();
    let details = client.details();
    json!({
        "certificates": certificates,
        "status": client.status().map(ToString::to_string),
        "verified_by_proxy": client.is_verified_by_proxy(),
        "details": {
            "sha256": details.hash.map(|hash| hash.to_string()),
            "subject": details.subject,
            "issuer": details.issuer,
            "serial_number": details.serial_number,
            "validity": details.validity,
            "uris": details.uris,
            "dns_names": details.dns_names,
            "by": details.by,
        },
    })
}
