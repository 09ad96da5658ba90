//! The crypto provider that the tests run with. CI runs them once with each.

use std::env::VarError;
use std::sync::Arc;

#[cfg(feature = "ring")]
use rustls::crypto::ring;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::ProducesTickets;

/// Names one of the two in the environment, `aws-lc-rs` or `ring`.
const VARIABLE: &str = "TOWER_CLIENT_CERT_PROVIDER";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    AwsLcRs,
    #[cfg(feature = "ring")]
    Ring,
}

impl Provider {
    /// The one that the environment names. Without a name it is aws-lc-rs, since that knows every algorithm that ring
    /// knows, and P-521.
    pub(crate) fn chosen() -> Self {
        match std::env::var(VARIABLE).as_deref() {
            Ok("aws-lc-rs") | Err(VarError::NotPresent) => Self::AwsLcRs,
            #[cfg(feature = "ring")]
            Ok("ring") => Self::Ring,
            #[cfg(not(feature = "ring"))]
            Ok("ring") => panic!("{VARIABLE} is `ring`, so the tests need their feature `ring`"),
            Ok(name) => panic!("{VARIABLE} is {name:?}, and must be `aws-lc-rs` or `ring`"),
            Err(error) => panic!("{VARIABLE}: {error}"),
        }
    }

    pub(crate) fn knows_p521(self) -> bool {
        self == Self::AwsLcRs
    }

    #[cfg(feature = "ring")]
    pub(crate) fn other(self) -> Self {
        match self {
            Self::AwsLcRs => Self::Ring,
            Self::Ring => Self::AwsLcRs,
        }
    }

    pub(crate) fn crypto(self) -> Arc<CryptoProvider> {
        Arc::new(match self {
            Self::AwsLcRs => aws_lc_rs::default_provider(),
            #[cfg(feature = "ring")]
            Self::Ring => ring::default_provider(),
        })
    }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Provider::chosen().crypto()
}

/// rustls' own session tickets.
pub(crate) fn ticketer() -> Arc<dyn ProducesTickets> {
    match Provider::chosen() {
        Provider::AwsLcRs => aws_lc_rs::Ticketer::new(),
        #[cfg(feature = "ring")]
        Provider::Ring => ring::Ticketer::new(),
    }
    .unwrap()
}
