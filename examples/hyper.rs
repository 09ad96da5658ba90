//! A server on hyper alone: the acceptor, one layer per connection, and a graceful shutdown.
//!
//! ```text
//! cargo run --example hyper                  # prints curl lines, serves until Ctrl-C
//! cargo run --example hyper -- --demo-once   # is its own client, and ends
//! ```

#[path = "edge_proxy/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "edge_proxy/pki.rs"]
#[allow(dead_code)]
mod pki;

use std::convert::Infallible;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use rustls::AlertDescription;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer as _, service_fn};
use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor, TlsConnectInfo};

use crate::client::{Client, alert};
use crate::pki::{Identity, Pki};

/// The application.
async fn answer(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let info = request.extensions().get::<TlsConnectInfo>().expect("`serve` puts it on every request");
    let peer = info.peer_certificates().expect("the policy requires one");
    let text = format!("{} bytes of certificate: {}\n", peer.end_entity().len(), peer.verification());
    Ok(Response::new(text))
}

/// One connection, from the handshake to its end.
async fn serve(tcp: TcpStream, address: SocketAddr, acceptor: ClientCertAcceptor, shutdown: Watcher) {
    let (stream, info) = match acceptor.accept(tcp).await {
        Ok(accepted) => accepted,
        Err(error) => return eprintln!("{address}: {error}"),
    };
    // ALPN has settled the version, so that hyper does not have to wait and guess.
    let http2 = info.alpn_protocol() == Some(b"h2");
    let service = TowerToHyperService::new(info.layer(service_fn(answer)));

    let mut http = auto::Builder::new(TokioExecutor::new());
    http = if http2 { http.http2_only() } else { http.http1_only() };
    http.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(30));
    http.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(20));
    let connection = http.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = shutdown.watch(connection).await {
        eprintln!("{address}: {error}");
    }
}

/// Accepts until it is told to stop, then lets requests under way go on for ten seconds.
///
/// Each handshake has a task of its own, so that no client waits for another's. The acceptor ends those that take too
/// long; how many there may be at a time is for the server to decide, as `TlsListener` does.
async fn listen(tcp: TcpListener, acceptor: ClientCertAcceptor, stop: impl Future) {
    let shutdown = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            accepted = tcp.accept() => match accepted {
                Ok((tcp, address)) => {
                    tokio::spawn(serve(tcp, address, acceptor.clone(), shutdown.watcher()));
                }
                Err(error) => {
                    // Out of file descriptors, most likely, and some will come free.
                    eprintln!("cannot accept: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            _ = &mut stop => break,
        }
    }
    drop(tcp);
    if tokio::time::timeout(Duration::from_secs(10), shutdown.shutdown()).await.is_err() {
        eprintln!("cut the requests that had not ended in time");
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pki = Pki::create(Ipv4Addr::LOCALHOST.into())?;
    let verifier = ClientAuthPolicy::RequireAndVerifyClientCert
        .verifier()
        .provider(Arc::clone(&provider))
        .roots_from_file(&pki.ca_file)
        .build()?;
    let chain = vec![pki.server.certificate.clone()];
    let acceptor = ClientCertAcceptor::from_der(chain, pki.server.key.clone_key(), verifier, |_| {})?
        .handshake_timeout(Duration::from_secs(5));

    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = tcp.local_addr()?;
    if std::env::args().any(|argument| argument == "--demo-once") {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(listen(tcp, acceptor, stopped));
        visit(provider, address, &pki).await?;
        drop(stop);
        return Ok(server.await?);
    }
    let curl = format!("curl --cacert {}", pki.ca_file.display());
    let Identity { cert_file, key_file, .. } = &pki.trusted;
    println!("listening on https://{address}, throw-away PKI in {}\n", pki.folder().display());
    println!("{curl} --cert {} --key {} https://{address}/", cert_file.display(), key_file.display());
    println!("{curl} https://{address}/   # is refused");
    listen(tcp, acceptor, tokio::signal::ctrl_c()).await;
    Ok(())
}

/// Visits the server as three kinds of clients, of which two must be refused, and each for its reason.
async fn visit(provider: Arc<CryptoProvider>, address: SocketAddr, pki: &Pki) -> Result<(), Box<dyn Error>> {
    let client = |identity| Client::new(Arc::clone(&provider), &pki.server.certificate, identity);

    let reply = client(Some(&pki.trusted))?.get(address, "/", &[]).await?;
    println!("trusted: {} {}", reply.status, reply.body.trim_end());
    if reply.status != 200 || !reply.body.ends_with("SUCCESS\n") {
        return Err("the trusted client should have been let in".into());
    }
    let refused = [
        ("none", None, AlertDescription::CertificateRequired),
        ("untrusted", Some(&pki.untrusted), AlertDescription::UnknownCA),
    ];
    for (name, identity, reason) in refused {
        let error = match client(identity)?.get(address, "/", &[]).await {
            Ok(reply) => return Err(format!("{name}: let in, with {}", reply.status).into()),
            Err(error) => error,
        };
        println!("{name}: {error}");
        if alert(&error) != Some(reason) {
            return Err(format!("{name}: expected {reason:?}").into());
        }
    }
    Ok(())
}
