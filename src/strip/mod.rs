//! Removing headers, and trailers, that a client may not write: what both ends do before anything else.

mod filter;
mod known;
mod names;
mod owned;
mod screen;
mod trailers;

#[cfg(feature = "tracing")]
pub(crate) use filter::folds_to;
pub(crate) use owned::{OwnedHeaders, Screening};
pub(crate) use screen::{Received, screen};
pub use trailers::StripTrailers;
