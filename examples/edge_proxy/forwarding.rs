//! What of a client's certificates the backend is told: the flags for what `ClientCertLayer` can do.

use std::num::NonZeroUsize;

use tower_client_cert::ClientCertLayer;
use tower_client_cert::dialect::{AnyDialect, Dialect as _};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Forwarding {
    /// Forward the client's own certificate and none of its issuers'
    #[arg(long)]
    pub(crate) leaf_only: bool,

    /// Forward certificates only if they were verified, in every dialect. A status header still says why one is missing
    #[arg(long)]
    pub(crate) only_verified: bool,

    /// Forward the path that was verified instead of all that the client presented, and unverified certificates not at
    /// all, in every dialect
    #[arg(long)]
    pub(crate) verified_path: bool,

    /// Forward certificates that nobody verified in dialects too whose readers take them for verified ones. Anybody can
    /// make a certificate with any name in it
    #[arg(long, conflicts_with_all = ["only_verified", "verified_path"])]
    pub(crate) forward_unverified: bool,

    /// The largest header value to write, in bytes; 16384 unless set. If a chain is larger, the client's own
    /// certificate is forwarded alone, and if that is, none
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_value_size: Option<NonZeroUsize>,

    /// Log for each request what it came with, what was removed and what was written; names and sizes, no values
    #[arg(long)]
    pub(crate) log_headers: bool,
}

impl Forwarding {
    /// Each flag holds for the layer of every dialect.
    pub(crate) fn layer(&self, dialect: &AnyDialect) -> ClientCertLayer<AnyDialect> {
        let mut layer = ClientCertLayer::with_dialect(dialect.clone());
        if self.verified_path {
            layer = layer.verified_path();
        }
        if self.only_verified {
            layer = layer.only_verified();
        }
        if self.forward_unverified {
            layer = layer.forward_unverified();
        }
        if self.leaf_only {
            layer = layer.leaf_only();
        }
        if let Some(bytes) = self.max_value_size {
            layer = layer.max_value_size(bytes.get());
        }
        if self.log_headers {
            layer = layer.log_headers();
        }
        layer
    }

    /// Whether a certificate that nobody verified reaches the backend.
    pub(crate) fn forwards_unverified(&self, dialect: &AnyDialect) -> bool {
        match (self.forward_unverified, self.only_verified || self.verified_path) {
            (true, _) => true,
            (_, true) => false,
            _ => dialect.forwards_unverified(),
        }
    }

    pub(crate) fn too_large(&self, bytes: usize) -> bool {
        self.max_value_size.is_some_and(|max| bytes > max.get())
    }

    /// The first flag that has nothing to do without certificates, and of those the first that needs a client CA.
    pub(crate) fn given(&self) -> (Option<&'static str>, Option<&'static str>) {
        let verified = [(self.only_verified, "--only-verified"), (self.verified_path, "--verified-path")];
        let flags = [
            (self.leaf_only, "--leaf-only"),
            (self.forward_unverified, "--forward-unverified"),
            (self.max_value_size.is_some(), "--max-value-size"),
        ];
        let first = |flags: &[(bool, &'static str)]| flags.iter().find(|(given, _)| *given).map(|it| it.1);
        (first(&verified).or_else(|| first(&flags)), first(&verified))
    }
}
