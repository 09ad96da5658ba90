//! Why a connection is ended from this side.

use crate::tls::TrustLost;

#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Ending {
    #[error("no request came in time")]
    Quiet,
    #[error("the connection has reached its maximum age")]
    Old,
    #[error(transparent)]
    TrustLost(#[from] TrustLost),
    #[error("the server has stopped")]
    Stopped,
}
