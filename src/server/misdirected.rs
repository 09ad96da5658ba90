//! Refuses requests for hosts with another policy than the one their connection was made under.

use std::task::{Context, Poll};

use http::header::HOST;
use http::{Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use crate::future::{Rejection, ResponseFuture};
use crate::host::{ChosenPolicy, Host};
use crate::peer::TlsConnectInfo;
use crate::telemetry::ConnectionSpan;

/// Refuses requests for hosts with another policy than the one their connection was made under.
///
/// Where policies are [chosen by server name](crate::ClientCertAcceptor::by_server_name), a client can name a host with
/// a lenient policy in its handshake (SNI), and a host with a strict policy in its requests. This need not be an
/// attack: over HTTP/2, browsers use one connection for all names in the server's certificate (RFC 9113 section 9.1.1).
/// Such a request is answered with `421 Misdirected Request` (RFC 9110 section 15.5.20), after which an honest client
/// tries again over a connection of its own.
///
/// Two hosts have the same policy if their verifiers have the same [fingerprint](crate::ClientVerifier::fingerprint):
/// the same `ClientAuthPolicy`, roots, CRLs, options and limits.
///
/// | request | answer |
/// |---|---|
/// | for a host that the connection's policy covers, in any spelling (case, trailing dot, port) | passed on |
/// | for another host: in `:authority`, in the target's absolute form, or in `Host` | 421 |
/// | with more than one `Host`; with none, and no authority; or with one that is not a host, `user@host` included | 400 |
/// | for an IP address, or a name that is not configured | treated as the fallback, whose policy a connection to it would get; 421 without a fallback |
/// | on a connection without [`TlsConnectInfo`] from a `ClientCertAcceptor`, plaintext for example | 500 |
///
/// On a port with one policy every request with a `TlsConnectInfo` is passed on, whatever its host.
///
/// The inner service must route by the authority or by `Host`. Nothing else that it might route by is checked, such as
/// `X-Forwarded-Host`.
///
/// [`WithTlsConnectInfo`](crate::WithTlsConnectInfo) does all of this except for the last row, so `make_service`,
/// axum-server and `info.layer(service)` do not need this layer. Use it where requests get their [`TlsConnectInfo`] in
/// another way; it refuses those that have none:
///
/// ```
/// use tower::{Layer, service_fn};
/// use tower_client_cert::RefuseMisdirectedLayer;
///
/// # let app = service_fn(|_: http::Request<()>| async { Ok::<_, std::convert::Infallible>(http::Response::new(())) });
/// let service = RefuseMisdirectedLayer::new().layer(app);
/// # let _ = service;
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "a layer does nothing until it is applied to a service"]
pub struct RefuseMisdirectedLayer {
    _private: (),
}

impl RefuseMisdirectedLayer {
    /// Makes the layer. There is nothing to configure: each connection knows for which hosts its policy was chosen.
    pub const fn new() -> Self {
        Self { _private: () }
    }
}

impl<S> Layer<S> for RefuseMisdirectedLayer {
    type Service = RefuseMisdirected<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RefuseMisdirected { inner }
    }
}

/// The service that [`RefuseMisdirectedLayer`] makes.
#[derive(Clone, Copy, Debug)]
pub struct RefuseMisdirected<S> {
    inner: S,
}

impl<S> RefuseMisdirected<S> {
    /// Returns a reference to the inner service.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for RefuseMisdirected<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(info) =
            request.extensions().get::<TlsConnectInfo>().filter(|info| info.host_policy().is_some())
        else {
            return ResponseFuture::refused(Problem::UnknownConnection.refusal());
        };
        match check(&request, info.host_policy()) {
            Ok(()) => ResponseFuture::inner(self.inner.call(request), ConnectionSpan::default()),
            Err(refusal) => ResponseFuture::refused(refusal),
        }
    }
}

/// Checks that all hosts that a request names have the connection's policy, since the service may route by any of them.
pub(crate) fn check<B>(request: &Request<B>, policy: Option<&ChosenPolicy>) -> Result<(), Rejection> {
    match policy {
        None => Ok(()),
        Some(policy) if policy.is_the_only_one() => Ok(()),
        Some(policy) => covers_all_hosts(request, policy).map_err(Problem::refusal),
    }
}

fn covers_all_hosts<B>(request: &Request<B>, policy: &ChosenPolicy) -> Result<(), Problem> {
    let mut headers = request.headers().get_all(HOST).iter();
    let header = headers.next().map(|value| value.as_bytes());
    if headers.next().is_some() {
        return Err(Problem::SeveralHosts);
    }
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    if authority.is_none() && header.is_none() {
        return Err(Problem::NoHost);
    }
    for host in authority.into_iter().chain(header) {
        let host = Host::from_authority(host).ok_or(Problem::MalformedHost)?;
        if !policy.covers(&host) {
            return Err(Problem::Misdirected);
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Problem {
    #[error("the policy of its host is not the one the connection was made under")]
    Misdirected,
    #[error("it has more than one Host header")]
    SeveralHosts,
    #[error("it names no host")]
    NoHost,
    #[error("its host is malformed")]
    MalformedHost,
    #[error("nothing says what policy its connection was made under: see RefuseMisdirectedLayer")]
    UnknownConnection,
}

impl Problem {
    /// Logs the problem, and returns the answer to it.
    fn refusal(self) -> Rejection {
        #[cfg(feature = "tracing")]
        match self {
            Self::UnknownConnection => tracing::warn!(reason = %self, "refused a request"),
            _ => tracing::debug!(reason = %self, "refused a request"),
        }
        Rejection::new(match self {
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::SeveralHosts | Self::NoHost | Self::MalformedHost => StatusCode::BAD_REQUEST,
            Self::UnknownConnection => StatusCode::INTERNAL_SERVER_ERROR,
        })
    }
}
