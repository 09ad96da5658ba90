//! Removes headers and trailers that a client must not send. The proxy's layer and the backend's both do this first.

mod filter;
mod known;
mod names;
mod owned;
mod screen;
mod trailers;

pub(crate) use filter::folds_to;
pub(crate) use owned::{OwnedHeaders, Screening};
pub(crate) use screen::{Received, screen};
pub use trailers::StripTrailers;
