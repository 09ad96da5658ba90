//! axum extractors for what the handshake found out.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::peer::{PeerCertificates, TlsConnectInfo};
use crate::policy::ClientAuthPolicy;
use crate::server::advice::Advice;

/// Extracts the connection that a request came over: behind a proxy, the proxy's.
///
/// Rejects with 500 if nothing attaches `TlsConnectInfo` to requests.
impl<S: Sync> FromRequestParts<S> for TlsConnectInfo {
    type Rejection = MissingTlsConnectInfo;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get().cloned().ok_or(MissingTlsConnectInfo)
    }
}

/// Extracts the certificates that the client presented on this connection.
///
/// Rejects with 401 if the client presented none, and with 500 if it could not present any because of how the server is
/// set up.
///
/// The certificates are those of the connection itself. Behind a proxy they are the proxy's; the client's are in a
/// [`ForwardedClientCert`](crate::forwarded::ForwardedClientCert).
///
/// A certificate need not be *verified* to be extracted: see [`PeerCertificates::verification`].
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

/// Extracts `None` if the client presented no certificate. Rejects with 500 if nothing attaches `TlsConnectInfo` to
/// requests.
impl<S: Sync> OptionalFromRequestParts<S> for PeerCertificates {
    type Rejection = MissingTlsConnectInfo;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Self::Rejection> {
        let info: &TlsConnectInfo = parts.extensions.get().ok_or(MissingTlsConnectInfo)?;
        Ok(info.peer_certificates().cloned())
    }
}

/// The rejection if nothing attaches [`TlsConnectInfo`] to requests, because the server is not set up for it.
///
/// The response has status 500 and an empty body. The log and this error's text say what to write.
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

/// Explains why a handler gets no [`PeerCertificates`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerCertificatesRejection {
    /// The client presented no certificate. Status 401, as in Skipper.
    #[error("a client certificate is needed here, and none was presented in the TLS handshake")]
    NoCertificate,
    /// The server's policy is not to ask for a certificate. The response has status 500 and an empty body; the log and
    /// this error's text say what to write.
    #[error(
        "a client certificate is needed here, and the server never asks for one: its policy is NoClientCert. Build the \
         verifier with `ClientAuthPolicy::RequestClientCert.verifier()`, or another policy that asks"
    )]
    NeverAsked,
    /// Nothing attaches [`TlsConnectInfo`] to requests. Status 500.
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
