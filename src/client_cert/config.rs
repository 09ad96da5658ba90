//! The settings of a layer, and the headers that it writes for a connection.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};

use http::{HeaderMap, HeaderName, HeaderValue};
use rustls_pki_types::CertificateDer;

use crate::dialect::{Dialect, Outgoing, VerifyStatus};
use crate::peer::{Headers, LayerId, PeerCertificates, TlsConnectInfo, Verification, Written};
use crate::policy::ClientAuthPolicy;
use crate::strip::OwnedHeaders;
use crate::telemetry;

/// A layer's settings, shared by the services it makes.
pub(super) struct Config<D> {
    pub(super) dialect: Arc<D>,
    pub(super) owned: Arc<OwnedHeaders>,
    pub(super) chain: Chain,
    pub(super) forward_unverified: bool,
    pub(super) max_certificates: usize,
    pub(super) max_value_size: usize,
    #[cfg(feature = "tracing")]
    pub(super) log_headers: bool,
    /// Identifies the settings. Each change renews it, so that a connection never serves one layer's headers to
    /// another.
    id: LayerId,
    warned: Arc<Once>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Chain {
    Presented,
    VerifiedPath,
}

impl<D: Dialect> Config<D> {
    /// Returns the dialect's defaults.
    pub(super) fn new(dialect: D) -> Self {
        Self {
            owned: Arc::new(OwnedHeaders::new(dialect.header_names())),
            chain: if dialect.forwards_unverified() { Chain::Presented } else { Chain::VerifiedPath },
            forward_unverified: dialect.forwards_unverified(),
            dialect: Arc::new(dialect),
            max_certificates: usize::MAX,
            max_value_size: 16 * 1024,
            #[cfg(feature = "tracing")]
            log_headers: false,
            id: next_id(),
            warned: Arc::new(Once::new()),
        }
    }

    /// Returns the headers for a connection, ready to insert. `None` if its requests are to be refused.
    pub(super) fn headers_for(&self, info: Option<&TlsConnectInfo>) -> Headers {
        self.warn_once_if_nothing_can_arrive(info);
        match info {
            Some(info) => info.headers_once(self.id, || self.encode(info.peer_certificates())),
            None => self.encode(None),
        }
    }

    /// Returns whether the connection has a certificate that is passed on.
    pub(super) fn forwards(&self, info: Option<&TlsConnectInfo>) -> bool {
        let peer = info.and_then(TlsConnectInfo::peer_certificates);
        peer.is_some_and(|peer| self.forward_unverified || peer.is_verified())
    }

    /// Returns the headers that the dialect keeps of those that a request came with: owned names only, once each.
    pub(super) fn keep(&self, received: &HeaderMap, forwarding: bool) -> Option<HeaderMap> {
        let mut kept = self.dialect.keep(received, forwarding);
        self.owned.retain(&mut kept);
        Some(kept).filter(|kept| !kept.is_empty())
    }

    /// Puts the headers that this hop writes onto a request. With `replace`, they take the place of those that are
    /// there.
    pub(super) fn insert(written: &Written, replace: bool, headers: &mut HeaderMap) {
        for (name, value) in &written.lines {
            if replace {
                headers.insert(name, value.clone());
            } else {
                headers.append(name, value.clone());
            }
        }
    }

    /// Does the same, and puts the values that were kept in front of this hop's own.
    pub(super) fn insert_behind(
        &self,
        mut kept: HeaderMap,
        written: &Written,
        replace: bool,
        headers: &mut HeaderMap,
    ) {
        Self::insert(written, replace, headers);
        for (name, mut before) in kept.drain().filter_map(|(name, value)| name.zip(Some(value))) {
            let value = match headers.get(&name) {
                Some(own) => self.join(&before, own),
                None => {
                    before.set_sensitive(true);
                    before
                }
            };
            headers.insert(name, value);
        }
    }

    /// Joins two values as the dialect does. Returns this hop's own value alone if the dialect does not join them, or
    /// if the result is too large.
    fn join(&self, before: &HeaderValue, own: &HeaderValue) -> HeaderValue {
        let Some(mut joined) = self.dialect.append(before, own) else { return own.clone() };
        if joined.len() > self.max_value_size {
            warn_too_large(self.max_value_size, "what earlier proxies wrote is not forwarded");
            return own.clone();
        }
        joined.set_sensitive(true);
        joined
    }

    fn encode(&self, peer: Option<&PeerCertificates>) -> Headers {
        let Some(peer) = peer else { return self.write(&[], VerifyStatus::None) };
        let status = match peer.verification() {
            Verification::Verified => VerifyStatus::Success,
            Verification::Unverified(reason) => VerifyStatus::Failed(reason.as_str().into()),
        };
        let chain = match (self.chain, peer.verified_path()) {
            (_, None) if !self.forward_unverified => &[],
            (Chain::Presented, _) | (_, None) => peer.presented(),
            (Chain::VerifiedPath, Some(path)) => path,
        };
        let chain = chain.get(..self.max_certificates).unwrap_or(chain);
        let Some(leaf) = chain.get(..1) else { return self.write(&[], status) };

        let mut headers = self.write(chain, status.clone());
        if chain.len() > 1 && self.too_large(&headers) {
            warn_too_large(
                self.max_value_size,
                "the client's own certificate is forwarded without its chain",
            );
            headers = self.write(leaf, status);
        }
        if self.too_large(&headers) {
            headers = self.write(&[], VerifyStatus::Failed("certificate too large to forward".into()));
            if headers == self.write(&[], VerifyStatus::None) {
                warn_too_large(
                    self.max_value_size,
                    "this dialect would make the client anonymous, so its requests are refused with 431",
                );
                return None;
            }
            warn_too_large(self.max_value_size, "it is not forwarded");
        }
        headers
    }

    fn write(&self, certificates: &[CertificateDer<'static>], status: VerifyStatus) -> Headers {
        let mut headers = HeaderMap::new();
        self.dialect.encode(&Outgoing::new(certificates, status), &mut headers);
        let lines: Box<[_]> = headers
            .iter()
            .filter(|(name, _)| {
                let owned = self.owned.contains(name);
                if !owned {
                    warn_not_owned(name);
                }
                owned
            })
            .map(|(name, value)| {
                let mut value = value.clone();
                value.set_sensitive(true);
                (name.clone(), value)
            })
            .collect();
        let all_names = lines.len() == headers.keys_len() && lines.len() == self.owned.len();
        Some(Arc::new(Written { lines, all_names }))
    }

    fn too_large(&self, headers: &Headers) -> bool {
        headers.iter().flat_map(|headers| &headers.lines).any(|(_, value)| value.len() > self.max_value_size)
    }

    fn warn_once_if_nothing_can_arrive(&self, info: Option<&TlsConnectInfo>) {
        match info.map(TlsConnectInfo::policy) {
            None => self.warned.call_once(warn_no_connect_info),
            Some(Some(ClientAuthPolicy::NoClientCert)) => self.warned.call_once(warn_no_client_cert),
            Some(_) => {}
        }
    }
}

fn warn_no_connect_info() {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        "ClientCertLayer has no certificate to forward: the request carries no TlsConnectInfo. Serve it with \
         `axum::serve(TlsListener::new(listener, acceptor), tower_client_cert::make_service(app))`, or, in a server of \
         your own, wrap the service of each connection with `info.layer(service)`, where \
         `let (stream, info) = acceptor.accept(io).await?`. On a TLS stack other than this crate's acceptor, put \
         `AdoptConnectInfoLayer::axum_server()`, `::tonic()` or one for the stack's own type around this layer"
    );
}

fn warn_no_client_cert() {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        "ClientCertLayer has no certificate to forward: the policy is NoClientCert, so no client is ever asked for one. \
         Build the verifier with `ClientAuthPolicy::RequestClientCert.verifier()`, or another policy that asks"
    );
}

#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn warn_too_large(max: usize, consequence: &str) {
    telemetry::too_large();
    #[cfg(feature = "tracing")]
    tracing::warn!(max, "the header of a client certificate is too large: {consequence}");
}

#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn warn_not_owned(name: &HeaderName) {
    #[cfg(feature = "tracing")]
    tracing::warn!(%name, "dialect wrote a header that is not among its header_names(): not sent, since a client could forge it");
}

impl<D> Clone for Config<D> {
    fn clone(&self) -> Self {
        Self {
            dialect: Arc::clone(&self.dialect),
            owned: Arc::clone(&self.owned),
            warned: Arc::clone(&self.warned),
            ..*self
        }
    }
}

impl<D> fmt::Debug for Config<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("dialect", &std::any::type_name::<D>())
            .field("chain", &self.chain)
            .field("forward_unverified", &self.forward_unverified)
            .field("max_certificates", &self.max_certificates)
            .field("max_value_size", &self.max_value_size)
            .finish_non_exhaustive()
    }
}

impl<D> Config<D> {
    /// Tells these settings apart from those that they were copied from.
    pub(super) fn renew_id(&mut self) {
        self.id = next_id();
    }
}

fn next_id() -> LayerId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
