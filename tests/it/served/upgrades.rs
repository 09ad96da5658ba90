//! Connections that were upgraded: hyper lets go of them, and `serve` does not.

use std::io::ErrorKind;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tower_client_cert::ClientCertAcceptor;

use super::{Served, Tls, asking, config, with_alpn};
use crate::harness::connect;
use crate::pki::Authority;
use crate::reload::Pki;
use rustls::ClientConfig;

const LONG: Duration = Duration::from_secs(100 * 24 * 60 * 60);

/// How an upgraded connection ended for its handler.
type Endings = mpsc::UnboundedReceiver<std::io::Result<()>>;

/// A server with a protocol that says `hello` and then repeats what it hears.
async fn start(acceptor: ClientCertAcceptor, drain: Duration, age: Duration) -> (Served, Endings) {
    let (ended, endings) = mpsc::unbounded_channel();
    let echo = get(async move |mut request: Request| {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut io = TokioIo::new(upgrade.await.unwrap());
            io.write_all(b"hello").await.unwrap();
            let mut buffer = [0; 16];
            let ending = loop {
                match io.read(&mut buffer).await {
                    Ok(0) => break Ok(()),
                    Ok(read) => io.write_all(&buffer[..read]).await.unwrap(),
                    Err(error) => {
                        // There is nothing to write any more, either.
                        assert_eq!(io.write(b"late").await.unwrap_err().kind(), error.kind());
                        break Err(error);
                    }
                }
            };
            ended.send(ending).unwrap();
        });
        Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header("connection", "upgrade")
            .header("upgrade", "echo")
            .body(Body::empty())
            .unwrap()
    });
    let app = Router::new().route("/echo", echo);
    let served = Served::app(acceptor, app, |serve| {
        serve.header_timeout(Duration::from_secs(5)).drain_timeout(drain).max_connection_age(age)
    });
    (served.await, endings)
}

async fn open(served: &Served, config: &ClientConfig) -> Tls {
    let mut tls = connect(served.address, config).await.unwrap();
    tls.write_all(b"GET /echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nhello") {
        answer.push(tls.read_u8().await.unwrap());
    }
    tls
}

async fn ping(tls: &mut Tls) {
    tls.write_all(b"ping").await.unwrap();
    let mut pong = [0; 4];
    tls.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"ping");
}

#[tokio::test]
async fn it_ends_at_once_when_trust_is_lost() {
    let pki = Pki::new();
    let files = pki.files();
    let reloader = files.reloader();
    let (served, mut endings) = start(reloader.acceptor(), LONG, LONG).await;
    let mut tls = open(&served, &with_alpn(pki.client(), false)).await;
    ping(&mut tls).await;

    files.write("ca.crt", Authority::root("another CA").pem());
    reloader.reload().unwrap();
    // By TLS's own close: rustls makes an error of any other.
    assert_eq!(tls.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    let error = endings.recv().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
    assert!(error.to_string().contains("does not verify any more"), "{error}");
}

#[tokio::test]
async fn no_request_is_awaited_on_it() {
    let (pki, acceptor) = asking();
    let (served, _endings) = start(acceptor, LONG, LONG).await;
    let mut tls = open(&served, &config(&pki, false)).await;
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(24 * 60 * 60)).await;
    ping(&mut tls).await;
}

#[tokio::test]
async fn it_has_the_drain_timeout_at_its_maximum_age() {
    let (pki, acceptor) = asking();
    let (age, drain) = (Duration::from_secs(100), Duration::from_secs(10));
    let (served, mut endings) = start(acceptor, drain, age).await;
    let mut tls = open(&served, &config(&pki, false)).await;
    tokio::time::pause();
    let start = Instant::now();
    assert_eq!(tls.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    assert!(start.elapsed() > age && start.elapsed() <= age + drain, "{:?}", start.elapsed());
    let error = endings.recv().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("maximum age"), "{error}");
}

#[tokio::test]
async fn a_shutdown_waits_for_it_until_its_deadline() {
    for says_goodbye in [true, false] {
        let (pki, acceptor) = asking();
        let (served, mut endings) = start(acceptor, Duration::from_secs(10), LONG).await;
        let mut tls = open(&served, &config(&pki, false)).await;
        let mut idle = connect(served.address, &config(&pki, false)).await.unwrap();
        let stopped = tokio::spawn(served.stop());
        // It is told to stop when it closes the idle one.
        super::closed(&mut idle).await;
        ping(&mut tls).await;
        assert!(!stopped.is_finished());
        if says_goodbye {
            tls.shutdown().await.unwrap();
            assert_eq!(stopped.await.unwrap(), Ok(()));
            let _ = endings.recv().await.unwrap();
        } else {
            tokio::time::pause();
            assert_eq!(stopped.await.unwrap().unwrap_err().connections, 1);
            let error = endings.recv().await.unwrap().unwrap_err();
            assert_eq!(error.to_string(), "the server has stopped");
            assert_eq!(tls.read_to_end(&mut Vec::new()).await.unwrap(), 0);
        }
    }
}
