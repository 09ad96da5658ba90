//! `axum-server`: implements its trait [`Accept`] for the acceptor.

use std::any::Any;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use axum_server::accept::Accept;
use axum_server::tls::TlsInfo;
use http::Extensions;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tower_layer::Layer as _;

use super::adopt::AdoptConnectInfoLayer;
use super::connect_info::WithTlsConnectInfo;
use crate::peer::{PeerCertificates, TlsConnectInfo};
use crate::tls::{AcceptError, ClientCertAcceptor};

/// Pass the acceptor to `axum_server::Server::acceptor`, and every request carries a
/// [`TlsConnectInfo`](crate::TlsConnectInfo).
///
/// axum-server's own acceptor captures certificates too. With this one, they come with a verdict, the verifier also
/// judges resumed sessions, headers are encoded once per connection, and requests for a host with another policy are
/// refused with 421.
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use tower_client_cert::{ClientCertAcceptor, ClientCertLayer, PeerCertificates};
///
/// # async fn serve(acceptor: ClientCertAcceptor) -> std::io::Result<()> {
/// let app = Router::new()
///     .route("/", get(|peer: Option<PeerCertificates>| async move { format!("{peer:?}") }))
///     .layer(ClientCertLayer::new());
/// let address: std::net::SocketAddr = ([127, 0, 0, 1], 8443).into();
/// axum_server::bind(address).acceptor(acceptor).serve(app.into_make_service()).await
/// # }
/// ```
impl<IO, S> Accept<IO, S> for ClientCertAcceptor
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Send + 'static,
{
    type Stream = TlsStream<IO>;
    type Service = WithTlsConnectInfo<S>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: IO, service: S) -> Self::Future {
        let acceptor = self.clone();
        Box::pin(async move {
            let peer = (&stream as &dyn Any).downcast_ref().and_then(|tcp: &TcpStream| tcp.peer_addr().ok());
            let (stream, info) = match peer {
                Some(peer) => acceptor.accept_from(stream, peer).await?,
                // The inherent method `accept`, and not this one.
                None => Self::accept(&acceptor, stream).await?,
            };
            Ok((stream, info.layer(service)))
        })
    }
}

impl From<AcceptError> for io::Error {
    /// Returns the error itself if it is an `io::Error`. Any other error can be recovered by downcasting.
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Handshake(error) => error,
            AcceptError::Timeout { .. } => Self::new(io::ErrorKind::TimedOut, error),
            error => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

/// The function that reads axum-server's `TlsInfo`.
type FromAxumServer = fn(&Extensions) -> Option<TlsConnectInfo>;

impl AdoptConnectInfoLayer<FromAxumServer> {
    /// Makes a layer that reads the `TlsInfo` that axum-server's own `RustlsAcceptor` captures.
    pub const fn axum_server() -> Self {
        Self::new(from_tls_info)
    }
}

fn from_tls_info(extensions: &Extensions) -> Option<TlsConnectInfo> {
    let info = extensions.get::<Arc<TlsInfo>>()?;
    let presented = info.peer_certificates.iter().cloned().map(Into::into).collect();
    let mut ours = TlsConnectInfo::new(PeerCertificates::unverified(presented));
    if let Some(name) = &info.server_name {
        ours = ours.with_server_name(name);
    }
    if let Some(protocol) = &info.alpn_protocol {
        ours = ours.with_alpn_protocol(protocol.clone());
    }
    Some(ours)
}
