//! What the handshake found out about the peer: its certificates, and what they are worth.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use http::{HeaderName, HeaderValue, Request};
use rustls_pki_types::CertificateDer;
use tower_layer::Layer;
use tower_service::Service;

use crate::policy::ClientAuthPolicy;
use crate::span::{ConnectionSpan, ResponseFuture};

/// The certificates a TLS peer presented, and whether they were verified. Never empty.
///
/// Two things with two names: what the client *presented*, which is whatever it liked to send, and the path that
/// was *verified*, which leads from its certificate to one of the configured roots. A stranger's certificate sent
/// along is in the first and never in the second.
///
/// The client has proven that it holds the private key of [`end_entity`](Self::end_entity), verified or not.
///
/// A clone is a reference count. In axum handlers this type is an extractor; it takes the certificates from the TLS
/// connection and never from a header.
///
/// ```
/// use rustls_pki_types::CertificateDer;
/// use tower_client_cert::{PeerCertificates, Verification};
///
/// // What an acceptor other than ours can say of the certificates it was handed: nothing is known of them.
/// let der = CertificateDer::from(vec![0x30, 0x00]);
/// let peer = PeerCertificates::unverified(vec![der.clone()]).expect("one certificate");
/// assert_eq!(peer.end_entity(), &der);
/// assert!(!peer.is_verified());
/// assert!(matches!(peer.verification(), Verification::Unverified(_)));
/// assert!(PeerCertificates::unverified(vec![]).is_none());
/// ```
#[derive(Clone)]
pub struct PeerCertificates(Arc<Chain>);

struct Chain {
    presented: Vec<CertificateDer<'static>>,
    verification: Verification,
    /// Empty unless verified.
    verified_path: Vec<CertificateDer<'static>>,
}

impl PeerCertificates {
    /// Certificates that nobody has checked, end entity first. `None` if there are none.
    ///
    /// For TLS stacks other than this crate's acceptor. There is no public constructor of a *verified* value: only
    /// `ClientVerifier` makes one (feature `tls`).
    #[must_use]
    pub fn unverified(presented: Vec<CertificateDer<'static>>) -> Option<Self> {
        Self::judged(presented, Err(UnverifiedReason::NotChecked))
    }

    /// Certificates with a verdict: the path that was verified, or why none was.
    pub(crate) fn judged(
        presented: Vec<CertificateDer<'static>>,
        verdict: Result<Vec<CertificateDer<'static>>, UnverifiedReason>,
    ) -> Option<Self> {
        if presented.is_empty() {
            return None;
        }
        let (verification, verified_path) = match verdict {
            Ok(path) => (Verification::Verified, path),
            Err(reason) => (Verification::Unverified(reason), Vec::new()),
        };
        Some(Self(Arc::new(Chain { presented, verification, verified_path })))
    }

    /// The client's own certificate.
    #[must_use]
    #[allow(clippy::indexing_slicing)] // never empty, see `judged`
    pub fn end_entity(&self) -> &CertificateDer<'static> {
        &self.0.presented[0]
    }

    /// What the client sent after its own certificate. Nobody has checked that these have anything to do with it:
    /// see [`verified_path`](Self::verified_path).
    #[must_use]
    #[allow(clippy::indexing_slicing)] // never empty, see `judged`
    pub fn intermediates(&self) -> &[CertificateDer<'static>] {
        &self.0.presented[1..]
    }

    /// Everything the client sent, end entity first, as Go's `PeerCertificates` and as Skipper forwards it.
    #[must_use]
    pub fn presented(&self) -> &[CertificateDer<'static>] {
        &self.0.presented
    }

    /// The path that was verified: end entity first, then each intermediate up to, and without, the root.
    /// `None` if the certificate was not verified.
    #[must_use]
    pub fn verified_path(&self) -> Option<&[CertificateDer<'static>]> {
        self.is_verified().then_some(&self.0.verified_path)
    }

    /// Whether the configured roots and CRLs vouch for [`end_entity`](Self::end_entity), and if not, why.
    #[must_use]
    pub fn verification(&self) -> Verification {
        self.0.verification
    }

    /// Short for `verification() == Verification::Verified`.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.0.verification == Verification::Verified
    }
}

/// Sizes and the verdict; certificates are personal data, and logs are read by many.
impl fmt::Debug for PeerCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<usize> = self.0.presented.iter().map(|certificate| certificate.len()).collect();
        f.debug_struct("PeerCertificates")
            .field("presented_bytes", &sizes)
            .field("verification", &self.0.verification)
            .finish_non_exhaustive()
    }
}

/// What a certificate is worth: nginx's `$ssl_client_verify` as a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // a third answer would be a change every reader must see
pub enum Verification {
    /// The configured roots and CRLs verified it for this connection.
    Verified,
    /// They did not, and this is why. The client still holds its private key.
    Unverified(UnverifiedReason),
}

/// As nginx prints it: `SUCCESS`, or `FAILED:` and the reason.
impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified => f.write_str("SUCCESS"),
            Self::Unverified(reason) => write!(f, "FAILED:{reason}"),
        }
    }
}

/// Why a certificate is not verified. Prints OpenSSL's words where OpenSSL has them, since operators know those from
/// nginx's and Apache's logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnverifiedReason {
    /// Nothing was configured to verify it with.
    NotChecked,
    /// No path to a configured root; self-signed certificates and missing intermediates end here too.
    UnknownIssuer,
    /// Past its `notAfter`, or one of its issuers is.
    Expired,
    /// Before its `notBefore`, or one of its issuers is.
    NotYetValid,
    /// On a CRL.
    Revoked,
    /// CRLs are configured, and none of them speaks for its issuer.
    UnknownRevocationStatus,
    /// A CRL that speaks for its issuer is out of date.
    ExpiredCrl,
    /// Its extended key usage does not allow client authentication.
    NotForClientAuth,
    /// A CA certificate used as the client's own.
    CaUsedAsEndEntity,
    /// A name or path length constraint of an issuer forbids it.
    ConstraintViolated,
    /// A signature in the chain does not fit, or its algorithm is not supported.
    BadSignature,
    /// X.509 v1, or a critical extension that the verifier does not know.
    Unsupported,
    /// Anything else.
    Invalid,
}

impl UnverifiedReason {
    /// The words, printable ASCII.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotChecked => "not checked",
            Self::UnknownIssuer => "unable to get local issuer certificate",
            Self::Expired => "certificate has expired",
            Self::NotYetValid => "certificate is not yet valid",
            Self::Revoked => "certificate revoked",
            Self::UnknownRevocationStatus => "unable to get certificate CRL",
            Self::ExpiredCrl => "CRL has expired",
            Self::NotForClientAuth => "unsuitable certificate purpose",
            Self::CaUsedAsEndEntity => "CA certificate used as end entity",
            Self::ConstraintViolated => "issuer constraint violated",
            Self::BadSignature => "certificate signature failure",
            Self::Unsupported => "unsupported certificate version or critical extension",
            Self::Invalid => "invalid certificate",
        }
    }
}

impl fmt::Display for UnverifiedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

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
/// different things. It is a [`Layer`]: `info.layer(service)` puts it on each request that `service` gets, which is
/// all that a server without axum has to do.
///
/// A clone is a reference count.
///
/// ```
/// use http::Request;
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_client_cert::{ClientAuthPolicy, TlsConnectInfo};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let info = TlsConnectInfo::new(None).with_policy(ClientAuthPolicy::RequestClientCert);
/// let service = info.layer(service_fn(|request: Request<()>| async move {
///     let info = request.extensions().get::<TlsConnectInfo>().expect("the layer puts it there");
///     Ok::<_, std::convert::Infallible>(info.peer_certificates().is_none())
/// }));
/// assert!(service.oneshot(Request::new(())).await.unwrap());
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct TlsConnectInfo(Arc<Connection>);

#[derive(Clone, Debug, Default)]
struct Connection {
    peer_certificates: Option<PeerCertificates>,
    policy: Option<ClientAuthPolicy>,
    server_name: Option<String>,
    alpn_protocol: Option<Vec<u8>>,
    protocol_version: Option<TlsVersion>,
    resumed: bool,
    headers: EncodedHeaders,
    span: ConnectionSpan,
}

impl TlsConnectInfo {
    /// A connection on which the client presented these certificates, or none. The rest is unknown.
    ///
    /// `ClientCertAcceptor` makes this itself; the constructor is for TLS stacks other than ours, and for tests.
    ///
    /// With feature `tracing` it remembers the span that it is made in. As a [`Layer`] it has requests served within
    /// that span.
    #[must_use]
    pub fn new(peer_certificates: Option<PeerCertificates>) -> Self {
        Self(Arc::new(Connection {
            peer_certificates,
            span: ConnectionSpan::current(),
            ..Connection::default()
        }))
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

    /// Encoded headers stay behind: what was changed may be in them.
    fn with(self, change: impl FnOnce(&mut Connection)) -> Self {
        let mut connection = Arc::unwrap_or_clone(self.0);
        connection.headers = EncodedHeaders::default();
        change(&mut connection);
        Self(Arc::new(connection))
    }

    /// What the client presented, if anything.
    #[must_use]
    pub fn peer_certificates(&self) -> Option<&PeerCertificates> {
        self.0.peer_certificates.as_ref()
    }

    /// The policy under which the client was, or was not, asked. `None` if the TLS stack did not say.
    #[must_use]
    pub fn policy(&self) -> Option<ClientAuthPolicy> {
        self.0.policy
    }

    /// The name the client asked for (SNI), lower-case.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.0.server_name.as_deref()
    }

    /// The protocol agreed on by ALPN, `h2` for example.
    #[must_use]
    pub fn alpn_protocol(&self) -> Option<&[u8]> {
        self.0.alpn_protocol.as_deref()
    }

    /// The version of TLS. `None` if the TLS stack did not say.
    #[must_use]
    pub fn protocol_version(&self) -> Option<TlsVersion> {
        self.0.protocol_version
    }

    /// Whether the session was resumed. Its certificates were verified again all the same.
    #[must_use]
    pub fn resumed(&self) -> bool {
        self.0.resumed
    }

    /// The headers a layer writes for this connection, made by `encode` the first time that layer asks.
    pub(crate) fn headers_once(&self, layer: LayerId, encode: impl Fn() -> Headers) -> Headers {
        self.0.headers.get_or_init(layer, encode)
    }
}

/// Tells the layers apart that write headers on one connection.
pub(crate) type LayerId = u64;

/// Ready headers. A clone is a reference count, and so is a clone of each name and value.
pub(crate) type Headers = Arc<[(HeaderName, HeaderValue)]>;

/// An append-only list of what each layer wrote: readable without a lock, and shared by all streams of a connection.
#[derive(Clone, Debug, Default)]
struct EncodedHeaders(OnceLock<Box<EncodedBy>>);

#[derive(Clone, Debug)]
struct EncodedBy {
    layer: LayerId,
    headers: Headers,
    next: EncodedHeaders,
}

impl EncodedHeaders {
    /// Nobody stacks more layers than this. A program that makes a new layer for each request must not fill memory.
    const MAX: usize = 8;

    fn get_or_init(&self, layer: LayerId, encode: impl Fn() -> Headers) -> Headers {
        let mut slot = self;
        for _ in 0..Self::MAX {
            let entry = slot
                .0
                .get_or_init(|| Box::new(EncodedBy { layer, headers: encode(), next: Self::default() }));
            if entry.layer == layer {
                return Arc::clone(&entry.headers);
            }
            slot = &entry.next;
        }
        encode()
    }
}

impl<S> Layer<S> for TlsConnectInfo {
    type Service = WithTlsConnectInfo<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithTlsConnectInfo { inner, info: self.clone() }
    }
}

/// Puts one connection's [`TlsConnectInfo`] on every request. Made by `TlsConnectInfo`'s [`Layer`].
#[derive(Clone, Debug)]
pub struct WithTlsConnectInfo<S> {
    inner: S,
    info: TlsConnectInfo,
}

impl<S, B> Service<Request<B>> for WithTlsConnectInfo<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(self.info.clone());
        let span = &self.info.0.span;
        ResponseFuture::new(span.within(|| self.inner.call(request)), span.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &'static str) -> Headers {
        Arc::from([(http::header::VIA, HeaderValue::from_static(text))])
    }

    #[test]
    fn each_layer_encodes_once_per_connection() {
        let info = TlsConnectInfo::new(None);
        let first = info.headers_once(1, || headers("one"));
        let other = info.clone().headers_once(2, || headers("two"));
        assert!(Arc::ptr_eq(&first, &info.headers_once(1, || unreachable!("encoded already"))));
        assert!(Arc::ptr_eq(&other, &info.headers_once(2, || unreachable!("encoded already"))));
        assert_ne!(first, other);
    }

    #[test]
    fn layers_beyond_the_bound_still_get_their_own_headers() {
        let info = TlsConnectInfo::new(None);
        for layer in 0..1_000 {
            let made =
                info.headers_once(layer, || Arc::from([(http::header::AGE, HeaderValue::from(layer))]));
            assert_eq!(made[0].1, layer.to_string());
        }
        assert_eq!(info.headers_once(5, || unreachable!("among the first"))[0].1, "5");
    }

    #[test]
    fn a_changed_connection_forgets_what_was_encoded() {
        let info = TlsConnectInfo::new(None);
        info.headers_once(1, || headers("old"));
        assert_eq!(info.with_resumed(true).headers_once(1, || headers("new")), headers("new"));
    }

    #[test]
    fn debug_shows_no_certificate_bytes() {
        let peer = PeerCertificates::unverified(vec![CertificateDer::from(vec![0x30, 0x01, 0xAB])]).unwrap();
        let shown = format!("{:?}", TlsConnectInfo::new(Some(peer)));
        assert!(shown.contains("presented_bytes: [3]") && !shown.contains("171"), "{shown}");
    }
}
