//! One handshake: from the first byte to a connection whose client is known, or to a client that is told why not.

use std::sync::Arc;
use std::time::Duration;

use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::accept_error::AcceptError;
use super::endpoint::{Endpoints, Source};
use super::standing::ConnectionStanding;
use super::{linger, plaintext};
use crate::peer::TlsConnectInfo;
use crate::tls::verifier::handshake;

/// A handshake that failed, with what is needed to close the connection.
pub(crate) struct Failed<IO> {
    pub(super) error: AcceptError,
    /// The stream, if the client may still be reading from it.
    io: Option<IO>,
    /// The bytes that the client has yet to be sent.
    last_words: Vec<u8>,
    pub(super) linger: Duration,
}

impl<IO> From<AcceptError> for Failed<IO> {
    fn from(error: AcceptError) -> Self {
        Self { error, io: None, last_words: Vec::new(), linger: Duration::ZERO }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Failed<IO> {
    fn listening(error: AcceptError, io: impl Into<Option<IO>>, last_words: impl Into<Vec<u8>>) -> Self {
        // rustls has sent an alert if the error is its own. After any other error the client is gone, or the stream is
        // broken.
        let io = match &error {
            AcceptError::Handshake(error)
                if error.get_ref().is_none_or(|inner| !inner.is::<rustls::Error>()) =>
            {
                None
            }
            _ => io.into(),
        };
        Self { io, last_words: last_words.into(), ..error.into() }
    }

    /// Sends what is left to send, waits a moment for the client to read it, and closes the connection.
    pub(crate) async fn part(self) -> AcceptError {
        if let Some(io) = self.io {
            linger::send_and_close(io, &self.last_words, self.linger).await;
        }
        self.error
    }
}

/// Reads the server name that the client asks for, and continues with the endpoint that is served under it.
///
/// rustls reads the `ClientHello`: a parser of our own that looked at one record could be misled by a client that sends
/// two.
pub(super) async fn shake_hands<IO>(
    endpoints: &Endpoints,
    source: Source,
    mut io: IO,
) -> Result<(TlsStream<IO>, TlsConnectInfo), Failed<IO>>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let first = plaintext::first_byte(&mut io).await?;
    if plaintext::may_be_http(first) {
        let (error, answer) = plaintext::refuse(&mut io).await;
        return Err(Failed::listening(error, io, answer));
    }
    let mut acceptor = Acceptor::default();
    // Reading from memory can't fail, and the buffer has room for one byte.
    let _ = acceptor.read_tls(&mut [first].as_slice());
    let mut hello = LazyConfigAcceptor::new(acceptor, io);
    let hello = match (&mut hello).await {
        Ok(hello) => hello,
        Err(error) => return Err(Failed::listening(AcceptError::Handshake(error), hello.take_io(), [])),
    };
    let name = hello.client_hello().server_name().map(str::to_owned);
    let Some(endpoint) = endpoints.choose(name.as_deref()) else {
        return Err(Failed::listening(AcceptError::UnknownServerName { name }, hello.io, UNRECOGNIZED_NAME));
    };
    let config = Arc::clone(&endpoint.config);
    // rustls consults the verifier as soon as it gets the configuration, so that happens within `observe`, too.
    let handshake = async { hello.into_stream(config).into_fallible().await };
    let (result, observed) = handshake::observe(endpoint.verifier.id(), handshake).await;
    let stream = match result {
        Ok(stream) => stream,
        Err((error, io)) => return Err(Failed::listening(endpoint.explain(error, observed, name), io, [])),
    };
    match endpoint.connect_info(stream.get_ref().1, observed) {
        Ok(info) => {
            let info = info.with_host_policy(endpoints.chosen_policy(endpoint));
            let info =
                match ConnectionStanding::new(source, Arc::clone(&endpoint.config.time_provider), &info) {
                    Some(standing) => info.with_standing(standing),
                    None => info,
                };
            Ok((stream, info))
        }
        Err(error) => {
            endpoint.report_own_fault(&error);
            let (io, mut connection) = stream.into_inner();
            connection.send_close_notify();
            let mut farewell = Vec::new();
            while connection.wants_write() && connection.write_tls(&mut farewell).is_ok() {}
            Err(Failed::listening(error, io, farewell))
        }
    }
}

/// The record of a fatal alert `unrecognized_name` (RFC 8446 section 6, RFC 6066 section 3).
const UNRECOGNIZED_NAME: &[u8] = &[21, 3, 3, 0, 2, 2, 112];
