//! WebSockets: once both sides have switched, bytes go back and forth unread.

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;

use crate::headers::upgrades_to_websocket;
use crate::server::Client;

/// Closes a connection on which an upgrade was refused. hyper leaves this to whoever has `asked`: it hands the
/// connection over, as if it had been granted, when the last answer is sent.
pub(crate) fn close_if_refused(asked: OnUpgrade, client: Client) {
    tokio::spawn(async move {
        if let Ok(connection) = asked.await {
            // The client may have closed it already.
            let _ = TokioIo::new(connection).shutdown().await;
        }
        drop(client);
    });
}

/// A client's wish to speak WebSocket.
pub(crate) struct Upgrade {
    client: Client,
    client_side: OnUpgrade,
}

impl Upgrade {
    /// The wish, if the request has one that went past [`headers`](crate::headers).
    pub(crate) fn requested(request: &mut Request<Body>) -> Option<Self> {
        if !upgrades_to_websocket(request.headers()) {
            return None;
        }
        let client = request.extensions().get::<Client>()?.clone();
        Some(Self { client, client_side: hyper::upgrade::on(request) })
    }

    /// Grants it, if the backend has. Nothing of what the client sends after its request reaches the backend before.
    pub(crate) fn accept(self, mut response: Response<Incoming>) -> Option<Response<Incoming>> {
        if !upgrades_to_websocket(response.headers()) {
            return None;
        }
        let backend_side = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            // `client` lives as long as the tunnel, which a shutdown waits for.
            let Self { client, client_side } = self;
            match tokio::try_join!(client_side, backend_side) {
                Ok((near, far)) => {
                    let ended =
                        tokio::io::copy_bidirectional(&mut TokioIo::new(near), &mut TokioIo::new(far)).await;
                    tracing::debug!(client = %client.address, ?ended, "WebSocket closed");
                }
                Err(error) => tracing::debug!(client = %client.address, %error, "no WebSocket"),
            }
        });
        Some(response)
    }
}
