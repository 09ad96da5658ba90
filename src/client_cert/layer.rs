use std::fmt;
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use rustls_pki_types::CertificateDer;
use tower_layer::Layer;

use super::service::ClientCert;
use crate::dialect::{Dialect, Outgoing, Skipper, VerifyStatus};
use crate::peer::{Headers, LayerId, PeerCertificates, TlsConnectInfo, Verification, Written};
use crate::policy::ClientAuthPolicy;
use crate::strip::OwnedHeaders;
use crate::telemetry;

/// Writes the client's certificate into headers for the service behind, and makes sure that nobody else does.
///
/// For each request, whatever becomes of it:
///
/// 1. Every header that *some* reader of client certificates might believe is removed: the dialect's own and all others
///    of [the table](crate#headers-that-nobody-may-send), in any spelling a backend might read as the same name (any
///    case, and any punctuation for `-`), and so is every mention of one in `Connection`, where a later hop would drop
///    it. Request trailers of those names are removed from the body ([`StripTrailers`](crate::StripTrailers)).
/// 2. The headers of the connection are inserted, from its [`TlsConnectInfo`]. They are encoded once per connection
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
/// Without a certificate no certificate header leaves the layer. On a connection that has no [`TlsConnectInfo`], a
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

/// A layer's settings, shared by the services it makes.
pub(super) struct Config<D> {
    dialect: Arc<D>,
    pub(super) owned: Arc<OwnedHeaders>,
    chain: Chain,
    forward_unverified: bool,
    max_certificates: usize,
    max_value_size: usize,
    #[cfg(feature = "tracing")]
    pub(super) log_headers: bool,
    /// Changes with every setting, so that a connection never serves one layer's headers to another.
    id: LayerId,
    warned: Arc<Once>,
}

#[derive(Clone, Copy, Debug)]
enum Chain {
    Presented,
    VerifiedPath,
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
        let config = Config {
            owned: Arc::new(OwnedHeaders::new(dialect.header_names())),
            chain: if dialect.forwards_unverified() { Chain::Presented } else { Chain::VerifiedPath },
            forward_unverified: dialect.forwards_unverified(),
            dialect: Arc::new(dialect),
            max_certificates: usize::MAX,
            max_value_size: 16 * 1024,
            #[cfg(feature = "tracing")]
            log_headers: false,
            id: next_id(),
            warned: Arc::new(Once::new()),
        };
        Self { config: Arc::new(config) }
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
        config.id = next_id();
        Self { config: Arc::new(config) }
    }
}

fn next_id() -> LayerId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl<D: Dialect> Config<D> {
    /// The headers for a connection, ready to insert.
    pub(super) fn headers_for(&self, info: Option<&TlsConnectInfo>) -> Headers {
        self.warn_once_if_nothing_can_arrive(info);
        match info {
            Some(info) => info.headers_once(self.id, || self.encode(info.peer_certificates())),
            None => self.encode(None),
        }
    }

    /// Whether the connection has a certificate that is passed on.
    pub(super) fn forwards(&self, info: Option<&TlsConnectInfo>) -> bool {
        let peer = info.and_then(TlsConnectInfo::peer_certificates);
        peer.is_some_and(|peer| self.forward_unverified || peer.is_verified())
    }

    /// What the dialect keeps of the headers that a request came with: owned names only, once each.
    pub(super) fn keep(&self, received: &HeaderMap, forwarding: bool) -> Option<HeaderMap> {
        let mut kept = self.dialect.keep(received, forwarding);
        self.owned.retain(&mut kept);
        Some(kept).filter(|kept| !kept.is_empty())
    }

    /// Puts what this hop writes onto a request, in the place of what is there if told to.
    pub(super) fn insert(written: &Written, replace: bool, headers: &mut HeaderMap) {
        for (name, value) in &written.lines {
            if replace {
                headers.insert(name, value.clone());
            } else {
                headers.append(name, value.clone());
            }
        }
    }

    /// The same, and in front of it what was kept of what the request came with.
    pub(super) fn insert_behind(
        &self,
        mut kept: HeaderMap,
        written: &Written,
        replace: bool,
        headers: &mut HeaderMap,
    ) {
        Self::insert(written, replace, headers);
        for (name, mut before) in kept.drain().filter_map(|(name, value)| name.zip(Some(value))) {
            let value = match headers.get(&name) {
                Some(own) => self.join(&before, own),
                None => {
                    before.set_sensitive(true);
                    before
                }
            };
            headers.insert(name, value);
        }
    }

    /// `before,own`; what is too large for both is this hop's own.
    fn join(&self, before: &HeaderValue, own: &HeaderValue) -> HeaderValue {
        let joined = [before.as_bytes(), b",", own.as_bytes()].concat();
        if joined.len() > self.max_value_size {
            warn_too_large(self.max_value_size, "what earlier proxies wrote is not forwarded");
            return own.clone();
        }
        let Ok(mut joined) = HeaderValue::try_from(joined) else { return own.clone() };
        joined.set_sensitive(true);
        joined
    }

    fn encode(&self, peer: Option<&PeerCertificates>) -> Headers {
        let Some(peer) = peer else { return self.write(&[], VerifyStatus::None) };
        let status = match peer.verification() {
            Verification::Verified => VerifyStatus::Success,
            Verification::Unverified(reason) => VerifyStatus::Failed(reason.as_str().into()),
        };
        let chain = match (self.chain, peer.verified_path()) {
            (_, None) if !self.forward_unverified => &[],
            (Chain::Presented, _) | (_, None) => peer.presented(),
            (Chain::VerifiedPath, Some(path)) => path,
        };
        let chain = chain.get(..self.max_certificates).unwrap_or(chain);
        let Some(leaf) = chain.get(..1) else { return self.write(&[], status) };

        let mut headers = self.write(chain, status.clone());
        if chain.len() > 1 && self.too_large(&headers) {
            warn_too_large(
                self.max_value_size,
                "the client's own certificate is forwarded without its chain",
            );
            headers = self.write(leaf, status);
        }
        if self.too_large(&headers) {
            headers = self.write(&[], VerifyStatus::Failed("certificate too large to forward".into()));
            if headers == self.write(&[], VerifyStatus::None) {
                warn_too_large(
                    self.max_value_size,
                    "this dialect would make the client anonymous, so its requests are refused with 431",
                );
                return None;
            }
            warn_too_large(self.max_value_size, "it is not forwarded");
        }
        headers
    }

    fn write(&self, certificates: &[CertificateDer<'static>], status: VerifyStatus) -> Headers {
        let mut headers = HeaderMap::new();
        self.dialect.encode(&Outgoing::new(certificates, status), &mut headers);
        let lines: Box<[_]> = headers
            .iter()
            .filter(|(name, _)| {
                let owned = self.owned.contains(name);
                if !owned {
                    warn_not_owned(name);
                }
                owned
            })
            .map(|(name, value)| {
                let mut value = value.clone();
                value.set_sensitive(true);
                (name.clone(), value)
            })
            .collect();
        let all_names = lines.len() == headers.keys_len() && lines.len() == self.owned.len();
        Some(Arc::new(Written { lines, all_names }))
    }

    fn too_large(&self, headers: &Headers) -> bool {
        headers.iter().flat_map(|headers| &headers.lines).any(|(_, value)| value.len() > self.max_value_size)
    }

    fn warn_once_if_nothing_can_arrive(&self, info: Option<&TlsConnectInfo>) {
        match info.map(TlsConnectInfo::policy) {
            None => self.warned.call_once(warn_no_connect_info),
            Some(Some(ClientAuthPolicy::NoClientCert)) => self.warned.call_once(warn_no_client_cert),
            Some(_) => {}
        }
    }
}

fn warn_no_connect_info() {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        "ClientCertLayer has no certificate to forward: the request carries no TlsConnectInfo. Serve it with \
         `axum::serve(TlsListener::new(listener, acceptor), tower_client_cert::make_service(app))`, or, in a server of \
         your own, wrap the service of each connection with `info.layer(service)`, where \
         `let (stream, info) = acceptor.accept(io).await?`"
    );
}

fn warn_no_client_cert() {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        "ClientCertLayer has no certificate to forward: the policy is NoClientCert, so no client is ever asked for one. \
         Build the verifier with `ClientAuthPolicy::RequestClientCert.verifier()`, or another policy that asks"
    );
}

#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn warn_too_large(max: usize, consequence: &str) {
    telemetry::too_large();
    #[cfg(feature = "tracing")]
    tracing::warn!(max, "the header of a client certificate is too large: {consequence}");
}

#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn warn_not_owned(name: &HeaderName) {
    #[cfg(feature = "tracing")]
    tracing::warn!(%name, "dialect wrote a header that is not among its header_names(): not sent, since a client could forge it");
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

impl<D> Clone for Config<D> {
    fn clone(&self) -> Self {
        Self {
            dialect: Arc::clone(&self.dialect),
            owned: Arc::clone(&self.owned),
            warned: Arc::clone(&self.warned),
            ..*self
        }
    }
}

impl<D> fmt::Debug for Config<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("dialect", &std::any::type_name::<D>())
            .field("chain", &self.chain)
            .field("forward_unverified", &self.forward_unverified)
            .field("max_certificates", &self.max_certificates)
            .field("max_value_size", &self.max_value_size)
            .finish_non_exhaustive()
    }
}

impl<D> fmt::Debug for ClientCertLayer<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientCertLayer").field(&self.config).finish()
    }
}
