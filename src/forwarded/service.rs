use std::fmt;
use std::net::IpAddr;
use std::task::{Context, Poll};

use http::{Extensions, Request};
use tower_service::Service;

use super::Outcome;
use super::layer::ForwardedClientCertLayer;
use super::trust::Hop;
use crate::dialect::{Dialect, Skipper};
use crate::peer::TlsConnectInfo;
use crate::strip::StripTrailers;

/// The service of [`ForwardedClientCertLayer`](super::ForwardedClientCertLayer).
///
/// Its future is the inner service's own: a request is changed before it is passed on, and nothing afterwards.
pub struct ReadForwardedClientCert<S, D = Skipper> {
    inner: S,
    reader: ForwardedClientCertLayer<D>,
}

impl<S, D> ReadForwardedClientCert<S, D> {
    pub(super) fn new(inner: S, reader: ForwardedClientCertLayer<D>) -> Self {
        Self { inner, reader }
    }

    /// The inner service.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, D, B> Service<Request<B>> for ReadForwardedClientCert<S, D>
where
    S: Service<Request<StripTrailers<B>>>,
    D: Dialect + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let mut hop = Hop::unknown();
        if let Some(ip) = self.reader.peer_ip().or_else(|| connected_from(&parts.extensions)) {
            hop = hop.at(ip);
        }
        if let Some(tls) = parts.extensions.get::<TlsConnectInfo>() {
            hop = hop.with_tls(tls);
        }
        let outcome = self.reader.receive(&hop, &mut parts.headers);
        parts.extensions.insert(Outcome(outcome));
        #[cfg(feature = "x509")]
        crate::identity::Proxied::mark(&mut parts.extensions);
        let body = StripTrailers::new(body, self.reader.owned());
        self.inner.call(Request::from_parts(parts, body))
    }
}

#[cfg(feature = "axum")]
fn connected_from(extensions: &Extensions) -> Option<IpAddr> {
    use axum::extract::ConnectInfo;
    use std::net::SocketAddr;

    extensions.get().map(|ConnectInfo::<SocketAddr>(address)| address.ip())
}

#[cfg(not(feature = "axum"))]
fn connected_from(_: &Extensions) -> Option<IpAddr> {
    None
}

impl<S: Clone, D> Clone for ReadForwardedClientCert<S, D> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), reader: self.reader.clone() }
    }
}

impl<S: fmt::Debug, D> fmt::Debug for ReadForwardedClientCert<S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadForwardedClientCert")
            .field("inner", &self.inner)
            .field("reader", &self.reader)
            .finish()
    }
}
