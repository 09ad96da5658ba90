//! The span of a connection.

/// The span in which a connection's requests are served. Without the feature `tracing` there is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionSpan(#[cfg(feature = "tracing")] Option<tracing::Span>);

impl ConnectionSpan {
    /// Returns the current span.
    pub(crate) fn current() -> Self {
        Self(
            #[cfg(feature = "tracing")]
            Some(tracing::Span::current()).filter(|span| !span.is_none()),
        )
    }

    /// Enters the span, until the returned guard is dropped.
    #[cfg(feature = "tracing")]
    pub(crate) fn enter(&self) -> Option<tracing::span::Entered<'_>> {
        self.0.as_ref().map(tracing::Span::enter)
    }

    #[cfg(not(feature = "tracing"))]
    #[allow(clippy::unused_self)]
    pub(crate) fn enter(&self) -> NothingEntered {
        NothingEntered
    }
}

#[cfg(not(feature = "tracing"))]
pub(crate) struct NothingEntered;
