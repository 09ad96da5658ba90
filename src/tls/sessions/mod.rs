//! Sessions: which of them may be resumed, and tickets that replicas share.

mod guard;
#[cfg(feature = "ticket-keys")]
mod tickets;

pub(super) use guard::guard;
#[cfg(feature = "ticket-keys")]
pub use tickets::{SharedTicketer, TicketKeyError};
