//! Removing headers, and trailers, that a client may not write: what both ends do before anything else.

mod owned;
mod trailers;

pub(crate) use owned::OwnedHeaders;
pub use trailers::StripTrailers;
