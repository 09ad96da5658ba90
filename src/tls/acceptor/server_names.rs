//! One port for several server names, each with a certificate and a policy of its own.

use std::sync::Arc;

use super::ClientCertAcceptor;
use super::endpoint::{Endpoint, Endpoints};
use crate::host::{HostMap, ServerNameError};

impl ClientCertAcceptor {
    /// Starts an acceptor that chooses the policy and the certificate by the server name a client asks for (SNI, RFC
    /// 6066 section 3), as Skipper's certificate registry and Traefik's TLS options do.
    ///
    /// A request can name another host than its handshake did. If the two hosts have different policies,
    /// [`WithTlsConnectInfo`] refuses the request. `make_service` and axum-server use it; in a server of your own,
    /// `info.layer(service)` does. tonic's own server has no place for it: there, serve tonic's `Routes` with
    /// `make_service` on a `TlsListener`.
    ///
    /// ```
    /// use tower_client_cert::{ClientCertAcceptor, ServerNameError};
    ///
    /// # fn choose(admin: ClientCertAcceptor, shops: ClientCertAcceptor, others: ClientCertAcceptor)
    /// # -> Result<ClientCertAcceptor, ServerNameError> {
    /// ClientCertAcceptor::by_server_name()
    ///     .name("admin.example.com", admin)
    ///     .name("*.shop.example.com", shops)
    ///     .fallback(others)
    ///     .build()
    /// # }
    /// ```
    ///
    /// [`WithTlsConnectInfo`]: crate::WithTlsConnectInfo
    pub fn by_server_name() -> ServerNames {
        ServerNames::default()
    }
}

/// Collects acceptors by server name. Made by [`ClientCertAcceptor::by_server_name`], which has an example.
#[derive(Debug, Default)]
#[must_use = "nothing happens until `build`"]
pub struct ServerNames {
    names: Vec<(String, ClientCertAcceptor)>,
    fallback: Option<ClientCertAcceptor>,
}

impl ServerNames {
    /// Serves clients that ask for this name with the certificate and the policy of `acceptor`.
    ///
    /// The name is a DNS name, or `*.example.com` for every name with exactly one more label. Case and a trailing dot
    /// make no difference. An exact name takes precedence over a wildcard that covers it, whichever was added first.
    pub fn name(mut self, name: impl Into<String>, acceptor: ClientCertAcceptor) -> Self {
        self.names.push((name.into(), acceptor));
        self
    }

    /// Serves all other clients: those that ask for another name, and those that ask for none, such as clients that
    /// connect to an IP address. Without a fallback their handshakes fail with the alert `unrecognized_name`.
    pub fn fallback(mut self, acceptor: ClientCertAcceptor) -> Self {
        self.fallback = Some(acceptor);
        self
    }

    /// Builds one acceptor for all names.
    ///
    /// It has a handshake timeout of its own; those of the acceptors passed in are ignored. It logs names unless one of
    /// those acceptors was told [not to](ClientCertAcceptor::without_names_in_log).
    ///
    /// # Errors
    ///
    /// Returns an error if a name is malformed or given twice, if there is neither a name nor a fallback, or if one of
    /// the acceptors chooses by server name itself or comes from a `Reloader`. See [`ServerNameError`].
    pub fn build(self) -> Result<ClientCertAcceptor, ServerNameError> {
        if self.names.is_empty() && self.fallback.is_none() {
            return Err(ServerNameError::Empty);
        }
        // Whoever keeps names out of the log of one acceptor does not want the others to log them.
        let names_in_log =
            self.names.iter().map(|(_, acceptor)| acceptor).chain(&self.fallback).all(|it| it.names_in_log);
        let fallback = self.fallback.map(|acceptor| plain(&acceptor, "the fallback")).transpose()?;
        let mut hosts = HostMap::new(fallback);
        for (name, acceptor) in &self.names {
            hosts.insert(name, plain(acceptor, name)?)?;
        }
        Ok(ClientCertAcceptor { names_in_log, ..ClientCertAcceptor::serving(Endpoints::new(hosts)) })
    }
}

fn plain(acceptor: &ClientCertAcceptor, name: &str) -> Result<Arc<Endpoint>, ServerNameError> {
    acceptor.plain().ok_or_else(|| ServerNameError::NotPlain { name: name.to_owned() })
}
