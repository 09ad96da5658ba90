//! Answers for a server that is not set up for what its handlers ask: the log says what to write, and the response says
//! nothing.

use std::fmt;
#[cfg(feature = "tracing")]
use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;

#[cfg(feature = "tracing")]
use crate::telemetry::limit::{Limit, limited};

/// One mistake in the setup of a server.
#[derive(Debug)]
pub(crate) struct Advice {
    /// Every client can trigger the warning, so it is logged ten times, and then once a second.
    #[cfg(feature = "tracing")]
    limit: Limit,
}

impl Advice {
    pub(crate) const fn new() -> Self {
        Self {
            #[cfg(feature = "tracing")]
            limit: Limit::new(10, Duration::from_secs(1)),
        }
    }

    /// Returns an empty response with status 500, and logs the text as a warning.
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables, clippy::unused_self))]
    pub(crate) fn answer(&self, text: &dyn fmt::Display) -> Response {
        #[cfg(feature = "tracing")]
        limited!(self.limit, warn, "answered with status 500: {text}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
