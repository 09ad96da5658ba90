//! What `serve` must know of a listener's streams.

use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::peer::TlsConnectInfo;
use crate::server::axum::Captured;
use crate::tls::TrustLost;

/// A stream that [`serve`](crate::serve) can serve: one of a [`TlsListener`](crate::TlsListener), or a [`TcpStream`].
///
/// Implement it for the streams of a listener of your own. A wrapper around the socket, for HAProxy's PROXY protocol for
/// example, goes below the acceptor, and needs no implementation.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Returns what the handshake found out, which each request of the connection then carries. `None` if there was no
    /// handshake: requests then keep the headers that speak of client certificates, as the backend of a proxy needs.
    fn tls_connect_info(&self) -> Option<&TlsConnectInfo> {
        None
    }

    /// Waits until the client's certificate is no longer worth what it was: for ever, if that does not happen. See
    /// [`ClientCertAcceptor::trust_lost`](crate::ClientCertAcceptor::trust_lost).
    fn trust_lost(&self) -> Pin<Box<dyn Future<Output = TrustLost> + Send>> {
        Box::pin(std::future::pending())
    }
}

impl Transport for TcpStream {}

impl<IO> Transport for TlsStream<Captured<IO>>
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    fn tls_connect_info(&self) -> Option<&TlsConnectInfo> {
        self.get_ref().0.tls_connect_info()
    }

    fn trust_lost(&self) -> Pin<Box<dyn Future<Output = TrustLost> + Send>> {
        Box::pin(self.get_ref().0.trust_lost())
    }
}
