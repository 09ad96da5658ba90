//! axum extractors for what the handshake found out.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::peer::{PeerCertificates, TlsConnectInfo};
use crate::policy::ClientAuthPolicy;
use crate::server::advice::Advice;

/// The connection a request came over: behind a proxy, the proxy's. Rejects with 500 if nothing puts it on requests.
impl<S: Sync> FromRequestParts<S> for TlsConnectInfo {
    type Rejection = MissingTlsConnectInfo;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get().cloned().ok_or(MissingTlsConnectInfo)
    }
}

/// The certificates the client presented on this connection. Rejects with 401 if it has none, and with 500 if it can't
/// have any, because of how the server is set up.
///
/// They are those of the connection itself. Behind a proxy that is the proxy's, and the client's are a
/// [`ForwardedClientCert`](crate::forwarded::ForwardedClientCert).
///
/// Whether they were *verified* is a question of its own: see [`PeerCertificates::verification`].
impl<S: Sync> FromRequestParts<S> for PeerCertificates {
    type Rejection = PeerCertificatesRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let info: &TlsConnectInfo = parts.extensions.get().ok_or(MissingTlsConnectInfo)?;
        match (info.peer_certificates(), info.policy()) {
            (Some(peer), _) => Ok(peer.clone()),
            (None, Some(ClientAuthPolicy::NoClientCert)) => Err(PeerCertificatesRejection::NeverAsked),
            (None, _) => Err(PeerCertificatesRejection::NoCertificate),
        }
    }
}

/// `None` if the client presented no certificate. Rejects with 500 if nobody looked.
impl<S: Sync> OptionalFromRequestParts<S> for PeerCertificates {
    type Rejection = MissingTlsConnectInfo;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Self::Rejection> {
        let info: &TlsConnectInfo = parts.extensions.get().ok_or(MissingTlsConnectInfo)?;
        Ok(info.peer_certificates().cloned())
    }
}

/// Nothing puts [`TlsConnectInfo`] on requests: the server is not set up for it. Status 500; what to write is in the log,
/// and in this error's text, and not in the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the request carries no TlsConnectInfo: serve the app with `axum::serve(TlsListener::new(listener, acceptor), \
     tower_client_cert::make_service(app))`; behind a proxy that ends TLS, take a `ForwardedClientCert` behind a \
     `ForwardedClientCertLayer` instead"
)]
#[non_exhaustive]
pub struct MissingTlsConnectInfo;

impl IntoResponse for MissingTlsConnectInfo {
    fn into_response(self) -> Response {
        static ADVICE: Advice = Advice::new();
        ADVICE.answer(&self)
    }
}

/// Why there are no [`PeerCertificates`] for a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerCertificatesRejection {
    /// The client presented none. Status 401, as in Skipper.
    #[error("a client certificate is needed here, and none was presented in the TLS handshake")]
    NoCertificate,
    /// The server's policy is not to ask for one. Status 500; what to write is in the log, and in this error's text, and
    /// not in the response.
    #[error(
        "a client certificate is needed here, and the server never asks for one: its policy is NoClientCert. Build the \
         verifier with `ClientAuthPolicy::RequestClientCert.verifier()`, or another policy that asks"
    )]
    NeverAsked,
    /// Nobody looked. Status 500.
    #[error(transparent)]
    MissingTlsConnectInfo(#[from] MissingTlsConnectInfo),
}

impl IntoResponse for PeerCertificatesRejection {
    fn into_response(self) -> Response {
        static NEVER_ASKED: Advice = Advice::new();
        match self {
            Self::NoCertificate => (StatusCode::UNAUTHORIZED, self.to_string()).into_response(),
            Self::NeverAsked => NEVER_ASKED.answer(&self),
            Self::MissingTlsConnectInfo(missing) => missing.into_response(),
        }
    }
}
