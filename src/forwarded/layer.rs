use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, Request};
use tower_layer::Layer;

use super::report::Reports;
use super::service::ReadForwardedClientCert;
use super::trust::{Hop, Trust, TrustedProxies};
use super::{ForwardedClientCert, ForwardedClientCertError};
use crate::dialect::{Dialect, Skipper};
use crate::strip::{OwnedHeaders, Received};
use crate::telemetry;

/// Reads the certificate that a trusted proxy forwards, and removes the certificate headers of everybody else.
///
/// For each request:
///
/// * If the request comes from a trusted proxy, the layer decodes the dialect's headers, and leaves those on the request
///   that the dialect [reads](Dialect::reads): Skipper's verdict header, which Skipper never writes, is not among them.
///   It removes every other header that a reader of client certificates might believe, since the proxy may have let it
///   through from its client: other spellings of these names, and the headers of every other dialect ([the
///   table](crate#headers-that-nobody-may-send)).
/// * If the request comes from anybody else, the layer removes all of these headers unread, in any spelling that a
///   service behind might read as the same name.
/// * In both cases the layer removes every mention of the headers in `Connection` and every request trailer of such a
///   name ([`StripTrailers`](crate::StripTrailers)), and leaves the outcome on the request for the extractor
///   [`ForwardedClientCert`]. The layer itself answers no request.
///
/// The layer knows who sent a request from [`with_peer_ip`](Self::with_peer_ip) or axum's `ConnectInfo<SocketAddr>`
/// (feature `axum`), and from [`TlsConnectInfo`](crate::TlsConnectInfo).
///
/// The dialect limits how large a value is read: see [`Limits`](crate::dialect::Limits). Layers for different dialects
/// stack, and each trusts its own proxies. Two layers for the same type of dialect do not stack: the inner layer's
/// outcome replaces the outer one's.
///
#[cfg_attr(feature = "axum", doc = "```")]
#[cfg_attr(not(feature = "axum"), doc = "```ignore")]
/// use axum::{Router, routing::get};
/// use tower_client_cert::dialect::Skipper;
/// use tower_client_cert::forwarded::{ForwardedClientCert, ForwardedClientCertLayer, TrustedProxies};
///
/// async fn hello(client: ForwardedClientCert) -> String {
///     format!("{} certificates, {:?}", client.certificates().len(), client.status())
/// }
///
/// let proxy: std::net::IpAddr = "10.1.0.4".parse()?;
/// let trusted = TrustedProxies::none().ip_range(proxy);
/// let app: Router =
///     Router::new().route("/", get(hello)).layer(ForwardedClientCertLayer::new(Skipper::new(), trusted));
/// // Without connect info the layer does not know who sent a request, and believes nobody.
/// let service = app.into_make_service_with_connect_info::<std::net::SocketAddr>();
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
///
/// Without tower, [`receive`](Self::receive) does the same to a map of headers, and [`read`](Self::read) leaves the map
/// as it is.
#[must_use = "a layer does nothing until it is applied to a service"]
pub struct ForwardedClientCertLayer<D = Skipper> {
    config: Arc<Config<D>>,
    peer_ip: Option<IpAddr>,
}

/// A layer's settings, shared by the services it makes.
struct Config<D> {
    dialect: D,
    owned: Arc<OwnedHeaders>,
    trusted: TrustedProxies,
    reports: Reports,
}

impl<D: Dialect> ForwardedClientCertLayer<D> {
    /// Creates a layer that reads this dialect from these proxies.
    pub fn new(dialect: D, trusted: TrustedProxies) -> Self {
        let config = Config {
            owned: Arc::new(OwnedHeaders::new(dialect.header_names())),
            dialect,
            trusted,
            reports: Reports::default(),
        };
        Self { config: Arc::new(config), peer_ip: None }
    }

    /// Reads the certificate from the headers of a request that came from this hop, if the hop is trusted.
    ///
    /// This method changes no header. It logs and counts refused headers. If a service behind reads the headers by
    /// itself, use [`receive`](Self::receive).
    ///
    /// ```
    /// use http::{HeaderMap, Request};
    /// use tower_client_cert::dialect::Skipper;
    /// use tower_client_cert::forwarded::{ForwardedClientCertError, ForwardedClientCertLayer, Hop, TrustedProxies};
    ///
    /// let proxy: std::net::IpAddr = "10.1.0.4".parse()?;
    /// let reader = ForwardedClientCertLayer::new(Skipper::new(), TrustedProxies::none().ip_range(proxy));
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert("x-forwarded-tls-client-cert", "MAA=".parse()?);
    /// let client = reader.read(&Hop::unknown().at(proxy), &headers)?;
    /// assert_eq!(client.certificates(), [vec![0x30, 0x00].into()]);
    ///
    /// let stranger = Hop::unknown().at("10.1.0.5".parse()?);
    /// let error = reader.read(&stranger, &headers).unwrap_err();
    /// assert!(matches!(error, ForwardedClientCertError::Untrusted { header: Some(_) }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if there is no certificate that can be believed: see [`ForwardedClientCertError`].
    pub fn read(
        &self,
        hop: &Hop<'_>,
        headers: &HeaderMap,
    ) -> Result<ForwardedClientCert<D>, ForwardedClientCertError> {
        let config = &self.config;
        let outcome = match config.trusted.judge(hop) {
            Trust::Trusted => config.decode(headers),
            Trust::Untrusted => {
                Err(ForwardedClientCertError::Untrusted { header: config.owned.find(headers).cloned() })
            }
            Trust::Unknown => Err(ForwardedClientCertError::HopUnknown),
        };
        if let Err(error) = &outcome {
            config.report(hop, headers, error);
        }
        outcome
    }

    /// Reads the certificate like [`read`](Self::read), and removes the headers that must not be believed.
    ///
    /// These are all headers of [the table](crate#headers-that-nobody-may-send). From a trusted proxy, the dialect's
    /// own headers stay, if they are spelt exactly.
    ///
    /// This removes the headers of other dialects too. To read two dialects, call [`read`](Self::read) for the first
    /// one and this method for the second.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`read`](Self::read). The headers are removed in that case too.
    pub fn receive(
        &self,
        hop: &Hop<'_>,
        headers: &mut HeaderMap,
    ) -> Result<ForwardedClientCert<D>, ForwardedClientCertError> {
        let outcome = self.read(hop, headers);
        let owned = &self.config.owned;
        let stripped =
            if is_from_a_proxy(&outcome) { owned.strip_others(headers) } else { owned.strip(headers) };
        note_stripped(hop, stripped);
        outcome
    }

    /// Does the same for a request whose headers a layer further out may already have taken off.
    pub(super) fn receive_request<B>(
        &self,
        hop: &Hop<'_>,
        written: Option<&HeaderMap>,
        request: &mut Request<B>,
    ) -> Result<ForwardedClientCert<D>, ForwardedClientCertError> {
        let (headers, received) = match (written, request.extensions().get::<Received>()) {
            // A layer of ours has written these headers since, in this process.
            (Some(written), _) => (Some(written), false),
            (None, Some(received)) => (Some(&received.headers), true),
            (None, None) => (None, false),
        };
        let outcome =
            headers.map_or_else(|| self.read(hop, &HeaderMap::new()), |headers| self.read(hop, headers));
        let believed = is_from_a_proxy(&outcome);
        let (owned, dialect) = (&self.config.owned, &self.config.dialect);
        let restores = |name: &HeaderName| owned.is_exactly(name) && dialect.reads(name);
        let restored: HeaderMap = match headers.filter(|_| believed) {
            Some(headers) => {
                let own = headers.iter().filter(|(name, _)| restores(name));
                own.map(|(name, value)| (name.clone(), value.clone())).fold(
                    HeaderMap::new(),
                    |mut own, (name, value)| {
                        own.append(name, value);
                        own
                    },
                )
            }
            None => HeaderMap::new(),
        };
        request.headers_mut().extend(restored);
        if received {
            if let Some(received) = request.extensions_mut().get_mut::<Received>() {
                note_stripped(hop, received.count(|name| believed && restores(name)));
            }
        }
        outcome
    }
}

#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn note_stripped(hop: &Hop<'_>, stripped: usize) {
    if stripped > 0 {
        telemetry::stripped(stripped);
        #[cfg(feature = "tracing")]
        tracing::debug!(stripped, peer = ?hop.ip(), "removed headers that only a trusted proxy may write");
    }
}

fn is_from_a_proxy<D>(outcome: &Result<ForwardedClientCert<D>, ForwardedClientCertError>) -> bool {
    !matches!(outcome, Err(ForwardedClientCertError::Untrusted { .. } | ForwardedClientCertError::HopUnknown))
}

impl<D> ForwardedClientCertLayer<D> {
    /// Sets the address at the other end of the connection, for servers other than axum's. The layer is then for one
    /// connection only. To clone and apply it for each connection costs two reference counts.
    ///
    /// ```
    /// # use tower::{Layer, service_fn};
    /// # use tower_client_cert::forwarded::{ForwardedClientCertLayer, TrustedProxies};
    /// # fn serve<S: Clone>(
    /// #     layer: &ForwardedClientCertLayer, app: &S, stream: &std::net::TcpStream
    /// # ) -> std::io::Result<()> {
    /// let service = layer.clone().with_peer_ip(stream.peer_addr()?.ip()).layer(app.clone());
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_peer_ip(self, ip: IpAddr) -> Self {
        Self { peer_ip: Some(ip), ..self }
    }

    pub(super) fn peer_ip(&self) -> Option<IpAddr> {
        self.peer_ip
    }

    pub(super) fn owned(&self) -> Arc<OwnedHeaders> {
        Arc::clone(&self.config.owned)
    }
}

impl<D: Dialect> Config<D> {
    fn decode(&self, headers: &HeaderMap) -> Result<ForwardedClientCert<D>, ForwardedClientCertError> {
        match self.dialect.decode(headers) {
            Ok(Some(cert)) => ForwardedClientCert::new(cert),
            Ok(None) => Err(ForwardedClientCertError::Absent),
            Err(error) => Err(ForwardedClientCertError::Malformed(error)),
        }
    }

    #[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
    fn report(&self, hop: &Hop<'_>, headers: &HeaderMap, error: &ForwardedClientCertError) {
        self.reports.refused(hop, error);
        #[cfg(feature = "tracing")]
        if *error == ForwardedClientCertError::Absent {
            let owned = &self.owned;
            let others = headers.keys().filter(|name| owned.strips(name) && !owned.is_exactly(name));
            self.reports.instead(hop, owned.first(), others);
        }
    }
}

impl<S, D> Layer<S> for ForwardedClientCertLayer<D> {
    type Service = ReadForwardedClientCert<S, D>;

    fn layer(&self, inner: S) -> Self::Service {
        ReadForwardedClientCert::new(inner, self.clone())
    }
}

impl<D> Clone for ForwardedClientCertLayer<D> {
    fn clone(&self) -> Self {
        Self { config: Arc::clone(&self.config), peer_ip: self.peer_ip }
    }
}

impl<D> fmt::Debug for ForwardedClientCertLayer<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardedClientCertLayer")
            .field("dialect", &std::any::type_name::<D>())
            .field("trusted", &self.config.trusted)
            .field("peer_ip", &self.peer_ip)
            .finish_non_exhaustive()
    }
}
