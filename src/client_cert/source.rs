//! Where the layer learns of a connection's certificates.

use http::Extensions;

#[cfg(any(feature = "axum-server", feature = "tonic"))]
use crate::peer::PeerCertificates;
use crate::peer::TlsConnectInfo;

/// What is known of a connection that none of this crate's acceptors has put a [`TlsConnectInfo`] on: the server's own
/// account of the certificates. It says what was presented, and not whether anybody checked it, and is read anew for each
/// request.
#[cfg_attr(not(any(feature = "axum-server", feature = "tonic")), allow(unused_variables))]
pub(super) fn foreign(extensions: &Extensions) -> Option<TlsConnectInfo> {
    #[cfg(feature = "axum-server")]
    if let Some(info) = extensions.get::<std::sync::Arc<axum_server::tls::TlsInfo>>() {
        return Some(from_axum_server(info));
    }
    #[cfg(feature = "tonic")]
    if let Some(info) = extensions.get::<TonicConnectInfo>() {
        let presented = info.peer_certs().map(std::sync::Arc::unwrap_or_clone);
        return Some(TlsConnectInfo::new(PeerCertificates::unverified(presented.unwrap_or_default())));
    }
    None
}

#[cfg(feature = "axum-server")]
fn from_axum_server(info: &axum_server::tls::TlsInfo) -> TlsConnectInfo {
    let presented = info.peer_certificates.iter().cloned().map(Into::into).collect();
    let mut ours = TlsConnectInfo::new(PeerCertificates::unverified(presented));
    if let Some(name) = &info.server_name {
        ours = ours.with_server_name(name);
    }
    if let Some(protocol) = &info.alpn_protocol {
        ours = ours.with_alpn_protocol(protocol.clone());
    }
    ours
}

/// What tonic puts on requests over TLS over TCP, and where `Request::peer_certs` looks. tonic does not export its
/// name unless it has a crypto provider of its own.
#[cfg(feature = "tonic")]
type TonicConnectInfo = <tokio_rustls::server::TlsStream<tokio::net::TcpStream> as tonic::transport::server::Connected>::ConnectInfo;
