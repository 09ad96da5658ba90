//! tonic: the stream of a `TlsListener` as a [`Connected`].

use tonic::transport::server::Connected;

use crate::serve::Captured;

/// What the socket says. With TLS over it, `Request::remote_addr` and `Request::peer_certs` work as usual.
impl<IO: Connected> Connected for Captured<IO> {
    type ConnectInfo = IO::ConnectInfo;

    fn connect_info(&self) -> IO::ConnectInfo {
        self.get_ref().connect_info()
    }
}
