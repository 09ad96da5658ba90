//! tonic: implements its trait [`Connected`] for the stream of a `TlsListener`.

use std::sync::{Arc, Once};

use http::Extensions;
use tonic::transport::server::Connected;

use super::adopt::AdoptConnectInfoLayer;
use super::axum::Captured;
use crate::peer::{PeerCertificates, TlsConnectInfo};

/// Reports the socket's own connect info. tonic adds TLS to it, so `Request::remote_addr` and `Request::peer_certs`
/// work as usual.
///
/// tonic's own server has no place in which requests for a host with another policy could be refused. If the acceptor
/// [chooses its policy by server name](crate::ClientCertAcceptor::by_server_name), a warning says so (feature
/// `tracing`): serve tonic's `Routes` with `make_service` instead.
impl<IO: Connected> Connected for Captured<IO> {
    type ConnectInfo = IO::ConnectInfo;

    fn connect_info(&self) -> IO::ConnectInfo {
        if let Some(policy) = self.tls_connect_info().and_then(TlsConnectInfo::host_policy) {
            if !policy.is_the_only_one() {
                static WARNED: Once = Once::new();
                WARNED.call_once(warn_of_several_policies);
            }
        }
        self.get_ref().connect_info()
    }
}

fn warn_of_several_policies() {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        "the policies of this port are no boundary: they are chosen by the name a client asks for in its handshake, and \
         tonic's own server does not refuse requests for a host with another policy. Serve tonic's services as \
         `axum::serve(listener, make_service(Routes::new(service).into_axum_router()))`"
    );
}

/// What tonic attaches to requests over TLS over TCP, and where `Request::peer_certs` looks. tonic exports the type by
/// name only with one of its own crypto providers.
type TonicConnectInfo = <tokio_rustls::server::TlsStream<tokio::net::TcpStream> as Connected>::ConnectInfo;

/// The function that reads tonic's connect info.
type FromTonic = fn(&Extensions) -> Option<TlsConnectInfo>;

impl AdoptConnectInfoLayer<FromTonic> {
    /// Makes a layer that reads what tonic's own server attaches to requests over TLS, which `Request::peer_certs`
    /// reads too.
    pub const fn tonic() -> Self {
        Self::new(from_tonic)
    }
}

fn from_tonic(extensions: &Extensions) -> Option<TlsConnectInfo> {
    let info = extensions.get::<TonicConnectInfo>()?;
    let presented = info.peer_certs().map(Arc::unwrap_or_clone).unwrap_or_default();
    Some(TlsConnectInfo::new(PeerCertificates::unverified(presented)))
}
