//! Adopts what another TLS stack says about a connection.

use std::fmt;
use std::task::{Context, Poll};

use http::{Extensions, Request};
use tower_layer::Layer;
use tower_service::Service;

use crate::peer::TlsConnectInfo;

/// Attaches a [`TlsConnectInfo`] to each request that has none, made from what another TLS stack has put into the
/// request's extensions.
///
/// Use it in a server whose handshakes are performed by another acceptor than this crate's, around every layer and
/// handler that needs the client's certificate. For axum-server's own acceptor there is
/// `AdoptConnectInfoLayer::axum_server()` (feature `axum-server`), for tonic's TLS `AdoptConnectInfoLayer::tonic()`
/// (feature `tonic`), and for any other stack pass a function of the extensions:
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
/// Such a stack tells which certificates the client presented, and not whether they verify. They are
/// [`NotChecked`](crate::UnverifiedReason::NotChecked), whatever the stack was configured to verify, so a rule that
/// asks for a verified certificate lets none of them in. [`ClientCertLayer`](crate::ClientCertLayer) encodes its
/// headers anew for each request. This crate's acceptor gives a verdict, and needs no such layer.
#[derive(Clone, Copy)]
#[must_use = "a layer does nothing until it is applied to a service"]
pub struct AdoptConnectInfoLayer<F> {
    read: F,
}

impl<F> AdoptConnectInfoLayer<F>
where
    F: Fn(&Extensions) -> Option<TlsConnectInfo>,
{
    /// Makes a layer that calls `read` for each request without a [`TlsConnectInfo`].
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

/// The service that [`AdoptConnectInfoLayer`] makes.
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
        // One that is there already is kept, since this crate's acceptor knows more.
        if extensions.get::<TlsConnectInfo>().is_none() {
            if let Some(info) = (self.read)(extensions) {
                // What an outer layer has written stays, and so does its mark.
                if TlsConnectInfo::is_screened(&request) {
                    info.insert_screened(&mut request);
                } else {
                    request.extensions_mut().insert(info);
                }
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
