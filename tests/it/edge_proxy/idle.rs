//! `--header-timeout` over HTTP/2, after the first request.

use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ALL_VERSIONS;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Backend, EdgeProxy};
use crate::harness::{connect, get, read};

#[tokio::test]
async fn an_idle_connection_is_closed_and_one_with_a_request_under_way_is_not() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &["--header-timeout", "0.3"]).await;
    let mut config = proxy.files.server.client(None, ALL_VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let open = async || {
        let io = TokioIo::new(connect(proxy.address, &config).await.unwrap());
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        (sender, tokio::spawn(connection))
    };
    let (mut busy, _busy_connection) = open().await;
    let held = tokio::spawn(busy.send_request(get(proxy.address, "/held")));
    backend.arrived.acquire().await.unwrap().forget();

    let (mut idle, idle_connection) = open().await;
    for _ in 0..3 {
        let response = idle.send_request(get(proxy.address, "/")).await.unwrap();
        assert_eq!(read(response).await.status(), 200);
    }
    // It ends politely: the client is told that there will be no more.
    idle_connection.await.unwrap().unwrap();

    // The other had been silent for longer.
    backend.release.add_permits(1);
    assert_eq!(read(held.await.unwrap().unwrap()).await.body(), "released");
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, length: usize, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A head that never comes to its end, when nothing else is under way and when something is.
#[tokio::test]
async fn a_head_that_does_not_end_is_cut_off() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &["--header-timeout", "0.3"]).await;
    let mut config = proxy.files.server.client(None, ALL_VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let head = |path: &str| {
        // RFC 7541: POST by its index, https, the path and the authority as literals.
        let mut block = vec![0x82, 0x87, 0x04, u8::try_from(path.len()).unwrap()];
        block.extend(path.as_bytes());
        block.extend([0x01, 9]);
        block.extend(b"localhost");
        block
    };
    let (end_stream, end_headers) = (0x1, 0x4);
    for path in ["/", "/held"] {
        let block = head(path);
        let start = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(4, 0, 0, 0, &[]),
            frame(1, end_stream | end_headers, 1, block.len(), &block),
        ];
        let unfinished = [
            // The frame is not whole.
            frame(1, end_stream | end_headers, 3, 1_000, &block),
            // The frame is, and there is no CONTINUATION.
            frame(1, end_stream, 3, block.len(), &block),
        ];
        for unfinished in unfinished {
            let mut tls = connect(proxy.address, &config).await.unwrap();
            tls.write_all(&[start.concat(), unfinished].concat()).await.unwrap();
            if path == "/held" {
                backend.arrived.acquire().await.unwrap().forget();
            }
            // Until the proxy closes, whether politely or not.
            let _ = tls.read_to_end(&mut Vec::new()).await;
            if path == "/held" {
                backend.release.add_permits(1);
            }
        }
    }
}
