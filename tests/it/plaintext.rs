//! Plain HTTP on the TLS port.

use std::io;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower_client_cert::{AcceptError, ClientAuthPolicy};

use crate::harness::read;
use crate::target::Target;

#[tokio::test]
async fn i6_plain_http_on_the_tls_port_is_told_so_in_plain_http() {
    let mut target = Target::start(ClientAuthPolicy::RequireAndVerifyClientCert).await;
    for body in [0, 10, 100_000] {
        let tcp = TcpStream::connect(target.address()).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(tcp)).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = Request::post("/")
            .header("host", "localhost")
            .body(Full::<Bytes>::from(vec![b'a'; body]))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let text = read(response).await.into_body();
        assert!(text.starts_with("This port speaks TLS"), "{text:?}");
        drop(sender);
        // It may have had more to send.
        let _ = connection.await.unwrap();
    }
    target.serves_the_honest().await;
    target.has_open(0).await;
}

#[tokio::test]
async fn the_acceptor_says_what_was_wrong() {
    let target = Target::start(ClientAuthPolicy::RequestClientCert).await;
    for request in ["GET / HTTP/1.0\r\n\r\n", "OPTIONS * HTTP/1.1\n\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let (server, mut client) = tokio::io::duplex(4_096);
        let client = async {
            client.write_all(request.as_bytes()).await?;
            client.shutdown().await?;
            let mut answer = String::new();
            client.read_to_string(&mut answer).await?;
            io::Result::Ok(answer)
        };
        let (accepted, answer) = tokio::join!(target.acceptor.accept(server), client);
        assert!(matches!(accepted, Err(AcceptError::PlainHttp)), "{request:?}: {accepted:?}");
        assert!(answer.unwrap().starts_with("HTTP/1.1 400 Bad Request\r\n"), "{request:?}");
    }
}
