//! The headers that a layer owns, and those that nobody may send.

use http::{HeaderMap, HeaderName, Request};

use super::names::{KNOWN, Names};
use super::screen::{self, Received};

/// The names that a layer's dialect owns, and all known names.
#[derive(Debug)]
pub(crate) struct OwnedHeaders {
    names: Vec<HeaderName>,
    own: Names,
    all: Names,
    /// Whether all of the dialect's names are in the table of known names.
    within_known: bool,
}

/// What happened to a request's headers.
#[derive(Debug)]
pub(crate) enum Screening {
    /// There was nothing to remove.
    Clean,
    /// The headers that were removed, by this layer or an outer one, are in [`Received`], if there were any.
    Received,
    /// These headers of the dialect were removed. An outer layer of this crate had written them.
    Written(Box<HeaderMap>),
    /// Headers of the dialect that an outer layer wrote may still be there. The caller must replace all of them.
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

    /// Returns how many names the dialect has.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether `name` folds to one of the dialect's names.
    pub(crate) fn contains(&self, name: &HeaderName) -> bool {
        self.own.contains(name.as_str().as_bytes())
    }

    /// Whether `name` folds to one of the dialect's names or of the known names.
    #[cfg(feature = "tracing")]
    pub(crate) fn strips(&self, name: &HeaderName) -> bool {
        self.all.contains(name.as_str().as_bytes())
    }

    /// Whether `name` is exactly one of the dialect's names.
    pub(crate) fn is_exactly(&self, name: &HeaderName) -> bool {
        self.names.contains(name)
    }

    /// Returns the dialect's first name.
    #[cfg(feature = "tracing")]
    pub(crate) fn first(&self) -> Option<&HeaderName> {
        self.names.first()
    }

    /// Returns the name of a header of the dialect, in any spelling, if there is one.
    pub(crate) fn find<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderName> {
        headers.keys().find(|name| self.contains(name))
    }

    /// Removes every known header from a request, and keeps them in [`Received`].
    ///
    /// If this layer is not the `first` to do so, removes only the dialect's own headers, which can only have been
    /// written since. `rewrites` is whether the caller writes every one of the dialect's headers anew.
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
            // An outer layer removes only known names. A header that is not among them comes from the client.
            Some(received) => {
                Received::add(request, received);
                Screening::Received
            }
        }
    }

    /// Removes every known header, and every known name in `Connection` and similar headers. Returns how many headers.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) -> usize {
        self.all.take(headers).map_or(0, |taken| taken.keys().count())
    }

    /// Removes the same as [`strip`](Self::strip), but leaves headers whose name is exactly one of the dialect's.
    pub(crate) fn strip_others(&self, headers: &mut HeaderMap) -> usize {
        self.all.take_all_but(&self.names, headers).map_or(0, |taken| taken.keys().count())
    }

    /// Removes every known trailer.
    pub(super) fn strip_trailers(&self, trailers: &mut HeaderMap) {
        self.all.strip_trailers(trailers);
    }

    /// Keeps only the headers whose name is exactly one of the dialect's, and only the first line of each.
    pub(crate) fn retain(&self, headers: &mut HeaderMap) {
        let kept: HeaderMap = std::mem::take(headers)
            .into_iter()
            .filter_map(|(name, value)| Some((name?, value)))
            .filter(|(name, _)| self.is_exactly(name))
            .collect();
        *headers = kept;
    }
}
