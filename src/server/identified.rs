//! axum extractors for the identity of the client.

use std::fmt;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use super::advice::Advice;
use super::extract::PeerCertificatesRejection;
use crate::identity::{ClientIdentity, IdentityError};
use crate::peer::{PROXIED_ADVICE, PeerCertificates, Proxied, UnverifiedReason, Verification};

/// Extracts the identity of the client.
///
/// Behind [`RequireClientCert`](crate::RequireClientCert), this is the identity that it let in, wherever that came
/// from. Elsewhere, it is the identity in the certificate of this TLS connection, if that was verified.
///
/// Behind a [`ForwardedClientCertLayer`](crate::forwarded::ForwardedClientCertLayer), the TLS connection is a proxy's
/// and not the client's. There only a [`RequireClientCert`](crate::RequireClientCert) with the source
/// [`FromForwarded`](crate::forwarded::FromForwarded) provides an identity; without one, the extractor rejects with
/// status 500 and logs what to write.
///
/// The identity never comes from an unverified certificate, unless a rule on the route says in its name that this is
/// enough. To read an unverified one, extract [`PeerCertificates`] and call [`identity`](PeerCertificates::identity).
impl<S: Sync> FromRequestParts<S> for ClientIdentity {
    type Rejection = ClientIdentityRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        if let Some(identity) = parts.extensions.get::<Self>() {
            return Ok(identity.clone());
        }
        if Proxied::marks(&parts.extensions) {
            return Err(ClientIdentityRejection::ProxyConnection);
        }
        let peer = <PeerCertificates as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        match peer.verification() {
            Verification::Verified => Ok(peer.identity()?.clone()),
            Verification::Unverified(reason) => Err(ClientIdentityRejection::Unverified(reason)),
        }
    }
}

/// Extracts `None` if the client presented no certificate. Rejects in all other cases in which `ClientIdentity` does.
impl<S: Sync> OptionalFromRequestParts<S> for ClientIdentity {
    type Rejection = ClientIdentityRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Self::Rejection> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(client) => Ok(Some(client)),
            Err(ClientIdentityRejection::NoCertificate(PeerCertificatesRejection::NoCertificate)) => Ok(None),
            Err(rejection) => Err(rejection),
        }
    }
}

/// Explains why a handler gets no [`ClientIdentity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientIdentityRejection {
    /// The client presented no certificate (status 401), or could not present one (status 500).
    #[error(transparent)]
    NoCertificate(#[from] PeerCertificatesRejection),
    /// The certificate was not verified. Status 403.
    #[error("a verified client certificate is needed here: {0}")]
    Unverified(UnverifiedReason),
    /// The certificate can't be read. Status 403.
    #[error("the client certificate cannot be read: {0}")]
    Unreadable(#[from] IdentityError),
    /// The connection's certificate is a proxy's, and no rule let a client in by what the proxy says. The response has
    /// status 500 and an empty body; the log and this error's text say what to write.
    #[error("who the client is was never asked: {PROXIED_ADVICE}")]
    ProxyConnection,
}

impl IntoResponse for ClientIdentityRejection {
    fn into_response(self) -> Response {
        static ADVICE: Advice = Advice::new();
        match self {
            Self::NoCertificate(rejection) => rejection.into_response(),
            Self::Unverified(_) | Self::Unreadable(_) => {
                (StatusCode::FORBIDDEN, self.to_string()).into_response()
            }
            Self::ProxyConnection => ADVICE.answer(&self),
        }
    }
}

/// Extracts a type of your own, made from the [`ClientIdentity`] by its [`TryFrom`].
///
/// ```
/// use axum::http::StatusCode;
/// use axum::{Router, routing::get};
/// use tower_client_cert::ClientIdentity;
/// use tower_client_cert::Identified;
///
/// /// A service of the shop, named by the path of its SPIFFE ID.
/// struct Service(String);
///
/// impl TryFrom<ClientIdentity> for Service {
///     type Error = StatusCode;
///
///     fn try_from(client: ClientIdentity) -> Result<Self, Self::Error> {
///         let id = client.spiffe_id().map_err(|_| StatusCode::FORBIDDEN)?;
///         match (id.trust_domain(), id.path().strip_prefix("/service/")) {
///             ("shop.example", Some(name)) => Ok(Self(name.to_owned())),
///             _ => Err(StatusCode::FORBIDDEN),
///         }
///     }
/// }
///
/// async fn hello(Identified(Service(name)): Identified<Service>) -> String {
///     format!("Hello, {name}.")
/// }
///
/// let app: Router = Router::new().route("/", get(hello));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
// Not `non_exhaustive`: taken apart in the arguments of handlers
pub struct Identified<T>(pub T);

impl<S, T> FromRequestParts<S> for Identified<T>
where
    S: Sync,
    T: TryFrom<ClientIdentity, Error: IntoResponse>,
{
    type Rejection = IdentifiedRejection<T::Error>;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let identity = <ClientIdentity as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        T::try_from(identity).map(Self).map_err(IdentifiedRejection::Refused)
    }
}

/// Explains why a handler gets no [`Identified`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentifiedRejection<E> {
    /// There is no identity to convert.
    NoIdentity(ClientIdentityRejection),
    /// The conversion refused the identity.
    Refused(E),
}

impl<E> From<ClientIdentityRejection> for IdentifiedRejection<E> {
    fn from(rejection: ClientIdentityRejection) -> Self {
        Self::NoIdentity(rejection)
    }
}

impl<E: fmt::Display> fmt::Display for IdentifiedRejection<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoIdentity(rejection) => rejection.fmt(f),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for IdentifiedRejection<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoIdentity(rejection) => rejection.source(),
            Self::Refused(error) => error.source(),
        }
    }
}

impl<E: IntoResponse> IntoResponse for IdentifiedRejection<E> {
    fn into_response(self) -> Response {
        match self {
            Self::NoIdentity(rejection) => rejection.into_response(),
            Self::Refused(error) => error.into_response(),
        }
    }
}
