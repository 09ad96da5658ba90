//! A TLS stack's own account of a connection, taken for this crate's.

use std::fmt;
use std::task::{Context, Poll};

use http::{Extensions, Request};
use tower_layer::Layer;
use tower_service::Service;

use crate::peer::TlsConnectInfo;

/// Puts a [`TlsConnectInfo`] on each request that has none, made of what another TLS stack has put into the request's
/// extensions.
///
/// It belongs around every layer and handler that is to see the client's certificate, in a server that shakes hands with
/// an acceptor other than this crate's. For axum-server's own acceptor there is `AdoptConnectInfoLayer::axum_server()`
/// (feature `axum-server`), for tonic's TLS `AdoptConnectInfoLayer::tonic()` (feature `tonic`), and for any other a
/// function of the extensions:
///
/// ```
/// use axum::{Router, routing::get};
/// use http::Extensions;
/// use rustls_pki_types::CertificateDer;
/// use tower_client_cert::{AdoptConnectInfoLayer, ClientCertLayer, PeerCertificates, TlsConnectInfo};
///
/// /// What a TLS stack puts into the extensions of each request.
/// #[derive(Clone)]
/// struct OurTls {
///     presented: Vec<CertificateDer<'static>>,
/// }
///
/// let adopt = AdoptConnectInfoLayer::new(|extensions: &Extensions| {
///     let tls: &OurTls = extensions.get()?;
///     Some(TlsConnectInfo::new(PeerCertificates::unverified(tls.presented.clone())))
/// });
/// let app: Router = Router::new()
///     .route("/", get(|peer: Option<PeerCertificates>| async move { format!("{peer:?}") }))
///     .layer(ClientCertLayer::new())
///     // The layer that is added last sees a request first.
///     .layer(adopt);
/// # let _ = app;
/// ```
///
/// Such a stack tells which certificates the client presented, and not what they are worth. They are
/// [`NotChecked`](crate::UnverifiedReason::NotChecked), whatever the stack was configured to verify, so a rule that asks
/// for a verified certificate lets none of them in. [`ClientCertLayer`](crate::ClientCertLayer) encodes its headers anew
/// for each request. This crate's acceptor gives a verdict, and needs no such layer.
#[derive(Clone, Copy)]
#[must_use = "a layer does nothing until it is applied to a service"]
pub struct AdoptConnectInfoLayer<F> {
    read: F,
}

impl<F> AdoptConnectInfoLayer<F>
where
    F: Fn(&Extensions) -> Option<TlsConnectInfo>,
{
    /// A layer that asks `read` about each request without a [`TlsConnectInfo`].
    pub const fn new(read: F) -> Self {
        Self { read }
    }
}

impl<S, F: Clone> Layer<S> for AdoptConnectInfoLayer<F> {
    type Service = AdoptConnectInfo<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        AdoptConnectInfo { inner, read: self.read.clone() }
    }
}

/// The service of [`AdoptConnectInfoLayer`].
#[derive(Clone)]
pub struct AdoptConnectInfo<S, F> {
    inner: S,
    read: F,
}

impl<S, F, B> Service<Request<B>> for AdoptConnectInfo<S, F>
where
    S: Service<Request<B>>,
    F: Fn(&Extensions) -> Option<TlsConnectInfo>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let extensions = request.extensions();
        // An acceptor of this crate knows more.
        if extensions.get::<TlsConnectInfo>().is_none() {
            if let Some(info) = (self.read)(extensions) {
                request.extensions_mut().insert(info);
            }
        }
        self.inner.call(request)
    }
}

impl<F> fmt::Debug for AdoptConnectInfoLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdoptConnectInfoLayer").finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, F> fmt::Debug for AdoptConnectInfo<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdoptConnectInfo").field("inner", &self.inner).finish_non_exhaustive()
    }
}
