use std::fmt;
use std::task::{Context, Poll};

use http::Request;
use tower_service::Service;

use super::Outcome;
use super::layer::ForwardedClientCertLayer;
use super::trust::Hop;
use crate::dialect::{Dialect, Skipper};
use crate::peer::TlsConnectInfo;
use crate::strip::{Screening, StripTrailers};

/// The service of [`ForwardedClientCertLayer`](super::ForwardedClientCertLayer).
///
/// Its future is the inner service's own: the service changes the request before it passes it on, and does nothing
/// afterwards.
pub struct ReadForwardedClientCert<S, D = Skipper> {
    inner: S,
    reader: ForwardedClientCertLayer<D>,
}

impl<S, D> ReadForwardedClientCert<S, D> {
    pub(super) fn new(inner: S, reader: ForwardedClientCertLayer<D>) -> Self {
        Self { inner, reader }
    }

    /// Returns the inner service.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the inner service.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service.
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

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let owned = self.reader.owned();
        let first = TlsConnectInfo::mark_screened(&mut request);
        let written = match owned.screen(first, false, &mut request) {
            Screening::Written(written) => Some(written),
            _ => None,
        };
        let tls = request.extensions().get::<TlsConnectInfo>().cloned();
        let hop = Hop::of(request.extensions(), self.reader.peer_ip(), tls.as_ref());
        let peer = hop.ip();
        let outcome = self.reader.receive_request(&hop, written.as_deref(), &mut request);
        request.extensions_mut().insert(Outcome { outcome, peer });
        #[cfg(feature = "x509")]
        crate::peer::Proxied::mark(request.extensions_mut());
        self.inner.call(request.map(|body| StripTrailers::new(body, owned)))
    }
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
