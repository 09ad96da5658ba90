//! The headers that belong to a layer, and those that belong to nobody.

use http::{HeaderMap, HeaderName, Request};

use super::names::{KNOWN, Names};
use super::screen::{self, Received};

/// The names that a layer's dialect owns, and with them every known one.
#[derive(Debug)]
pub(crate) struct OwnedHeaders {
    names: Vec<HeaderName>,
    own: Names,
    all: Names,
    /// Whether the table has all of the dialect's names.
    within_known: bool,
}

/// What became of a request's headers.
#[derive(Debug)]
pub(crate) enum Screening {
    /// There was nothing to take.
    Clean,
    /// What was taken, now or before, is in [`Received`], if there was anything.
    Received,
    /// The headers of the dialect that a layer of ours, further out, has written.
    Written(Box<HeaderMap>),
    /// Those may still be there, and are for the caller to replace.
    ToReplace,
}

impl OwnedHeaders {
    pub(crate) fn new(names: &[HeaderName]) -> Self {
        Self {
            names: names.to_vec(),
            own: Names::new(names),
            all: Names::and_known(names),
            within_known: names.iter().all(|name| KNOWN.contains(name.as_str().as_bytes())),
        }
    }

    /// How many names the dialect has.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether `name` folds to one of the dialect's.
    pub(crate) fn contains(&self, name: &HeaderName) -> bool {
        self.own.contains(name.as_str().as_bytes())
    }

    /// Whether `name` folds to one of the dialect's, or of the table's.
    #[cfg(feature = "tracing")]
    pub(crate) fn strips(&self, name: &HeaderName) -> bool {
        self.all.contains(name.as_str().as_bytes())
    }

    /// Whether `name` is exactly one of the dialect's.
    pub(crate) fn is_exactly(&self, name: &HeaderName) -> bool {
        self.names.contains(name)
    }

    /// The dialect's first name.
    #[cfg(feature = "tracing")]
    pub(crate) fn first(&self) -> Option<&HeaderName> {
        self.names.first()
    }

    /// A header of the dialect that is there, in any spelling.
    pub(crate) fn find<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderName> {
        headers.keys().find(|name| self.contains(name))
    }

    /// Takes every known header off a request, and leaves it in [`Received`]; or if this is not the `first` to do so,
    /// takes the dialect's own, which can only have been written since.
    ///
    /// `rewrites` is whether the caller writes every one of the dialect's headers anew.
    pub(crate) fn screen<B>(&self, first: bool, rewrites: bool, request: &mut Request<B>) -> Screening {
        if first {
            let any = screen::take(&self.all, request);
            return if any { Screening::Received } else { Screening::Clean };
        }
        if rewrites && self.within_known {
            return Screening::ToReplace;
        }
        match self.own.take(request.headers_mut()) {
            None => Screening::Received,
            Some(written) if self.within_known => Screening::Written(Box::new(written)),
            // The table is all that others know. What is not in it has come from the client.
            Some(received) => {
                Received::add(request, received);
                Screening::Received
            }
        }
    }

    /// Removes every known header from a map, and every mention of one in `Connection` and its like. Returns how many.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) -> usize {
        self.all.take(headers).map_or(0, |taken| taken.keys().count())
    }

    /// The same, but for the headers that are called exactly as the dialect calls them.
    pub(crate) fn strip_others(&self, headers: &mut HeaderMap) -> usize {
        self.all.take_all_but(&self.names, headers).map_or(0, |taken| taken.keys().count())
    }

    /// Removes every known header from a map of trailers.
    pub(super) fn strip_trailers(&self, trailers: &mut HeaderMap) {
        self.all.strip_trailers(trailers);
    }

    /// Removes every header but the dialect's own, by their exact names, and all of those but their first line.
    pub(crate) fn retain(&self, headers: &mut HeaderMap) {
        let kept: HeaderMap = std::mem::take(headers)
            .into_iter()
            .filter_map(|(name, value)| Some((name?, value)))
            .filter(|(name, _)| self.is_exactly(name))
            .collect();
        *headers = kept;
    }
}
