//! A graceful shutdown: what is under way is finished, everything else ends at once.

use std::sync::Arc;

use axum::{Router, routing::get};
use http::StatusCode;
use hyper_util::rt::TokioIo;
use rustls::version::TLS13;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tower_client_cert::ClientAuthPolicy;

use crate::harness::{self, HttpClient, Server, ServerPki, connect, verifier};

struct Slow {
    pki: ServerPki,
    server: Server,
    /// A request to `/slow` takes one of these to say that it is under way…
    entered: Arc<Semaphore>,
    /// … and one of these to be answered.
    leave: Arc<Semaphore>,
}

impl Slow {
    async fn start() -> Self {
        let pki = ServerPki::new();
        let acceptor = pki.acceptor(verifier(ClientAuthPolicy::RequestClientCert).build().unwrap());
        let (entered, leave) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (enter, left) = (Arc::clone(&entered), Arc::clone(&leave));
        let slow = move || async move {
            enter.add_permits(1);
            left.acquire().await.unwrap().forget();
            "done"
        };
        let app = Router::new().route("/", get(|| async { "hello" })).route("/slow", get(slow));
        Self { server: Server::start(acceptor, app).await, pki, entered, leave }
    }
}

#[tokio::test]
async fn requests_under_way_finish_and_half_done_handshakes_are_cut() {
    for http2 in [false, true] {
        let slow = Slow::start().await;
        let address = slow.server.address;
        let client = HttpClient::new(slow.pki.client(None, &[&TLS13]), http2);
        let request = tokio::spawn(async move { client.send(address, harness::get(address, "/slow")).await });
        slow.entered.acquire().await.unwrap().forget();
        let mut half_done = TcpStream::connect(address).await.unwrap();
        half_done.write_all(&[0x16, 0x03, 0x01]).await.unwrap();

        let end = tokio::spawn(slow.server.shut_down());
        // A reset, if the server has not read it all.
        assert_eq!(half_done.read(&mut [0]).await.unwrap_or(0), 0);
        // The listener went with it.
        TcpStream::connect(address).await.unwrap_err();
        assert!(!end.is_finished());
        slow.leave.add_permits(1);
        let response = request.await.unwrap();
        assert_eq!((response.status(), response.body().as_str()), (StatusCode::OK, "done"));
        end.await.unwrap();
    }
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let slow = Slow::start().await;
    let address = slow.server.address;
    let config = slow.pki.client(None, &[&TLS13]);
    // One that has not sent a request yet, and one that is kept alive after its first.
    let mut fresh = connect(address, &config).await.unwrap();
    let io = TokioIo::new(connect(address, &config).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    let connection = tokio::spawn(connection);
    harness::read(sender.send_request(harness::get(address, "/")).await.unwrap()).await;
    assert!(!connection.is_finished());

    slow.server.shut_down().await;
    connection.await.unwrap().unwrap();
    let _ = fresh.read(&mut [0]).await;
}

#[tokio::test]
async fn http2_connections_get_goaway() {
    let slow = Slow::start().await;
    let mut config = slow.pki.client(None, &[&TLS13]);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut stream = connect(slow.server.address, &config).await.unwrap();
    // The preface and SETTINGS (RFC 9113 section 3.4), of which the server's SETTINGS are the acknowledgement.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await.unwrap();
    assert_eq!(frame(&mut stream).await.unwrap().0, 0x4);

    let end = tokio::spawn(slow.server.shut_down());
    let mut goaway = None;
    while let Some((kind, payload)) = frame(&mut stream).await {
        match kind {
            // GOAWAY: the last stream, and NO_ERROR
            0x7 => goaway = Some(payload[4..8].to_vec()),
            // PING, which the server waits for to come back
            0x6 => {
                stream.write_all(&[0, 0, 8, 0x6, 0x1, 0, 0, 0, 0]).await.unwrap();
                stream.write_all(&payload).await.unwrap();
            }
            _ => {}
        }
    }
    assert_eq!(goaway, Some(vec![0; 4]));
    end.await.unwrap();
}

/// A frame's type and payload. `None` at the end.
async fn frame(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], payload))
}
