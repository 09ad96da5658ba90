//! The axum extractors.

#[cfg(feature = "tracing")]
use std::time::Duration;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;

use super::{ForwardedClientCert, ForwardedClientCertError, Required};
use crate::server::Advice;
#[cfg(feature = "tracing")]
use crate::telemetry::limit::{Limit, limited};

/// Rejects with [`ForwardedClientCertError`], which names the reason and has a status for each reason. A response with
/// status 500 is empty: the text about the server's setup goes to the log.
impl<S: Sync, D: 'static> FromRequestParts<S> for ForwardedClientCert<D> {
    type Rejection = ForwardedClientCertError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let required = Required::of(&parts.extensions);
        #[cfg(feature = "tracing")]
        if let Err(ForwardedClientCertError::Untrusted { header: None }) = &required.outcome {
            static LIMIT: Limit = Limit::new(10, Duration::from_millis(100));
            limited!(
                LIMIT,
                info,
                peer = required.peer.map(tracing::field::display),
                "refused a request with status 403: a forwarded client certificate is needed, and the request does not \
                 come from a trusted proxy"
            );
        }
        required.outcome
    }
}

/// Extracts `None` from [anonymous](ForwardedClientCertError::is_anonymous) requests. Requests with which something is
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
        static HOP_UNKNOWN: Advice = Advice::new();
        static LAYER_MISSING: Advice = Advice::new();
        match self {
            Self::HopUnknown => HOP_UNKNOWN.answer(&self),
            Self::LayerMissing { .. } => LAYER_MISSING.answer(&self),
            _ => (self.status(), self.to_string()).into_response(),
        }
    }
}
