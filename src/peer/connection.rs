use std::sync::{Arc, OnceLock};

use http::Request;

use super::certificates::PeerCertificates;
use super::encoded::{EncodedHeaders, Headers, LayerId};
use super::standing::{Demotion, Standing};
#[cfg(feature = "tls")]
use crate::host::ChosenPolicy;
use crate::policy::ClientAuthPolicy;
use crate::telemetry::ConnectionSpan;

/// The TLS version that was negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// What the acceptor learned about one TLS connection. Every request of the connection carries it as an extension.
///
/// It is there whether or not the client presented a certificate, so that a request without a certificate can be told
/// from one that came over no acceptor. It is a [`Layer`](tower_layer::Layer): `info.layer(service)` attaches it to
/// each request that `service` gets, and is all that a server without axum needs.
/// [`WithTlsConnectInfo`](crate::WithTlsConnectInfo) says what else that does.
///
/// The value on a request is true when the request begins. If the certificate expires while its connection is open, or
/// a reload revokes it, later requests carry another value, which says so.
///
/// Cloning is cheap: it copies a reference-counted pointer.
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
    /// On a request: whether the headers that a reader of client certificates might believe have been removed from it.
    screened: bool,
}

/// Marks a request as screened, if it carries no [`TlsConnectInfo`].
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
    /// `None` if the standing of the connection can never change.
    standing: Option<Arc<dyn Standing>>,
    demoted: OnceLock<Option<TlsConnectInfo>>,
}

impl TlsConnectInfo {
    /// Describes a connection on which the client presented these certificates, or none. All else is unknown.
    ///
    /// `ClientCertAcceptor` makes this value itself; the constructor is for TLS stacks other than ours, and for tests.
    ///
    /// With feature `tracing`, the value remembers the span in which it is made. As a [`Layer`](tower_layer::Layer) it
    /// serves requests within that span.
    #[must_use]
    pub fn new(peer_certificates: Option<PeerCertificates>) -> Self {
        Self::from(Connection { peer_certificates, span: ConnectionSpan::current(), ..Connection::default() })
    }

    /// Sets the policy under which the client was, or was not, asked for a certificate.
    #[must_use]
    pub fn with_policy(self, policy: ClientAuthPolicy) -> Self {
        self.with(|connection| connection.policy = Some(policy))
    }

    /// Sets the name that the client asked for (SNI).
    #[must_use]
    pub fn with_server_name(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.with(|connection| connection.server_name = Some(name))
    }

    /// Sets the protocol that was agreed on by ALPN, `h2` for example.
    #[must_use]
    pub fn with_alpn_protocol(self, protocol: impl Into<Vec<u8>>) -> Self {
        let protocol = protocol.into();
        self.with(|connection| connection.alpn_protocol = Some(protocol))
    }

    /// Sets the TLS version.
    #[must_use]
    pub fn with_protocol_version(self, version: TlsVersion) -> Self {
        self.with(|connection| connection.protocol_version = Some(version))
    }

    /// Sets whether the session was resumed.
    #[must_use]
    pub fn with_resumed(self, resumed: bool) -> Self {
        self.with(|connection| connection.resumed = resumed)
    }

    /// Sets the hosts that the policy was chosen for. Only the acceptor knows them, since it made the choice.
    #[cfg(feature = "tls")]
    pub(crate) fn with_host_policy(self, policy: ChosenPolicy) -> Self {
        self.with(|connection| connection.host_policy = Some(policy))
    }

    /// Sets what can tell whether this information is still true. Only the acceptor has that.
    #[cfg(feature = "tls")]
    pub(crate) fn with_standing(self, standing: Arc<dyn Standing>) -> Self {
        self.with(|connection| connection.standing = Some(standing))
    }

    /// Changes the connection, and drops everything that was derived from it and might contain what was changed.
    fn with(self, change: impl FnOnce(&mut Connection)) -> Self {
        let mut connection = Arc::unwrap_or_clone(self.connection);
        connection.headers = EncodedHeaders::default();
        connection.demoted = OnceLock::new();
        change(&mut connection);
        Self::from(connection)
    }

    fn from(connection: Connection) -> Self {
        Self { connection: Arc::new(connection), screened: false }
    }

    /// Marks a request as screened. Returns whether the caller is the first to do so, and must remove its known
    /// headers.
    ///
    /// Most requests carry their `TlsConnectInfo`, in which a mark is cheaper than in an extension of its own.
    pub(crate) fn mark_screened<B>(request: &mut Request<B>) -> bool {
        let extensions = request.extensions_mut();
        match extensions.get_mut::<Self>() {
            Some(info) => info.mark(),
            None => extensions.insert(Screened).is_none(),
        }
    }

    /// Marks the request that carries this value. Returns whether it was not marked before.
    pub(crate) fn mark(&mut self) -> bool {
        !std::mem::replace(&mut self.screened, true)
    }

    /// Whether a request is marked as screened.
    pub(crate) fn is_screened<B>(request: &Request<B>) -> bool {
        let extensions = request.extensions();
        extensions.get::<Self>().is_some_and(|info| info.screened) || extensions.get::<Screened>().is_some()
    }

    /// Attaches this to a request, and marks the request as screened.
    pub(crate) fn insert_screened<B>(self, request: &mut Request<B>) {
        request.extensions_mut().insert(Self { screened: true, ..self });
    }

    /// Returns the certificates that the client presented. `None` if it presented none.
    #[must_use]
    pub fn peer_certificates(&self) -> Option<&PeerCertificates> {
        self.connection.peer_certificates.as_ref()
    }

    /// Returns the policy under which the client was, or was not, asked for a certificate. `None` if the TLS stack did
    /// not say.
    #[must_use]
    pub fn policy(&self) -> Option<ClientAuthPolicy> {
        self.connection.policy
    }

    /// Returns the name that the client asked for (SNI), if any.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.connection.server_name.as_deref()
    }

    /// Returns the protocol that was agreed on by ALPN, `h2` for example.
    #[must_use]
    pub fn alpn_protocol(&self) -> Option<&[u8]> {
        self.connection.alpn_protocol.as_deref()
    }

    /// Returns the TLS version. `None` if the TLS stack did not say.
    #[must_use]
    pub fn protocol_version(&self) -> Option<TlsVersion> {
        self.connection.protocol_version
    }

    /// Whether the session was resumed. This crate's acceptor judges the certificates of a resumed session again.
    #[must_use]
    pub fn resumed(&self) -> bool {
        self.connection.resumed
    }

    /// Returns the hosts that the policy was chosen for. `None` if the TLS stack is not ours.
    #[cfg(feature = "tls")]
    pub(crate) fn host_policy(&self) -> Option<&ChosenPolicy> {
        self.connection.host_policy.as_ref()
    }

    /// Returns the headers that a layer writes on this connection. `encode` makes them the first time that the layer
    /// asks.
    pub(crate) fn headers_once(&self, layer: LayerId, encode: impl Fn() -> Headers) -> Headers {
        self.connection.headers.get_or_init(layer, encode)
    }

    pub(crate) fn span(&self) -> &ConnectionSpan {
        &self.connection.span
    }

    /// Returns what the next request is to carry: this value, or one that says that the certificate is no longer worth
    /// what it was. `None` if a handshake would now be refused.
    pub(crate) fn current(&self) -> Option<Self> {
        let Some(standing) = &self.connection.standing else { return Some(self.clone()) };
        if let Some(demoted) = self.connection.demoted.get() {
            return demoted.clone();
        }
        match standing.check(self.server_name(), self.peer_certificates()) {
            Ok(()) => Some(self.clone()),
            Err(demotion) => self.connection.demoted.get_or_init(|| self.demote(demotion)).clone(),
        }
    }

    /// Makes the value for later requests, once per connection. It encodes its own headers.
    fn demote(&self, demotion: Demotion) -> Option<Self> {
        match demotion {
            Demotion::Unverified(reason) => {
                #[cfg(feature = "tracing")]
                tracing::info!(%reason, "the client certificate of an open connection does not verify any more");
                let presented = self.peer_certificates()?.presented().to_vec();
                let peer = PeerCertificates::judged(presented, Err(reason));
                Some(self.clone().with(|connection| {
                    connection.peer_certificates = peer;
                    connection.standing = None;
                }))
            }
            Demotion::Refused(_reason) => {
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
