//! Which client certificate stood behind a request, at the proxy and at the backend.
//!
//! A server that terminates TLS is the last to see the client's certificate. This crate asks the client for one,
//! captures it after the handshake and passes it to the service behind in a header, as Zalando Skipper's
//! `tlsPassClientCertificates()` does with `X-Forwarded-Tls-Client-Cert`; and it reads that header at the other end.
//!
//! ```text
//! TCP accept ─► TLS handshake ──► certificate captured ─► per-connection service ─► request ──► ClientCert ──► backend
//! TlsListener   ClientCertAcceptor  TlsConnectInfo          make_service              extension    strip, write
//!
//! ClientAuthPolicy + roots + CRLs + provider ─► ClientVerifier ─► rustls ServerConfig ─► ClientCertAcceptor
//! ```
//!
//! It makes four promises.
//!
//! 1. **It works or it says why.** A layer that can never have a certificate to forward, because nobody asks the
//!    client or nobody captures the answer, says so, with the line that is missing.
//! 2. **What the backend reads is true.** A header that some reader of client certificates might believe comes from the
//!    layer or not at all, in every spelling that a backend might fold to it; and whether the certificate was *verified*,
//!    and still is, travels with it.
//! 3. **It costs nothing measurable.** A header is encoded once per connection.
//! 4. **One crate, both ends.** The proxy writes and the backend reads the same [`dialect`] with the same code.
//!
//! # At the proxy
//!
//! Choose a [policy](ClientAuthPolicy), build its [verifier](ClientVerifier), [`serve()`] on a [`TlsListener`], and put
//! [`ClientCertLayer`] around what sends requests on:
//!
//! ```no_run
//! use axum::Router;
//! use tower::Layer;
//! use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor, ClientCertLayer, TlsListener, serve};
//!
//! # async fn proxy() {}
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! rustls::crypto::aws_lc_rs::default_provider().install_default().expect("the only one of the process");
//!
//! let verifier = ClientAuthPolicy::VerifyClientCertIfGiven.verifier().roots_from_file("client-ca.pem").build()?;
//! let acceptor = ClientCertAcceptor::from_files("server.pem", "server.key", verifier, |_| {})?;
//!
//! // Around the whole app: a router's own `layer` misses what is added to it later.
//! let app = ClientCertLayer::new().layer(Router::new().fallback(proxy));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8443").await?;
//! serve(TlsListener::new(listener, acceptor), app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Handlers of such an app can ask for [`PeerCertificates`], for `Option<PeerCertificates>` and for
//! [`TlsConnectInfo`]. Under [`axum::serve()`], [`make_service`] attaches them. Without axum, [`ClientCertAcceptor::accept`] takes any stream and returns the TLS stream and the
//! `TlsConnectInfo`, which is a [`Layer`](tower_layer::Layer): `info.layer(service)` is all there is to do.
//!
//! # At the backend
//!
//! A header is as true as the hop that wrote it. So name your proxies: [`ForwardedClientCertLayer`] reads the headers of
//! those, accepts exactly what their dialect writes, and removes the headers of everybody else unread. Here this crate's
//! layer stands in front, so the dialect is [`TowerClientCert`](dialect::TowerClientCert), and its verdict counts. Behind
//! Skipper or Traefik it is [`Skipper`](dialect::Skipper), which believes no verdict.
//!
//! ```no_run
//! use std::net::SocketAddr;
//!
//! use axum::{Router, routing::get};
//! use tower_client_cert::dialect::TowerClientCert;
//! use tower_client_cert::forwarded::{ForwardedClientCert, ForwardedClientCertLayer, TrustedProxies};
//!
//! async fn hello(client: ForwardedClientCert<TowerClientCert>) -> String {
//!     format!("{} certificates, {:?}", client.certificates().len(), client.status())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let proxies = TrustedProxies::none().ip_range("10.1.0.0/16".parse::<ipnet::IpNet>()?);
//! let app = Router::new()
//!     .route("/", get(hello))
//!     .layer(ForwardedClientCertLayer::new(TowerClientCert::new(), proxies));
//! let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
//! axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The module [`forwarded`] is the guide, [`dialect`] has the table of who writes and who reads what. With feature
//! `x509`, [`identity`] reads the names in a certificate, and [`authorize`] decides who comes in: with the same rule at
//! the proxy and at the backend.
//!
//! [`ForwardedClientCertLayer`]: forwarded::ForwardedClientCertLayer
//!
//! # Headers that nobody may send
//!
#![doc = include_str!("docs/stripped.md")]
//!
//! # Policies
//!
#![doc = include_str!("docs/policies.md")]
//!
//! # Differences from Go
//!
#![doc = include_str!("docs/go.md")]
//!
//! # Revocation
//!
#![doc = include_str!("docs/revocation.md")]
//!
//! # Trust over time
//!
//! A certificate is checked at one moment; connections and sessions live on. Sessions are resumed only where a full
//! handshake would end the same way, [`Reloader`] swaps certificates, CAs and CRLs without dropping a connection, and one
//! port can serve many policies. [`ClientCertAcceptor`] has the table of what happens when a certificate expires, is
//! revoked, or a CA rotates.
//!
#![doc = include_str!("docs/files.md")]
//!
#![doc = include_str!("docs/servers.md")]
//!
#![doc = include_str!("docs/observing.md")]
//!
//! # What it does not do
//!
//! - It does not protect a backend that can be reached around the proxy. Whoever reaches it writes the header.
//! - It does not tell *who* the client is beyond its certificate, and does not look into your CA's decisions.
//! - It does not look certificates up anywhere: no OCSP, no download of issuers or CRLs from addresses in a certificate.
//! - It does not choose a crypto provider. Give one to the verifier, or install one for the process.
//!
//! # Features
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `axum` | yes | extractors; with `tls`, [`TlsListener`] and [`make_service`] |
//! | `axum-server` | | the acceptor in `axum-server` 0.9, and [`AdoptConnectInfoLayer`] for that crate's own TLS |
//! | `http2` | | HTTP/2: [`from_files`](ClientCertAcceptor::from_files) and its like offer it by ALPN, and axum speaks it |
//! | `metrics` | | counters, through the `metrics` crate |
//! | `reload` | | [`Reloader`] |
//! | `serde` | | with `x509`, rules of [`authorize`] from a configuration file |
//! | `serve` | | [`serve()`]: a server with deadlines, and an end for connections whose trust is lost; with `axum`, `http2` and `tls` |
//! | `ticket-keys` | | [`SharedTicketer`]: sessions that every replica resumes |
//! | `tls` | yes | [`ClientVerifier`] and [`ClientCertAcceptor`], on rustls and tokio |
//! | `tonic` | | tonic 0.14 on a [`TlsListener`], and [`AdoptConnectInfoLayer`] for tonic's own TLS |
//! | `tracing` | yes | warnings, events and spans |
//! | `x509` | | [`identity`] and [`authorize`]; it brings no other crate |
//!
//! A backend that only reads headers does without all of them, and gets neither rustls nor tokio.
#![cfg_attr(docsrs, feature(doc_cfg))]
// What a client sends must never panic the server. Tests and examples may.
#![cfg_attr(
    not(test),
    warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)
)]

#[cfg(feature = "x509")]
pub mod authorize;
mod client_cert;
pub mod dialect;
pub mod forwarded;
mod future;
#[cfg(feature = "tls")]
mod host;
#[cfg(feature = "x509")]
pub mod identity;
mod peer;
mod policy;
mod server;
mod strip;
mod telemetry;
#[cfg(feature = "tls")]
mod tls;
mod x509;

/// What real peers made of it: a page of the documentation, and no code.
///
#[doc = include_str!("docs/peers.md")]
#[cfg(doc)]
pub mod peers {}

#[cfg(feature = "x509")]
pub use authorize::{RequireClientCert, RequireClientCertLayer, Rule};
pub use client_cert::{ClientCert, ClientCertLayer};
pub use future::ResponseFuture;
#[cfg(feature = "tls")]
pub use host::ServerNameError;
#[cfg(feature = "x509")]
pub use identity::ClientIdentity;
pub use peer::{PeerCertificates, TlsConnectInfo, TlsVersion, UnverifiedReason, Verification};
pub use policy::{ClientAuthPolicy, ParsePolicyError};
pub use server::{AdoptConnectInfo, AdoptConnectInfoLayer, WithTlsConnectInfo};
#[cfg(all(feature = "axum", feature = "tls"))]
pub use server::{Captured, MakeService, TlsListener, make_service};
#[cfg(all(feature = "axum", feature = "x509"))]
pub use server::{ClientIdentityRejection, Identified, IdentifiedRejection};
#[cfg(feature = "serve")]
pub use server::{DrainError, Serve, Transport, serve};
#[cfg(feature = "axum")]
pub use server::{MissingTlsConnectInfo, PeerCertificatesRejection};
#[cfg(feature = "tls")]
pub use server::{RefuseMisdirected, RefuseMisdirectedLayer};
pub use strip::StripTrailers;
#[cfg(feature = "tls")]
pub use tls::{
    AcceptError, ChainError, ClaimedCertificate, ClientCertAcceptor, ClientVerifier, ClientVerifierBuilder,
    Origin, PemFault, Refusal, RefusalReason, ServerCertError, ServerNames, TrustLost, VerifierError,
};
#[cfg(feature = "reload")]
pub use tls::{ReloadError, Reloader};
#[cfg(feature = "ticket-keys")]
pub use tls::{SharedTicketer, TicketKeyError};
pub use x509::{Fingerprint, ParseFingerprintError};

/// README's Rust is compiled with the doc tests.
#[cfg(all(doctest, feature = "axum", feature = "tls"))]
#[doc = include_str!("../README.md")]
struct Readme;
