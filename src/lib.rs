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
//! 2. **What the backend reads is true.** A header of that name comes from the layer or not at all, in every spelling
//!    that a backend might fold to it; and whether the certificate was *verified* travels with it.
//! 3. **It costs nothing measurable.** A header is encoded once per connection.
//! 4. **One crate, both ends.** The proxy writes and the backend reads the same [`dialect`] with the same code.
//!
//! # At the proxy
//!
//! Choose a [policy](ClientAuthPolicy), build its [verifier](ClientVerifier), serve with a [`TlsListener`] and
//! [`make_service`], and put [`ClientCertLayer`] around what sends requests on:
//!
//! ```no_run
//! use axum::Router;
//! use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
//! use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor, ClientCertLayer, TlsListener, make_service};
//!
//! # async fn proxy() {}
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! rustls::crypto::ring::default_provider().install_default().expect("the only one of the process");
//!
//! let chain = CertificateDer::pem_file_iter("server.pem")?.collect::<Result<_, _>>()?;
//! let key = PrivateKeyDer::from_pem_file("server.key")?;
//! let verifier = ClientAuthPolicy::VerifyClientCertIfGiven.verifier().roots_from_file("client-ca.pem").build()?;
//! let mut config = verifier.server_config()?.with_single_cert(chain, key)?;
//! config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
//! let acceptor = ClientCertAcceptor::new(config, verifier);
//!
//! let app = Router::new().fallback(proxy).layer(ClientCertLayer::new());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8443").await?;
//! axum::serve(TlsListener::new(listener, acceptor), make_service(app)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Handlers of such an app can ask for [`PeerCertificates`], for `Option<PeerCertificates>` and for
//! [`TlsConnectInfo`]. Without axum, [`ClientCertAcceptor::accept`] takes any stream and returns the TLS stream and the
//! `TlsConnectInfo`, which is a [`Layer`](tower_layer::Layer): `info.layer(service)` is all there is to do.
//!
//! # At the backend
//!
//! A header is as true as the hop that wrote it. The backend reads it with the same dialect, and accepts exactly what
//! that writes:
//!
//! ```
//! use http::HeaderMap;
//! use tower_client_cert::dialect::{Dialect, Skipper, VerifyStatus};
//!
//! let mut headers = HeaderMap::new();
//! assert_eq!(Skipper::new().decode(&headers)?, None);
//!
//! headers.insert("x-forwarded-tls-client-cert", "MAA=".parse().unwrap());
//! headers.insert("x-forwarded-tls-client-cert-verify", "SUCCESS".parse().unwrap());
//! let forwarded = Skipper::new().decode(&headers)?.expect("a certificate");
//! assert_eq!(forwarded.status, Some(VerifyStatus::Success));
//!
//! headers.insert("x-forwarded-tls-client-cert", "MAA=,MA".parse().unwrap());
//! let error = Skipper::new().decode(&headers).unwrap_err();
//! assert_eq!((error.header().as_str(), error.offset()), ("x-forwarded-tls-client-cert", 5));
//! # Ok::<(), tower_client_cert::dialect::DecodeError>(())
//! ```
//!
//! # Policies
//!
#![doc = include_str!("docs/policies.md")]
//!
//! # Differences from Go
//!
#![doc = include_str!("docs/go.md")]
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
//! | `tls` | yes | [`ClientVerifier`] and [`ClientCertAcceptor`], on rustls and tokio |
//! | `tracing` | yes | warnings and events |
//!
//! A backend that only reads headers does without all three, and gets neither rustls nor tokio.
#![cfg_attr(docsrs, feature(doc_cfg))]
// What a client sends must never panic the server. Tests and examples may.
#![cfg_attr(
    not(test),
    warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)
)]

#[cfg(feature = "axum-server")]
mod accept;
#[cfg(feature = "x509")]
pub mod authorize;
mod client_cert;
#[cfg(feature = "tonic")]
mod connected;
pub mod dialect;
#[cfg(feature = "axum")]
mod extract;
pub mod forwarded;
#[cfg(feature = "tls")]
mod host;
#[cfg(feature = "x509")]
pub mod identity;
#[cfg(feature = "tls")]
mod misdirected;
#[cfg(feature = "x509")]
mod name;
mod peer;
mod policy;
#[cfg(all(feature = "axum", feature = "tls"))]
mod serve;
mod span;
mod strip;
mod telemetry;
#[cfg(feature = "tls")]
mod tls;

#[cfg(feature = "x509")]
pub use authorize::{RequireClientCert, RequireClientCertLayer, Rule};
pub use client_cert::{ClientCert, ClientCertLayer};
#[cfg(feature = "axum")]
pub use extract::{MissingTlsConnectInfo, PeerCertificatesRejection};
#[cfg(feature = "tls")]
pub use host::ServerNameError;
#[cfg(feature = "x509")]
pub use identity::ClientIdentity;
#[cfg(feature = "tls")]
pub use misdirected::{RefuseMisdirected, RefuseMisdirectedFuture, RefuseMisdirectedLayer};
pub use peer::{
    PeerCertificates, TlsConnectInfo, TlsVersion, UnverifiedReason, Verification, WithTlsConnectInfo,
};
pub use policy::{ClientAuthPolicy, ParsePolicyError};
#[cfg(all(feature = "axum", feature = "tls"))]
pub use serve::{Captured, MakeService, TlsListener, make_service};
pub use span::ResponseFuture;
pub use strip::StripTrailers;
#[cfg(feature = "tls")]
pub use tls::{
    AcceptError, ChainError, ClientCertAcceptor, ClientVerifier, ClientVerifierBuilder, ServerCertError,
    ServerNames, TrustLost, VerifierError,
};
#[cfg(feature = "reload")]
pub use tls::{ReloadError, Reloader};
#[cfg(feature = "ticket-keys")]
pub use tls::{SharedTicketer, TicketKeyError};

/// README's Rust is compiled with the doc tests.
#[cfg(all(doctest, feature = "axum", feature = "tls"))]
#[doc = include_str!("../README.md")]
struct Readme;
