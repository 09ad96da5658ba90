use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderName, Request};
use tower_layer::Layer;
use tower_service::Service;

use super::trust::{Hop, Trust, TrustedProxies};
use crate::peer::TlsConnectInfo;
use crate::strip::{self, Received};

/// Lets headers of these names through to the service behind, from trusted proxies only.
///
/// [`ClientCertLayer`](crate::ClientCertLayer) and [`WithTlsConnectInfo`](crate::WithTlsConnectInfo) take every header
/// off a request that some reader of client certificates might believe. Some of these headers come from a proxy of
/// yours and are meant for the service behind, a CDN's `Cf-Client-Cert-…` for example. This layer puts them back, if
/// they are spelt exactly and the request comes from a trusted proxy. It does not check whether they are true.
///
/// The layer may stand on either side of a `ClientCertLayer`. It does not let through names that the dialects of layers
/// further in own. It puts back neither trailers nor mentions in `Connection`.
///
/// To let the headers through from everybody, which means to believe everybody, use
/// [`TrustedProxies::trust_whoever_can_connect`].
///
/// ```
/// use http::HeaderName;
/// use tower_client_cert::ClientCertLayer;
/// use tower_client_cert::forwarded::{PassHeadersLayer, TrustedProxies};
///
/// # fn app() -> axum::Router {
/// let cdn = TrustedProxies::none().ip_range("192.0.2.0/24".parse::<ipnet::IpNet>().unwrap());
/// let names = [HeaderName::from_static("cf-client-cert-der-base64"), HeaderName::from_static("cf-client-cert-sha256")];
/// let app = axum::Router::new()
///     .layer(PassHeadersLayer::new(names, cdn))
///     .layer(ClientCertLayer::new());
/// # app
/// # }
/// ```
///
/// The layer knows who sent a request in the same way as [`ForwardedClientCertLayer`](super::ForwardedClientCertLayer).
#[derive(Clone)]
#[must_use = "a layer does nothing until it is applied to a service"]
pub struct PassHeadersLayer {
    config: Arc<Config>,
    peer_ip: Option<IpAddr>,
}

#[derive(Debug)]
struct Config {
    names: Vec<HeaderName>,
    trusted: TrustedProxies,
}

impl PassHeadersLayer {
    /// Creates a layer that lets headers of these names through from these proxies.
    pub fn new(names: impl IntoIterator<Item = HeaderName>, trusted: TrustedProxies) -> Self {
        Self { config: Arc::new(Config { names: names.into_iter().collect(), trusted }), peer_ip: None }
    }

    /// Sets the address at the other end of the connection, for servers other than axum's, like
    /// [`ForwardedClientCertLayer::with_peer_ip`](super::ForwardedClientCertLayer::with_peer_ip).
    pub fn with_peer_ip(self, ip: IpAddr) -> Self {
        Self { peer_ip: Some(ip), ..self }
    }
}

impl<S> Layer<S> for PassHeadersLayer {
    type Service = PassHeaders<S>;

    fn layer(&self, inner: S) -> PassHeaders<S> {
        PassHeaders { inner, layer: self.clone() }
    }
}

impl fmt::Debug for PassHeadersLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassHeadersLayer")
            .field("names", &self.config.names)
            .field("trusted", &self.config.trusted)
            .field("peer_ip", &self.peer_ip)
            .finish()
    }
}

/// The service of [`PassHeadersLayer`].
#[derive(Clone, Debug)]
pub struct PassHeaders<S> {
    inner: S,
    layer: PassHeadersLayer,
}

impl<S, B> Service<Request<B>> for PassHeaders<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if TlsConnectInfo::mark_screened(&mut request) {
            strip::screen(&mut request);
        }
        let passed = self.layer.passed(&request);
        request.headers_mut().extend(passed);
        self.inner.call(request)
    }
}

impl PassHeadersLayer {
    fn passed<B>(&self, request: &Request<B>) -> HeaderMap {
        let extensions = request.extensions();
        let mut passed = HeaderMap::new();
        let Some(received) = extensions.get::<Received>() else { return passed };
        let hop = Hop::of(extensions, self.peer_ip, extensions.get::<TlsConnectInfo>());
        if self.config.trusted.judge(&hop) == Trust::Trusted {
            for name in &self.config.names {
                for value in received.headers.get_all(name) {
                    passed.append(name, value.clone());
                }
            }
        }
        passed
    }
}
