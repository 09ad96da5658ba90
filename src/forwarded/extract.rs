//! The axum extractors.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;

use super::{ForwardedClientCert, ForwardedClientCertError};

/// Rejects with [`ForwardedClientCertError`], which says why and has a status for each reason.
impl<S: Sync, D: 'static> FromRequestParts<S> for ForwardedClientCert<D> {
    type Rejection = ForwardedClientCertError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Self::from_extensions(&parts.extensions)
    }
}

/// `None` for the requests that are [anonymous](ForwardedClientCertError::is_anonymous). Those with which something is
/// wrong are rejected: malformed is not anonymous.
impl<S: Sync, D: 'static> OptionalFromRequestParts<S> for ForwardedClientCert<D> {
    type Rejection = ForwardedClientCertError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Self::Rejection> {
        match Self::from_extensions(&parts.extensions) {
            Ok(client) => Ok(Some(client)),
            Err(error) if error.is_anonymous() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl IntoResponse for ForwardedClientCertError {
    fn into_response(self) -> Response {
        (self.status(), self.to_string()).into_response()
    }
}
