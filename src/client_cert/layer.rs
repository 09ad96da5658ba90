use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use super::config::{Chain, Config};
use super::service::ClientCert;
use crate::dialect::{Dialect, Skipper};

/// Writes the client's certificate into headers for the service behind, and makes sure that nobody else does.
///
/// The layer does two things to every request:
///
/// 1. It removes every header that *some* reader of client certificates might believe: the dialect's own headers and
///    all others of [the table](crate#headers-that-nobody-may-send), in any spelling that a backend might read as the
///    same name (any case, and any punctuation in place of `-`). It removes every mention of such a header in
///    `Connection`, because a later hop would drop the header, and every request trailer of such a name
///    ([`StripTrailers`](crate::StripTrailers)).
/// 2. It inserts headers that it makes from the connection's [`TlsConnectInfo`](crate::TlsConnectInfo). The headers are
///    encoded once per connection, shared by the connection's requests, and marked
///    [sensitive](http::HeaderValue::set_sensitive).
///
/// A dialect whose value grows from hop to hop may keep the headers that came in under its exact names
/// ([`Dialect::keep`]). Of this crate's dialects only [`Envoy`](crate::dialect::Envoy) does, and only when told to. To
/// let through headers that a proxy further out writes for the service behind, and only from that proxy, add a
/// [`PassHeadersLayer`](crate::forwarded::PassHeadersLayer).
///
/// # Where to put it
///
/// Put the layer around the whole app, as in `make_service(ClientCertLayer::new().layer(app))`. A [`Router`]'s own
/// `layer` method covers only the routes and the fallback that were added before. On connections of this crate's
/// acceptor, a route that is added later is no hole: [`WithTlsConnectInfo`](crate::WithTlsConnectInfo) has already
/// taken the headers off the request.
///
/// [`Router`]: https://docs.rs/axum/latest/axum/struct.Router.html#method.layer
///
/// If the client presented no certificate, no header with a certificate leaves the layer. On a connection without a
/// [`TlsConnectInfo`](crate::TlsConnectInfo), for example a plaintext one, the layer still strips. Since this is rarely
/// intended, the layer also logs one warning (feature `tracing`).
///
/// The dialect decides which certificates are written. Skipper's header carries the certificates that the client
/// presented, and a second header tells whether they were verified. Dialects whose readers take any certificate for a
/// verified one get the verified path only. [`only_verified`](Self::only_verified),
/// [`verified_path`](Self::verified_path) and [`forward_unverified`](Self::forward_unverified) override the dialect.
///
/// Layers stack: to write two dialects, use two layers. The outermost layer removes what the client sent under any of
/// the names. Each layer further in removes only the headers that its own dialect owns, so that no layer removes what
/// another one wrote.
///
/// # Too large
///
/// The layer never cuts a value: see [`max_value_size`](Self::max_value_size). If a certificate is too large to forward
/// and the backend would take its client for anonymous, the layer refuses the request with status 431. To make that
/// response, it needs a response body that implements [`Default`], as those of axum, tonic and http-body-util do.
///
/// ```
/// use axum::Router;
/// use tower::Layer;
/// use tower_client_cert::ClientCertLayer;
///
/// # async fn proxy() {}
/// let app = ClientCertLayer::new().layer(Router::<()>::new().fallback(proxy));
/// # let _ = app;
/// ```
#[must_use = "a layer does nothing until it is applied to a service"]
pub struct ClientCertLayer<D = Skipper> {
    config: Arc<Config<D>>,
}

impl ClientCertLayer {
    /// Creates a layer that writes Skipper's `X-Forwarded-Tls-Client-Cert`, byte for byte, with
    /// `X-Forwarded-Tls-Client-Cert-Verify` beside it.
    pub fn new() -> Self {
        Self::with_dialect(Skipper::new())
    }

    /// Leaves out `X-Forwarded-Tls-Client-Cert-Verify`, which Skipper does not write either.
    ///
    /// Under a policy that does not verify, the backend then can't tell a certificate of your CA from one that anybody
    /// made. The layer still strips this header if a client sends it.
    pub fn without_verify_header(self) -> Self {
        self.with(|config| config.dialect = Arc::new(Skipper::clone(&config.dialect).without_verify_header()))
    }
}

impl Default for ClientCertLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<D: Dialect> ClientCertLayer<D> {
    /// Creates a layer that writes the given dialect, with the dialect's own defaults.
    pub fn with_dialect(dialect: D) -> Self {
        Self { config: Arc::new(Config::new(dialect)) }
    }
}

impl<D> ClientCertLayer<D> {
    /// Writes only the client's own certificate, without those of its issuers. This is short for `max_certificates(1)`.
    pub fn leaf_only(self) -> Self {
        self.max_certificates(1)
    }

    /// Writes at most this many certificates, of which the client's own is the first; 0 counts as 1. There is no limit
    /// unless one is set here, but the acceptor limits how many certificates a client may present.
    pub fn max_certificates(self, max: usize) -> Self {
        self.with(|config| config.max_certificates = max.max(1))
    }

    /// Writes the verified path instead of all the certificates that were presented, and no unverified certificate.
    pub fn verified_path(self) -> Self {
        self.with(|config| (config.chain, config.forward_unverified) = (Chain::VerifiedPath, false))
    }

    /// Writes certificates only if they were verified. A status header still says why a certificate is missing.
    pub fn only_verified(self) -> Self {
        self.with(|config| config.forward_unverified = false)
    }

    /// Writes certificates that were *not* verified too, with all the certificates that the client sent along.
    ///
    /// Anybody can make a certificate with any name in it. Call this method only if every reader of the dialect looks
    /// at a status header, or checks the certificate itself.
    pub fn forward_unverified(self) -> Self {
        self.with(|config| config.forward_unverified = true)
    }

    /// Sets the size in bytes of the largest value that the layer writes. It is 16 KiB unless set; by default nginx
    /// takes 8 KB of headers, and Node.js 16 KB. A client that has such a certificate makes the layer write a value of
    /// this size with each request of a few bytes.
    ///
    /// The layer never cuts a value. If a value would be larger, the layer writes the client's own certificate alone.
    /// If that is still too large, it writes no certificate and the status `FAILED:certificate too large to forward`,
    /// so that no client gets in that can't be named. In a dialect without a status the client would look anonymous, so
    /// the layer refuses its requests with 431 (RFC 6585 section 5). Each of these cases is logged as a warning
    /// (feature `tracing`), once per connection.
    pub fn max_value_size(self, bytes: usize) -> Self {
        self.with(|config| config.max_value_size = bytes)
    }

    /// Logs an event at level `info` for each request: the names and sizes of the headers that it came with, which of
    /// them were removed, and which headers were written. The event holds no header's value. It describes the
    /// certificate by its SHA-256, its verification and its subject. It is meant for debugging, as Skipper's
    /// `logHeader()` is.
    #[cfg(feature = "tracing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
    pub fn log_headers(self) -> Self {
        self.with(|config| config.log_headers = true)
    }

    fn with(self, change: impl FnOnce(&mut Config<D>)) -> Self {
        let mut config = Arc::unwrap_or_clone(self.config);
        change(&mut config);
        config.renew_id();
        Self { config: Arc::new(config) }
    }
}

impl<S, D> Layer<S> for ClientCertLayer<D> {
    type Service = ClientCert<S, D>;

    fn layer(&self, inner: S) -> Self::Service {
        ClientCert::new(inner, Arc::clone(&self.config))
    }
}

impl<D> Clone for ClientCertLayer<D> {
    fn clone(&self) -> Self {
        Self { config: Arc::clone(&self.config) }
    }
}

impl<D> fmt::Debug for ClientCertLayer<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientCertLayer").field(&self.config).finish()
    }
}
