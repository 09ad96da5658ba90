//! A server that is not set up for what its handlers ask: who runs it is told what to write, and its clients are not.

use std::fmt;
#[cfg(feature = "tracing")]
use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;

#[cfg(feature = "tracing")]
use crate::telemetry::limit::{Limit, limited};

/// One thing that can be missing.
#[derive(Debug)]
pub(crate) struct Advice {
    /// Each client can cause it, and to say it ten times and then once a second is enough.
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

    /// An empty response with status 500, and a warning with the text.
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables, clippy::unused_self))]
    pub(crate) fn answer(&self, text: &dyn fmt::Display) -> Response {
        #[cfg(feature = "tracing")]
        limited!(self.limit, warn, "answered with status 500: {text}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
