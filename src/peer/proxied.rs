//! Marks requests whose client is known only from what a proxy says.

use http::Extensions;

use super::connection::TlsConnectInfo;
use crate::identity::ClientIdentity;

/// Marks every request that a [`ForwardedClientCertLayer`](crate::forwarded::ForwardedClientCertLayer) saw, trusted or
/// not: the peer of its connection is a hop on the client's way, and never the client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proxied;

impl Proxied {
    /// Marks a request, and removes an identity that an outer rule took from this connection's certificate: it is the
    /// hop's.
    pub(crate) fn mark(extensions: &mut Extensions) {
        if is_of_this_connection(extensions) {
            extensions.remove::<ClientIdentity>();
        }
        extensions.insert(Self);
    }

    pub(crate) fn marks(extensions: &Extensions) -> bool {
        extensions.get::<Self>().is_some()
    }
}

fn is_of_this_connection(extensions: &Extensions) -> bool {
    let Some(client) = extensions.get::<ClientIdentity>() else { return false };
    let peer = extensions.get().and_then(TlsConnectInfo::peer_certificates);
    peer.is_some_and(|peer| peer.identity().is_ok_and(|hop| hop == client))
}

/// What to write instead.
pub(crate) const ADVICE: &str = "a ForwardedClientCertLayer reads who the client is from headers, so the certificate \
    of this connection is a proxy's and not the client's. Between that layer and the handlers, say who is let in by \
    the header: `.layer(RequireClientCertLayer::new(rule).from_source(FromForwarded::<Dialect>::new()))`, with the \
    dialect of that layer. A rule about the proxy itself goes outside of it, and `PeerCertificates` is the proxy's";
