use std::sync::{Arc, OnceLock};

use http::Request;

use super::certificates::PeerCertificates;
use super::encoded::{EncodedHeaders, Headers, LayerId};
use super::standing::{Fallen, Standing};
#[cfg(feature = "tls")]
use crate::host::ChosenPolicy;
use crate::policy::ClientAuthPolicy;
use crate::telemetry::ConnectionSpan;

/// The version of TLS that was negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// What the acceptor learned about one TLS connection: put on every request of it, as an extension.
///
/// It is there whether or not the client has a certificate, so that "no certificate" and "nobody looked" are two
/// different things. It is a [`Layer`](tower_layer::Layer): `info.layer(service)` puts it on each request that
/// `service` gets, which is all that a server without axum has to do. [`WithTlsConnectInfo`](crate::WithTlsConnectInfo)
/// says what else that does.
///
/// A request's is true when the request begins. If the certificate expires while its connection is open, or a reload
/// revokes it, later requests carry another one, which says so.
///
/// A clone is a reference count.
///
/// ```
/// use http::{Request, Response};
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_client_cert::{ClientAuthPolicy, TlsConnectInfo};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let info = TlsConnectInfo::new(None).with_policy(ClientAuthPolicy::RequestClientCert);
/// let service = info.layer(service_fn(|request: Request<()>| async move {
///     let info = request.extensions().get::<TlsConnectInfo>().expect("the layer puts it there");
///     Ok::<_, std::convert::Infallible>(Response::new(format!("{:?}", info.policy())))
/// }));
/// assert_eq!(service.oneshot(Request::new(())).await.unwrap().body(), "Some(RequestClientCert)");
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct TlsConnectInfo {
    connection: Arc<Connection>,
    /// On a request: whether the headers that a reader of client certificates might believe have been taken off it.
    screened: bool,
}

/// The mark on a request that carries no [`TlsConnectInfo`].
#[derive(Clone, Copy, Debug)]
struct Screened;

#[derive(Clone, Debug, Default)]
struct Connection {
    peer_certificates: Option<PeerCertificates>,
    policy: Option<ClientAuthPolicy>,
    server_name: Option<String>,
    alpn_protocol: Option<Vec<u8>>,
    protocol_version: Option<TlsVersion>,
    resumed: bool,
    #[cfg(feature = "tls")]
    host_policy: Option<ChosenPolicy>,
    headers: EncodedHeaders,
    span: ConnectionSpan,
    /// `None` where nothing can change.
    standing: Option<Arc<dyn Standing>>,
    fallen: OnceLock<Option<TlsConnectInfo>>,
}

impl TlsConnectInfo {
    /// A connection on which the client presented these certificates, or none. The rest is unknown.
    ///
    /// `ClientCertAcceptor` makes this itself; the constructor is for TLS stacks other than ours, and for tests.
    ///
    /// With feature `tracing` it remembers the span that it is made in. As a [`Layer`](tower_layer::Layer) it has requests served within
    /// that span.
    #[must_use]
    pub fn new(peer_certificates: Option<PeerCertificates>) -> Self {
        Self::from(Connection { peer_certificates, span: ConnectionSpan::current(), ..Connection::default() })
    }

    /// The policy under which the client was, or was not, asked.
    #[must_use]
    pub fn with_policy(self, policy: ClientAuthPolicy) -> Self {
        self.with(|connection| connection.policy = Some(policy))
    }

    /// The name the client asked for (SNI).
    #[must_use]
    pub fn with_server_name(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.with(|connection| connection.server_name = Some(name))
    }

    /// The protocol agreed on by ALPN, `h2` for example.
    #[must_use]
    pub fn with_alpn_protocol(self, protocol: impl Into<Vec<u8>>) -> Self {
        let protocol = protocol.into();
        self.with(|connection| connection.alpn_protocol = Some(protocol))
    }

    /// The version of TLS.
    #[must_use]
    pub fn with_protocol_version(self, version: TlsVersion) -> Self {
        self.with(|connection| connection.protocol_version = Some(version))
    }

    /// Whether the session was resumed rather than made anew.
    #[must_use]
    pub fn with_resumed(self, resumed: bool) -> Self {
        self.with(|connection| connection.resumed = resumed)
    }

    /// What hosts the policy was chosen for. Only the acceptor says so: it made the choice.
    #[cfg(feature = "tls")]
    pub(crate) fn with_host_policy(self, policy: ChosenPolicy) -> Self {
        self.with(|connection| connection.host_policy = Some(policy))
    }

    /// Who knows whether this is still true. Only the acceptor does.
    #[cfg(feature = "tls")]
    pub(crate) fn with_standing(self, standing: Arc<dyn Standing>) -> Self {
        self.with(|connection| connection.standing = Some(standing))
    }

    /// What was made of it stays behind: what was changed may be in it.
    fn with(self, change: impl FnOnce(&mut Connection)) -> Self {
        let mut connection = Arc::unwrap_or_clone(self.connection);
        connection.headers = EncodedHeaders::default();
        connection.fallen = OnceLock::new();
        change(&mut connection);
        Self::from(connection)
    }

    fn from(connection: Connection) -> Self {
        Self { connection: Arc::new(connection), screened: false }
    }

    /// Marks a request, whose known headers the caller takes, if nobody has before: whether that is so.
    ///
    /// Most requests carry their connection, which is a cheaper place for a mark than one of its own.
    pub(crate) fn mark_screened<B>(request: &mut Request<B>) -> bool {
        let extensions = request.extensions_mut();
        match extensions.get_mut::<Self>() {
            Some(info) => info.mark(),
            None => extensions.insert(Screened).is_none(),
        }
    }

    /// Marks the request that this is on.
    pub(crate) fn mark(&mut self) -> bool {
        !std::mem::replace(&mut self.screened, true)
    }

    /// Whether a request is marked.
    pub(crate) fn is_screened<B>(request: &Request<B>) -> bool {
        let extensions = request.extensions();
        extensions.get::<Self>().is_some_and(|info| info.screened) || extensions.get::<Screened>().is_some()
    }

    /// Puts it onto a request, and marks that.
    pub(crate) fn insert_screened<B>(self, request: &mut Request<B>) {
        request.extensions_mut().insert(Self { screened: true, ..self });
    }

    /// What the client presented, if anything.
    #[must_use]
    pub fn peer_certificates(&self) -> Option<&PeerCertificates> {
        self.connection.peer_certificates.as_ref()
    }

    /// The policy under which the client was, or was not, asked. `None` if the TLS stack did not say.
    #[must_use]
    pub fn policy(&self) -> Option<ClientAuthPolicy> {
        self.connection.policy
    }

    /// The name the client asked for (SNI), lower-case.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.connection.server_name.as_deref()
    }

    /// The protocol agreed on by ALPN, `h2` for example.
    #[must_use]
    pub fn alpn_protocol(&self) -> Option<&[u8]> {
        self.connection.alpn_protocol.as_deref()
    }

    /// The version of TLS. `None` if the TLS stack did not say.
    #[must_use]
    pub fn protocol_version(&self) -> Option<TlsVersion> {
        self.connection.protocol_version
    }

    /// Whether the session was resumed. Its certificates were verified again all the same.
    #[must_use]
    pub fn resumed(&self) -> bool {
        self.connection.resumed
    }

    /// What hosts the policy was chosen for. `None` if the TLS stack is not ours.
    #[cfg(feature = "tls")]
    pub(crate) fn host_policy(&self) -> Option<&ChosenPolicy> {
        self.connection.host_policy.as_ref()
    }

    /// The headers a layer writes for this connection, made by `encode` the first time that layer asks.
    pub(crate) fn headers_once(&self, layer: LayerId, encode: impl Fn() -> Headers) -> Headers {
        self.connection.headers.get_or_init(layer, encode)
    }

    pub(crate) fn span(&self) -> &ConnectionSpan {
        &self.connection.span
    }

    /// What a request that comes now is to carry: the same, or one that says that the certificate is no longer worth
    /// what it was. `None` if a handshake would now be refused.
    pub(crate) fn by_now(&self) -> Option<Self> {
        let Some(standing) = &self.connection.standing else { return Some(self.clone()) };
        if let Some(fallen) = self.connection.fallen.get() {
            return fallen.clone();
        }
        match standing.check(self.server_name(), self.peer_certificates()) {
            Ok(()) => Some(self.clone()),
            Err(fallen) => self.connection.fallen.get_or_init(|| self.fallen(fallen)).clone(),
        }
    }

    /// Once per connection, with headers of its own.
    fn fallen(&self, fallen: Fallen) -> Option<Self> {
        match fallen {
            Fallen::Unverified(reason) => {
                #[cfg(feature = "tracing")]
                tracing::info!(%reason, "the client certificate of an open connection does not verify any more");
                let presented = self.peer_certificates()?.presented().to_vec();
                let peer = PeerCertificates::judged(presented, Err(reason));
                Some(self.clone().with(|connection| {
                    connection.peer_certificates = peer;
                    connection.standing = None;
                }))
            }
            Fallen::Refused(_reason) => {
                #[cfg(feature = "tracing")]
                tracing::info!(
                    reason = _reason,
                    "requests on an open connection are refused with 421: its handshake would not succeed any more"
                );
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::peer::Written;

    #[test]
    fn a_changed_connection_forgets_what_was_encoded() {
        let info = TlsConnectInfo::new(None);
        let headers = |text| {
            let lines = [(http::header::VIA, HeaderValue::from_static(text))].into();
            Some(Arc::new(Written { lines, all_names: true }))
        };
        info.headers_once(1, || headers("old"));
        assert_eq!(info.with_resumed(true).headers_once(1, || headers("new")), headers("new"));
    }
}
