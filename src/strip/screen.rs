//! Removes every known header from a request, once, in whichever of this crate's services the request reaches first.

use http::{HeaderMap, HeaderName, Request};

use super::names::{self, Names};

/// The known headers that a request came with.
///
/// Only this crate's readers can look here. An application that reads its request's headers finds what this crate's
/// layers wrote, or nothing. Nothing in these headers is known to be true.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    /// Whether the metric of stripped headers has counted these.
    counted: bool,
}

/// Removes every known header from a request. The caller has checked that it is not marked as screened.
pub(crate) fn screen<B>(request: &mut Request<B>) {
    take(&names::KNOWN, request);
}

/// Removes the headers in a set from a request. Returns whether there were any.
pub(super) fn take<B>(names: &Names, request: &mut Request<B>) -> bool {
    let Some(headers) = names.take(request.headers_mut()) else { return false };
    headers.keys().for_each(log_once);
    request.extensions_mut().insert(Received { headers, counted: false });
    true
}

impl Received {
    /// Adds headers that a dialect's layer removed. They replace those that are there under the same names.
    pub(super) fn add<B>(request: &mut Request<B>, taken: HeaderMap) {
        taken.keys().for_each(log_once);
        let mut received = request.extensions_mut().remove::<Self>().unwrap_or_default();
        // `extend` replaces the lines under a name, and keeps all lines of the new header.
        received.headers.extend(taken);
        request.extensions_mut().insert(received);
    }

    /// Counts the names that are not wanted. Returns 0 from the second call on, however many layers ask.
    pub(crate) fn count(&mut self, wanted: impl Fn(&HeaderName) -> bool) -> usize {
        if std::mem::replace(&mut self.counted, true) {
            return 0;
        }
        self.headers.keys().filter(|name| !wanted(name)).count()
    }
}

/// Logs that a header was removed from a request: once for each row of the table, so that nobody can fill a disk by
/// sending such headers.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn log_once(name: &HeaderName) {
    #[cfg(feature = "tracing")]
    {
        use std::sync::atomic::{AtomicU64, Ordering};

        use super::known::{KNOWN, position};

        static LOGGED: AtomicU64 = AtomicU64::new(0);
        const _: () = assert!(KNOWN.len() < 64);
        let row = position(name.as_str().as_bytes());
        let bit = 1 << row.unwrap_or(63);
        // Reading is cheaper than writing, and is mostly enough.
        if LOGGED.load(Ordering::Relaxed) & bit == 0 && LOGGED.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            let kind = row.and_then(|row| KNOWN.get(row));
            tracing::info!(
                header = kind.map_or_else(|| "a dialect of your own".to_owned(), ToString::to_string),
                "took a header off a request that a reader of client certificates might believe, and that anybody can \
                 send. ForwardedClientCertLayer and Dialect::keep still see it. If a proxy of yours writes it for the \
                 service behind, add a PassHeadersLayer. This is said once for each kind"
            );
        }
    }
}
