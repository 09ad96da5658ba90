//! What connections are served with: configurations and the verifiers in them, and which of them by which name.

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

/// A rustls configuration, and the verifier in it. The two are never parted.
#[derive(Debug)]
pub(in crate::tls) struct Endpoint {
    pub(in crate::tls) config: Arc<ServerConfig>,
    pub(in crate::tls) verifier: Arc<ClientVerifier>,
    /// If it was read by us: rustls does not tell what certificate a configuration presents.
    pub(in crate::tls) server_cert: Option<ServerCert>,
    /// Whether it was said that its handshakes fail for a reason on this side.
    pub(in crate::tls) faulted: Once,
}

impl Endpoint {
    pub(in crate::tls) fn now(&self) -> Result<UnixTime, rustls::Error> {
        self.config.time_provider.current_time().ok_or(rustls::Error::FailedToGetCurrentTime)
    }

    /// All files it was made of.
    #[cfg(feature = "reload")]
    pub(in crate::tls) fn files(&self) -> impl Iterator<Item = &FileRead> {
        self.server_cert.iter().flat_map(|cert| &cert.files).chain(self.verifier.files())
    }

    /// What a client certificate is worth here depends on nothing else.
    fn policy_id(&self) -> PolicyId {
        *self.verifier.fingerprint()
    }
}

/// All that one port serves at a time.
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

    /// For the name a client asks for, if it does.
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

    /// The one endpoint that is served whatever the name.
    pub(in crate::tls) fn only(&self) -> Option<&Arc<Endpoint>> {
        self.by_host.fallback.as_ref().filter(|_| self.all().count() == 1)
    }

    pub(in crate::tls) fn all(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.by_host.values()
    }
}

/// Where an acceptor has its endpoints from.
#[derive(Clone, Debug)]
pub(in crate::tls) enum Source {
    Fixed(Arc<Endpoints>),
    #[cfg(feature = "reload")]
    Reloaded(watch::Receiver<Arc<Endpoints>>),
}

impl Source {
    /// A connection takes them once, and so never sees a mixture of old and new.
    pub(in crate::tls) fn current(&self) -> Arc<Endpoints> {
        match self {
            Self::Fixed(endpoints) => Arc::clone(endpoints),
            #[cfg(feature = "reload")]
            Self::Reloaded(endpoints) => Arc::clone(&endpoints.borrow()),
        }
    }

    /// The latest, of which [`changed`](Self::changed) then waits for the next.
    pub(in crate::tls) fn current_and_mark_seen(&mut self) -> Arc<Endpoints> {
        match self {
            Self::Fixed(endpoints) => Arc::clone(endpoints),
            #[cfg(feature = "reload")]
            Self::Reloaded(endpoints) => Arc::clone(&endpoints.borrow_and_update()),
        }
    }

    /// Whether they never change.
    pub(in crate::tls) fn is_fixed(&self) -> bool {
        matches!(self, Self::Fixed(_))
    }

    /// Whether there are others than were last seen.
    pub(in crate::tls) fn has_changed(&self) -> bool {
        match self {
            Self::Fixed(_) => false,
            // An error means that there will be no more, and says nothing of those that there are.
            #[cfg(feature = "reload")]
            Self::Reloaded(endpoints) => endpoints.has_changed().unwrap_or(true),
        }
    }

    /// Knows from now on that they never change, if there is nobody left who could change them.
    pub(in crate::tls) fn settle(&mut self) {
        #[cfg(feature = "reload")]
        if let Self::Reloaded(endpoints) = self {
            if endpoints.has_changed().is_err() {
                *self = Self::Fixed(self.current());
            }
        }
    }

    /// Waits for others than were last seen: for ever, if there can't be any.
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
