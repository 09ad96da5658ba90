//! What connections are served with: rustls configurations with their verifiers, chosen by server name.

use std::sync::{Arc, Once};

use rustls::ServerConfig;
use rustls::pki_types::UnixTime;
#[cfg(feature = "reload")]
use tokio::sync::watch;

use crate::host::{ChosenPolicy, Host, HostMap, HostPolicies, PolicyId};
#[cfg(feature = "reload")]
use crate::tls::files::FileRead;
use crate::tls::files::ServerCert;
use crate::tls::verifier::ClientVerifier;

/// A rustls configuration and its verifier. The two always stay together.
#[derive(Debug)]
pub(in crate::tls) struct Endpoint {
    pub(in crate::tls) config: Arc<ServerConfig>,
    pub(in crate::tls) verifier: Arc<ClientVerifier>,
    /// The server's certificate, if this crate read it from files. rustls does not tell which one a configuration
    /// presents.
    pub(in crate::tls) server_cert: Option<ServerCert>,
    /// Makes sure that a fault on this side is reported only once.
    pub(in crate::tls) own_fault_reported: Once,
}

impl Endpoint {
    pub(in crate::tls) fn now(&self) -> Result<UnixTime, rustls::Error> {
        self.config.time_provider.current_time().ok_or(rustls::Error::FailedToGetCurrentTime)
    }

    /// Returns all files that the endpoint was built from.
    #[cfg(feature = "reload")]
    pub(in crate::tls) fn files(&self) -> impl Iterator<Item = &FileRead> {
        self.server_cert.iter().flat_map(|cert| &cert.files).chain(self.verifier.files())
    }

    /// The verifier's fingerprint identifies a policy: what a client certificate is worth here depends on nothing else.
    fn policy_id(&self) -> PolicyId {
        *self.verifier.fingerprint()
    }
}

/// All endpoints that one port serves at a time.
#[derive(Debug)]
pub(in crate::tls) struct Endpoints {
    by_host: HostMap<Arc<Endpoint>>,
    policies: Arc<HostPolicies>,
}

impl Endpoints {
    pub(in crate::tls) fn new(by_host: HostMap<Arc<Endpoint>>) -> Self {
        let policies = Arc::new(HostPolicies::new(by_host.map(|endpoint| endpoint.policy_id())));
        Self { by_host, policies }
    }

    /// Returns the endpoint for the server name that a client asks for, or for no name.
    pub(in crate::tls) fn choose(&self, server_name: Option<&str>) -> Option<&Arc<Endpoint>> {
        let host = match server_name {
            Some(name) => Host::from_name(name)?,
            None => Host::Address,
        };
        self.by_host.get(&host)
    }

    pub(in crate::tls) fn chosen_policy(&self, endpoint: &Endpoint) -> ChosenPolicy {
        ChosenPolicy { all: Arc::clone(&self.policies), chosen: endpoint.policy_id() }
    }

    /// Returns the endpoint if there is only one, which is served under every name.
    pub(in crate::tls) fn only(&self) -> Option<&Arc<Endpoint>> {
        self.by_host.fallback.as_ref().filter(|_| self.all().count() == 1)
    }

    pub(in crate::tls) fn all(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.by_host.values()
    }
}

/// Where an acceptor gets its endpoints from.
#[derive(Clone, Debug)]
pub(in crate::tls) enum Source {
    Fixed(Arc<Endpoints>),
    #[cfg(feature = "reload")]
    Reloaded(watch::Receiver<Arc<Endpoints>>),
}

impl Source {
    /// Returns the current endpoints. A connection calls this once, and so never sees a mixture of old and new.
    pub(in crate::tls) fn current(&self) -> Arc<Endpoints> {
        match self {
            Self::Fixed(endpoints) => Arc::clone(endpoints),
            #[cfg(feature = "reload")]
            Self::Reloaded(endpoints) => Arc::clone(&endpoints.borrow()),
        }
    }

    /// Returns the current endpoints. [`changed`](Self::changed) then waits for newer ones.
    pub(in crate::tls) fn current_and_mark_seen(&mut self) -> Arc<Endpoints> {
        match self {
            Self::Fixed(endpoints) => Arc::clone(endpoints),
            #[cfg(feature = "reload")]
            Self::Reloaded(endpoints) => Arc::clone(&endpoints.borrow_and_update()),
        }
    }

    /// Whether the endpoints never change.
    pub(in crate::tls) fn is_fixed(&self) -> bool {
        matches!(self, Self::Fixed(_))
    }

    /// Whether there are newer endpoints than those last seen.
    pub(in crate::tls) fn has_changed(&self) -> bool {
        match self {
            Self::Fixed(_) => false,
            // An error means that no newer endpoints will come. The current ones may still be unseen.
            #[cfg(feature = "reload")]
            Self::Reloaded(endpoints) => endpoints.has_changed().unwrap_or(true),
        }
    }

    /// Becomes fixed if nobody is left who could change the endpoints.
    pub(in crate::tls) fn settle(&mut self) {
        #[cfg(feature = "reload")]
        if let Self::Reloaded(endpoints) = self {
            if endpoints.has_changed().is_err() {
                *self = Self::Fixed(self.current());
            }
        }
    }

    /// Waits for newer endpoints than those last seen: for ever, if none can come.
    pub(in crate::tls) async fn changed(&mut self) {
        match self {
            Self::Fixed(_) => {}
            #[cfg(feature = "reload")]
            Self::Reloaded(endpoints) => {
                if endpoints.changed().await.is_ok() {
                    return;
                }
            }
        }
        std::future::pending::<()>().await;
    }
}
