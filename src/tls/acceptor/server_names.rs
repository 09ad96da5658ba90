//! One port for several server names, each with a certificate and a policy of its own.

use std::sync::Arc;

use super::ClientCertAcceptor;
use super::endpoint::{Endpoint, Endpoints};
use crate::host::{HostMap, ServerNameError};

impl ClientCertAcceptor {
    /// Starts an acceptor that chooses policy and certificate by the name a client asks for (SNI, RFC 6066 section 3),
    /// as Skipper's certificate registry and Traefik's TLS options do.
    ///
    /// A request can name another host than the handshake did. It is refused if the two have different policies
    /// ([`WithTlsConnectInfo`]): by `make_service`, by axum-server, and in a server of your own by `info.layer(service)`.
    /// tonic's own server has no place for it: there, serve tonic's `Routes` with `make_service` on a `TlsListener`.
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

/// Collects acceptors by the name a client asks for. Made by [`ClientCertAcceptor::by_server_name`].
#[derive(Debug, Default)]
#[must_use = "nothing happens until `build`"]
pub struct ServerNames {
    names: Vec<(String, ClientCertAcceptor)>,
    fallback: Option<ClientCertAcceptor>,
}

impl ServerNames {
    /// Serves clients that ask for this name with the certificate and the policy of `acceptor`: a DNS name, or
    /// `*.example.com` for every name of exactly one more label. Case and a trailing dot make no difference. A name
    /// itself goes before a wildcard that covers it, whichever was added first.
    pub fn name(mut self, name: impl Into<String>, acceptor: ClientCertAcceptor) -> Self {
        self.names.push((name.into(), acceptor));
        self
    }

    /// Serves all other clients: those that ask for another name, and those that ask for none, as clients do that
    /// connect to an IP address. Without a fallback their handshakes fail, with the alert `unrecognized_name`.
    pub fn fallback(mut self, acceptor: ClientCertAcceptor) -> Self {
        self.fallback = Some(acceptor);
        self
    }

    /// One acceptor for them all. The handshake timeout of each does not count, only that of the whole; it logs names
    /// unless one of them was told [not to](ClientCertAcceptor::without_names_in_log).
    ///
    /// # Errors
    ///
    /// If a name is malformed or given twice, if there is none and no fallback, or if one of the acceptors is not a plain
    /// one. See [`ServerNameError`].
    pub fn build(self) -> Result<ClientCertAcceptor, ServerNameError> {
        if self.names.is_empty() && self.fallback.is_none() {
            return Err(ServerNameError::Empty);
        }
        // Who does not want names in the log wants them not to come in by another acceptor.
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
