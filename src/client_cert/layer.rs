use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use super::config::{Chain, Config};
use super::service::ClientCert;
use crate::dialect::{Dialect, Skipper};

/// Writes the client's certificate into headers for the service behind, and makes sure that nobody else does.
///
/// For each request, whatever becomes of it:
///
/// 1. Every header that *some* reader of client certificates might believe is removed: the dialect's own and all others
///    of [the table](crate#headers-that-nobody-may-send), in any spelling a backend might read as the same name (any
///    case, and any punctuation for `-`), and so is every mention of one in `Connection`, where a later hop would drop
///    it. Request trailers of those names are removed from the body ([`StripTrailers`](crate::StripTrailers)).
/// 2. The headers of the connection are inserted, from its [`TlsConnectInfo`](crate::TlsConnectInfo). They are encoded once per connection
///    and shared by its requests, and are marked [sensitive](http::HeaderValue::set_sensitive).
///
/// A dialect that grows from hop to hop may keep what came under its exact name ([`Dialect::keep`]); of this crate's
/// only [`Envoy`](crate::dialect::Envoy) does, when told to. What a proxy further out writes for the service behind is
/// let through by a [`PassHeadersLayer`](crate::forwarded::PassHeadersLayer), from that proxy only.
///
/// # Where to put it
///
/// Around the whole app, as in `make_service(ClientCertLayer::new().layer(app))`. A [`Router`]'s own `layer` covers the
/// routes that were added before it, and neither a route nor a `fallback` that is added after it. On connections of this
/// crate's acceptor that is no hole: [`WithTlsConnectInfo`](crate::WithTlsConnectInfo) has taken the headers off before.
///
/// [`Router`]: https://docs.rs/axum/latest/axum/struct.Router.html#method.layer
///
/// Without a certificate no certificate header leaves the layer. On a connection that has no [`TlsConnectInfo`](crate::TlsConnectInfo), a
/// plaintext one for example, the layer still strips; and since this is rarely meant, it says so once, as a warning
/// (feature `tracing`).
///
/// Which certificates are written is the dialect's custom: Skipper's header carries what was presented, and a second
/// one tells whether it was verified; dialects whose readers take a certificate for a verified one get the verified
/// path only. [`only_verified`](Self::only_verified), [`verified_path`](Self::verified_path) and
/// [`forward_unverified`](Self::forward_unverified) say otherwise.
///
/// Layers stack: two dialects at once are two layers. The outermost removes what the client sent under any name, and
/// each of the others only what its own dialect owns, so that none removes what another wrote.
///
/// # Too large
///
/// A value is never cut: see [`max_value_size`](Self::max_value_size). A request whose certificate can't be told is
/// refused with 431 where the backend would take it for anonymous. That is why the service needs responses whose body is
/// [`Default`], as those of axum, tonic and http-body-util are.
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
    /// Skipper's dialect: `X-Forwarded-Tls-Client-Cert`, byte for byte, and `X-Forwarded-Tls-Client-Cert-Verify`.
    pub fn new() -> Self {
        Self::with_dialect(Skipper::new())
    }

    /// Without `X-Forwarded-Tls-Client-Cert-Verify`, exactly as Skipper does.
    ///
    /// Under a policy that does not verify, the backend then can't tell a certificate of your CA from one that
    /// anybody made. A companion that a client sends is stripped all the same.
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
    /// Any dialect, with its customs.
    pub fn with_dialect(dialect: D) -> Self {
        Self { config: Arc::new(Config::new(dialect)) }
    }
}

impl<D> ClientCertLayer<D> {
    /// Write the client's own certificate and none of its issuers': short for `max_certificates(1)`.
    pub fn leaf_only(self) -> Self {
        self.max_certificates(1)
    }

    /// Write at most this many certificates, the client's own included and first; 0 counts as 1. Unlimited unless
    /// set: the acceptor has its own limit on what a client may present.
    pub fn max_certificates(self, max: usize) -> Self {
        self.with(|config| config.max_certificates = max.max(1))
    }

    /// Write the path that was verified instead of all that was presented, and unverified certificates not at all.
    pub fn verified_path(self) -> Self {
        self.with(|config| (config.chain, config.forward_unverified) = (Chain::VerifiedPath, false))
    }

    /// Write certificates only if they were verified. A status header still says why one is missing.
    pub fn only_verified(self) -> Self {
        self.with(|config| config.forward_unverified = false)
    }

    /// Write certificates that were *not* verified too, with all that came with them.
    ///
    /// Anybody can make a certificate with any name in it. Use it only if every reader of the dialect looks at a
    /// status header, or checks the certificate itself.
    pub fn forward_unverified(self) -> Self {
        self.with(|config| config.forward_unverified = true)
    }

    /// The largest value to write, in bytes: 16 KiB unless set, while nginx takes 8 KB and Node.js 16 KB of headers by
    /// default. A client pays a few bytes for a request that makes a value as large as this.
    ///
    /// A value is never cut. If it is larger, the client's own certificate is written alone. If that is still too
    /// large, none is, and the status is `FAILED:certificate too large to forward`, so that nobody is let in who can't
    /// be named. In a dialect without a status that client would be anonymous: its requests are refused instead, with
    /// 431 (RFC 6585 section 5). Each is a warning (feature `tracing`), once per connection.
    pub fn max_value_size(self, bytes: usize) -> Self {
        self.with(|config| config.max_value_size = bytes)
    }

    /// Log an event for each request, at level `info`: the names and sizes of the headers it came with, which of them
    /// were removed, and what was written. No value is logged, and of the certificate its SHA-256, its verification
    /// and its subject. For debugging, as Skipper's `logHeader()` is.
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
