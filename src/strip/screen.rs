//! Once per request, by whatever of ours meets it first: every known header is taken off it.

use http::{HeaderMap, HeaderName, Request};

use super::names::{self, Names};

/// The known headers that a request came with. Nobody but this crate's readers can look here, so an application that
/// reads its request's headers finds what our layers wrote, or nothing.
///
/// Nobody has said yet that they are true.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    /// Whether the counter of stripped headers has them.
    counted: bool,
}

/// Takes every known header off a request that nobody has marked before.
pub(crate) fn screen<B>(request: &mut Request<B>) {
    take(&names::KNOWN, request);
}

/// Takes these off a request. Whether there were any.
pub(super) fn take<B>(names: &Names, request: &mut Request<B>) -> bool {
    let Some(headers) = names.take(request.headers_mut()) else { return false };
    headers.keys().for_each(say_once);
    request.extensions_mut().insert(Received { headers, counted: false });
    true
}

impl Received {
    /// Adds what a dialect's own layer took, in the place of what was there under the same names.
    pub(super) fn add<B>(request: &mut Request<B>, taken: HeaderMap) {
        taken.keys().for_each(say_once);
        let mut received = request.extensions_mut().remove::<Self>().unwrap_or_default();
        // `extend` replaces what is there under a name, and keeps all lines of the new.
        received.headers.extend(taken);
        request.extensions_mut().insert(received);
    }

    /// How many names there are that are not wanted: once, however many layers ask.
    pub(crate) fn count(&mut self, wanted: impl Fn(&HeaderName) -> bool) -> usize {
        if std::mem::replace(&mut self.counted, true) {
            return 0;
        }
        self.headers.keys().filter(|name| !wanted(name)).count()
    }
}

/// Says in the log that headers of a kind are taken off requests: once for each row of the table, so that nobody who
/// sends them can fill a disk.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn say_once(name: &HeaderName) {
    #[cfg(feature = "tracing")]
    {
        use std::sync::atomic::{AtomicU64, Ordering};

        use super::known::{KNOWN, position};

        static SAID: AtomicU64 = AtomicU64::new(0);
        const _: () = assert!(KNOWN.len() < 64);
        let row = position(name.as_str().as_bytes());
        let bit = 1 << row.unwrap_or(63);
        // To read is cheaper than to write, and mostly enough.
        if SAID.load(Ordering::Relaxed) & bit == 0 && SAID.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
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
