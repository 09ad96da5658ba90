//! WebSockets: once both sides have switched, bytes go back and forth unread, until one side ends, or `serve` ends the
//! client's.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use crate::headers::upgrades_to_websocket;

/// How long the end of a tunnel may take to reach both sides.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Closes a connection on which an upgrade was refused. hyper leaves this to whoever has `asked`: it hands the
/// connection over, as if it had been granted, when the last answer is sent.
pub(crate) fn close_if_refused(asked: OnUpgrade) {
    tokio::spawn(async move {
        if let Ok(connection) = asked.await {
            // The client may have closed it already.
            let _ = TokioIo::new(connection).shutdown().await;
        }
    });
}

/// A client's wish to speak WebSocket.
pub(crate) struct Upgrade {
    client: SocketAddr,
    client_side: OnUpgrade,
}

impl Upgrade {
    /// The wish, if the request has one that went past [`headers`](crate::headers).
    pub(crate) fn requested(request: &mut Request<Body>) -> Option<Self> {
        if !upgrades_to_websocket(request.headers()) {
            return None;
        }
        let ConnectInfo(client) = *request.extensions().get()?;
        Some(Self { client, client_side: hyper::upgrade::on(request) })
    }

    /// Grants it, if the backend has. Nothing of what the client sends after its request reaches the backend before.
    pub(crate) fn accept(self, mut response: Response<Incoming>) -> Option<Response<Incoming>> {
        if !upgrades_to_websocket(response.headers()) {
            return None;
        }
        let backend_side = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            let Self { client, client_side } = self;
            match tokio::try_join!(client_side, backend_side) {
                Ok((near, far)) => tunnel(client, TokioIo::new(near), TokioIo::new(far)).await,
                Err(error) => tracing::debug!(peer = %client, %error, "no WebSocket"),
            }
        });
        Some(response)
    }
}

/// Passes bytes on, until one side ends. An error may mean that the client's certificate is no longer worth what it was.
///
/// Then both sides are closed. There is no frame that says why: it could end up inside another one.
async fn tunnel(
    client: SocketAddr,
    mut near: impl AsyncRead + AsyncWrite + Unpin,
    mut far: impl AsyncRead + AsyncWrite + Unpin,
) {
    let ended = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    tracing::debug!(peer = %client, ?ended, "WebSocket closed");
    let close = async { tokio::join!(near.shutdown(), far.shutdown()) };
    // Whoever does not hear of it finds the connection closed.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, close).await;
}
