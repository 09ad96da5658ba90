//! Many policies on one port: which one a handshake gets, and what requests its connection is good for.

mod handshake;
mod misdirected;

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor};

use crate::harness::{ServerPki, verifier};
use crate::pki::{Authority, Identity};

use ClientAuthPolicy::{NoClientCert, RequestClientCert, RequireAndVerifyClientCert};

/// One port: `open.example` and `alias.example` ask for nothing, `strict.example` and `*.strict.example` want a
/// verified certificate, and whoever asks for anything else may present one.
struct Port {
    pki: ServerPki,
    alice: Identity,
    acceptor: ClientCertAcceptor,
}

impl Port {
    fn new() -> Self {
        let ca = Authority::root("client CA");
        let names = ["open.example", "alias.example", "strict.example", "*.strict.example", "127.0.0.1"];
        let server_ca = Authority::root("server CA");
        let pki = ServerPki { server: server_ca.server(&names), ca: server_ca };

        let open = || verifier(NoClientCert).build().unwrap();
        let strict = verifier(RequireAndVerifyClientCert).roots([ca.der()]).build().unwrap();
        let acceptor = ClientCertAcceptor::by_server_name()
            .name("open.example", pki.acceptor(open()))
            .name("alias.example", pki.acceptor(open()))
            .name("strict.example", pki.acceptor(Arc::clone(&strict)))
            .name("*.strict.example", pki.acceptor(strict))
            .fallback(pki.acceptor(verifier(RequestClientCert).build().unwrap()))
            .build()
            .unwrap();
        Self { pki, alice: ca.client("alice"), acceptor }
    }

    fn client(&self, alpn: &str) -> ClientConfig {
        let mut config = self.pki.client(Some(&self.alice), &[&TLS12, &TLS13]);
        config.alpn_protocols = vec![alpn.into()];
        config
    }
}

/// Connects and asks for a name; for an IP address, for none.
async fn connect(
    address: SocketAddr,
    name: &str,
    config: ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}
