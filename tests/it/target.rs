//! A server to be cruel to.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::serve::Listener;
use axum::{Router, routing::get};
use http::StatusCode;
use rcgen::KeyPair;
use rustls::version::TLS13;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor, PeerCertificates, TlsListener};

use crate::harness::{self, HttpClient, Server, ServerPki, verifier};
use crate::pki::{Authority, Identity};

/// A server that asks for certificates, and counts its connections, finished or not.
pub(crate) struct Target {
    pub(crate) pki: ServerPki,
    pub(crate) alice: Identity,
    pub(crate) acceptor: ClientCertAcceptor,
    open: watch::Receiver<usize>,
    pub(crate) server: Server,
}

impl Target {
    pub(crate) async fn start(policy: ClientAuthPolicy) -> Self {
        let ca = Authority::root("client CA");
        let pki = ServerPki::new();
        // The signatures of Ed25519 are all of one size, and so are its handshakes.
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let alice = ca.issue_for("alice", &key, |_| {});
        let acceptor = pki.acceptor(verifier(policy).roots([ca.der()]).build().unwrap());
        let (count, open) = watch::channel(0);
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = TlsListener::new(Counting { tcp, count }, acceptor.clone());
        let app = Router::new().route("/", get(|peer: PeerCertificates| async move { format!("{peer:?}") }));
        let server = Server::on(listener, app);
        Self { pki, alice, acceptor, open, server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// An honest client is served, whatever else goes on.
    pub(crate) async fn serves_the_honest(&self) {
        for http2 in [false, true] {
            let client = HttpClient::new(self.pki.client(Some(&self.alice), &[&TLS13]), http2);
            let response = client.send(self.address(), harness::get(self.address(), "/")).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert!(response.body().contains("Verified"), "{}", response.body());
        }
    }

    pub(crate) async fn has_open(&mut self, count: usize) {
        self.open.wait_for(|open| *open == count).await.unwrap();
    }
}

struct Counting {
    tcp: TcpListener,
    count: watch::Sender<usize>,
}

impl Listener for Counting {
    type Io = Counted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Counted, SocketAddr) {
        let (tcp, address) = Listener::accept(&mut self.tcp).await;
        self.count.send_modify(|count| *count += 1);
        (Counted { tcp, count: self.count.clone() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// A socket that is missed when it is gone.
struct Counted {
    tcp: TcpStream,
    count: watch::Sender<usize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.count.send_modify(|count| *count -= 1);
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
