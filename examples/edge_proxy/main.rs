//! A TLS-terminating reverse proxy that tells its backend which client certificate stood behind each request.
//!
//! ```text
//! cargo run --release --example edge_proxy
//! ```
//!
//! makes a throw-away PKI, shows what a backend receives from three kinds of clients, prints `curl` lines to try, and
//! serves until Ctrl-C. In front of a service:
//!
//! ```text
//! edge_proxy --listen 0.0.0.0:443 --backend 127.0.0.1:8080 --cert server.pem --key server.key \
//!            --client-auth VerifyClientCertIfGiven --client-ca ca.pem
//! ```
//!
//! A file for each step: `args` and `forwarding` (its part for the layer), `tls` (files to acceptor), `headers` and `proxy`
//! (requests), `upgrade` (WebSockets); and for the demonstration `pki`, `echo`, `client` and `demo`. Connections are the
//! library's: `serve`.

mod args;
mod client;
mod demo;
mod echo;
mod forwarding;
mod headers;
mod pki;
mod proxy;
mod tls;
mod upgrade;

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use axum::serve::ListenerExt as _;
use clap::{CommandFactory as _, Parser as _};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower::Layer as _;
use tower_client_cert::{TlsListener, serve};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::args::{Args, BackendAddress};
use crate::demo::Demonstration;
use crate::pki::{Pki, PkiError};
use crate::proxy::{Backend, proxy};
use crate::tls::TlsError;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8443);

/// Why the proxy does not run.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Pki(#[from] PkiError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("cannot listen on {address}: {source}; --listen IP:PORT takes another address")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot start the echo backend: {0}")]
    Echo(#[source] io::Error),
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] io::Error),
    #[error("cannot run the demonstration: {0}")]
    Demonstration(#[source] rustls::Error),
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(problem) = args.check() {
        Args::command().error(clap::error::ErrorKind::ArgumentConflict, problem).exit();
    }
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter: Targets = filter.parse().unwrap_or_else(|error| {
        eprintln!(
            "edge_proxy: RUST_LOG is {filter:?}, which is not understood ({error}): logging at level info"
        );
        Targets::new().with_default(LevelFilter::INFO)
    });
    let layer =
        tracing_subscriber::fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    tracing_subscriber::registry().with(filter).with(layer).init();
    match run(args).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("edge_proxy: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(args: Args) -> Result<ExitCode, StartError> {
    // From here on a signal drains, however early it comes.
    let mut signals = Signals::new().map_err(StartError::Signals)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server_ip = args.listen.unwrap_or(DEFAULT_LISTEN).ip();

    let pki = match &args.cert {
        Some(_) if !args.demonstrates() => None,
        _ => Some(Pki::create(server_ip)?),
    };
    // The certificate of the command line goes before the throw-away one.
    let (cert, key) = match (&args.cert, &args.key, &pki) {
        (Some(cert), Some(key), _) => (cert, key),
        (_, _, Some(pki)) => (&pki.server.cert_file, &pki.server.key_file),
        _ => unreachable!("without --cert there is a throw-away PKI, and --cert has --key beside it"),
    };
    let acceptor = match args.reload {
        Some(interval) => {
            let reloader = tls::reloader(Arc::clone(&provider), args.clone(), cert.clone(), key.clone())?;
            let acceptor = reloader.acceptor();
            tokio::spawn(reloader.watch(interval));
            acceptor
        }
        None => tls::acceptor(Arc::clone(&provider), &args, pki.as_ref(), cert, key)?,
    };
    let server_certificate = acceptor.server_cert().expect("it was read from a file");
    if !args.client_auth.requests() {
        tracing::warn!(
            "--client-auth {} never asks for a certificate, so there is none to tell the backend of",
            args.client_auth
        );
    }

    let backend = match &args.backend {
        Some(backend) if !args.demonstrates() => backend.clone(),
        _ => BackendAddress::from(echo::start().await.map_err(StartError::Echo)?),
    };
    let (tcp, address) = listen(&args).await?;
    if let Some(pki) = &pki {
        say(format_args!("throw-away PKI in {}, removed at the end", pki.folder().display()));
    }
    if args.demonstrates() {
        say(format_args!("echo backend on http://{backend}"));
    }
    say(format_args!("listening on https://{address}"));

    tracing::info!(%address, %backend, policy = %args.client_auth, "serving");
    let proxy = proxy(Backend::new(backend, args.backend_timeout), &args.dialect, &args.forwarding);
    let tcp = tcp.tap_io(|tcp| {
        // Without it the server still works.
        let _ = tcp.set_nodelay(true);
    });
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve(TlsListener::new(tcp, acceptor), args.pass_headers().layer(proxy))
        .header_timeout(args.header_timeout)
        .drain_timeout(args.drain_timeout)
        .with_graceful_shutdown(async {
            let _ = stopped.await;
        });
    let server = tokio::spawn(server.into_future());

    if let Some(pki) = pki.as_ref().filter(|_| args.demonstrates()) {
        let demonstration = Demonstration {
            provider,
            address: reachable(address),
            server: server_certificate,
            policy: args.client_auth,
            dialects: &args.dialect,
            forwarding: &args.forwarding,
            max_certificate_size: args.max_certificate_size.map(NonZeroUsize::get),
            pki,
        };
        let table = demonstration.run().await.map_err(StartError::Demonstration)?;
        say(format_args!(
            "\nWhat the backend received, although each client forged these headers too:\n\n{table}"
        ));
        if args.demo_once {
            return Ok(if table.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
    if let Some(pki) = &pki {
        say(format_args!("Try it:\n\n{}", demo::curl_lines(pki, reachable(address))));
    }
    signals.next().await;
    tracing::info!(timeout = ?args.drain_timeout, "draining");
    drop(stop);
    tokio::select! {
        drained = server => match drained.expect("it does not panic") {
            Ok(()) => tracing::info!("every request has ended"),
            Err(error) => tracing::warn!("{error}"),
        },
        () = signals.next() => tracing::warn!("cut the requests that had not ended yet"),
    }
    Ok(ExitCode::SUCCESS)
}

async fn listen(args: &Args) -> Result<(TcpListener, SocketAddr), StartError> {
    let address = args.listen.unwrap_or(DEFAULT_LISTEN);
    let mut result = TcpListener::bind(address).await;
    let taken = matches!(&result, Err(error) if error.kind() == io::ErrorKind::AddrInUse);
    if taken && args.listen.is_none() && args.demonstrates() {
        say(format_args!(
            "port {} is taken, so here is another; --listen IP:PORT chooses one",
            address.port()
        ));
        result = TcpListener::bind(SocketAddr::new(address.ip(), 0)).await;
    }
    result
        .and_then(|listener| listener.local_addr().map(|address| (listener, address)))
        .map_err(|source| StartError::Listen { address, source })
}

/// An address that a client on this machine can connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Prints a line at once. If nobody reads it, the proxy still serves.
fn say(line: fmt::Arguments<'_>) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// What asks the proxy to end: Ctrl-C, and SIGTERM where there is one.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    async fn next(&mut self) {
        // An error means that there are no signals here.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
