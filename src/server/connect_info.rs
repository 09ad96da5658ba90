//! The service through which the requests of a connection enter, on any server: `make_service`, axum-server and hyper
//! by hand all use it.

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

/// Attaches a connection's [`TlsConnectInfo`] to its requests. Made by [`TlsConnectInfo`], which is a [`Layer`] and has
/// an example.
///
/// It does the following for each request:
///
/// 1. It removes every header that some reader of client certificates might believe, in any spelling ([the
///    table](crate#headers-that-nobody-may-send)). A route that a layer misses, such as a `fallback` that was added
///    after it, then sees no forged header. [`ForwardedClientCertLayer`](crate::forwarded::ForwardedClientCertLayer)
///    and [`Dialect::keep`](crate::dialect::Dialect::keep) still see the headers that came in.
/// 2. It checks whether the connection's certificate is still worth what it was. If the certificate has expired, or a
///    reload has revoked it or removed its CA, the request carries a `TlsConnectInfo` that says so. If a handshake
///    would now be refused, so is the request, with `421 Misdirected Request`, after which a client tries again over a
///    new connection. An HTTP/1.1 connection is closed.
/// 3. It refuses a request for a host with another policy than the connection's, as
///    [`RefuseMisdirectedLayer`](crate::RefuseMisdirectedLayer) does.
/// 4. It puts the [`TlsConnectInfo`] into the request's extensions.
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
        let Some(info) = self.info.current() else {
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
