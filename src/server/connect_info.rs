//! The door through which requests come in from a connection, whatever the server: `make_service`, axum-server and
//! hyper by hand share it.

use std::task::{Context, Poll};

use http::{Request, Response, StatusCode, Version};
use tower_layer::Layer;
use tower_service::Service;

#[cfg(feature = "tls")]
use super::misdirected;
use crate::future::{Rejection, ResponseFuture};
use crate::peer::TlsConnectInfo;
use crate::strip;

impl<S> Layer<S> for TlsConnectInfo {
    type Service = WithTlsConnectInfo<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithTlsConnectInfo { inner, info: self.clone() }
    }
}

/// Lets the requests of one connection in. Made by [`TlsConnectInfo`]'s [`Layer`].
///
/// For each request:
///
/// 1. Every header that some reader of client certificates might believe is taken off it, in any spelling
///    ([the table](crate#headers-that-nobody-may-send)), so that a route which a layer misses, such as a `fallback`
///    that was added after it, sees no forged one. [`ForwardedClientCertLayer`](crate::forwarded::ForwardedClientCertLayer)
///    and [`Dialect::keep`](crate::dialect::Dialect::keep) still see what came in.
/// 2. If the connection's certificate is no longer worth what it was, because it has expired or a reload has revoked it
///    or removed its CA, the request carries a `TlsConnectInfo` that says so. If a handshake would now be refused, the
///    request is refused: `421 Misdirected Request`, on which a client tries again over a new connection, and an
///    HTTP/1.1 connection is closed.
/// 3. A request for a host with another policy than that of the connection is refused: see
///    [`RefuseMisdirectedLayer`](crate::RefuseMisdirectedLayer), whose work this does.
/// 4. The [`TlsConnectInfo`] is put into its extensions.
#[derive(Clone, Debug)]
pub struct WithTlsConnectInfo<S> {
    inner: S,
    info: TlsConnectInfo,
}

impl<S, B, R> Service<Request<B>> for WithTlsConnectInfo<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let span = self.info.span();
        let _entered = span.enter();
        if !TlsConnectInfo::is_screened(&request) {
            strip::screen(&mut request);
        }
        let Some(info) = self.info.by_now() else {
            let close = request.version() <= Version::HTTP_11;
            return ResponseFuture::refused(Rejection { status: StatusCode::MISDIRECTED_REQUEST, close });
        };
        #[cfg(feature = "tls")]
        if let Err(refusal) = misdirected::check(&request, info.host_policy()) {
            return ResponseFuture::refused(refusal);
        }
        info.insert_screened(&mut request);
        ResponseFuture::inner(self.inner.call(request), span.clone())
    }
}
