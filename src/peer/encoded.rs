use std::sync::{Arc, OnceLock};

use http::{HeaderName, HeaderValue};

/// Identifies a layer, among all that write headers on one connection.
pub(crate) type LayerId = u64;

/// Encoded headers, which are cheap to clone. `None` if they can't be written truthfully, so that the request must not
/// be passed on.
pub(crate) type Headers = Option<Arc<Written>>;

/// The headers that a layer writes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) lines: Box<[(HeaderName, HeaderValue)]>,
    /// Whether there is exactly one line for each name that the layer owns.
    pub(crate) all_names: bool,
}

/// An append-only list of the headers of each layer. It is read without a lock, and shared by all streams of a
/// connection.
#[derive(Clone, Debug, Default)]
pub(super) struct EncodedHeaders(OnceLock<Box<EncodedBy>>);

#[derive(Clone, Debug)]
struct EncodedBy {
    layer: LayerId,
    headers: Headers,
    next: EncodedHeaders,
}

impl EncodedHeaders {
    /// The most layers whose headers are kept. Nobody stacks more, and a program that makes a new layer for each
    /// request must not fill memory.
    const MAX: usize = 8;

    /// Returns the headers of `layer`. `encode` makes them the first time that the layer asks.
    pub(super) fn get_or_init(&self, layer: LayerId, encode: impl Fn() -> Headers) -> Headers {
        let mut slot = self;
        for _ in 0..Self::MAX {
            let entry = slot
                .0
                .get_or_init(|| Box::new(EncodedBy { layer, headers: encode(), next: Self::default() }));
            if entry.layer == layer {
                return entry.headers.clone();
            }
            slot = &entry.next;
        }
        encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(number: u64) -> Headers {
        let lines = [(http::header::AGE, HeaderValue::from(number))].into();
        Some(Arc::new(Written { lines, all_names: true }))
    }

    fn same(one: &Headers, other: &Headers) -> bool {
        one.as_ref().zip(other.as_ref()).is_some_and(|(one, other)| Arc::ptr_eq(one, other))
    }

    #[test]
    fn each_layer_encodes_once() {
        let encoded = EncodedHeaders::default();
        let first = encoded.get_or_init(1, || headers(1));
        let other = encoded.get_or_init(2, || headers(2));
        assert!(same(&first, &encoded.get_or_init(1, || unreachable!("encoded already"))));
        assert!(same(&other, &encoded.get_or_init(2, || unreachable!("encoded already"))));
        assert_ne!(first, other);
    }

    #[test]
    fn layers_beyond_the_bound_still_get_their_own_headers() {
        let encoded = EncodedHeaders::default();
        for layer in 0..1_000 {
            assert_eq!(encoded.get_or_init(layer, || headers(layer)), headers(layer));
        }
        assert_eq!(encoded.get_or_init(5, || unreachable!("among the first")), headers(5));
    }
}
