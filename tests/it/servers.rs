//! The acceptor and the layer in servers other than `axum::serve`, and on other transports than TCP.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio_rustls::TlsConnector;
use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor};

use crate::harness::{ServerPki, verifier};
use crate::pki::{Authority, Identity};

fn setting() -> (ServerPki, Identity, ClientCertAcceptor) {
    let ca = Authority::root("client CA");
    let pki = ServerPki::new();
    let policy = ClientAuthPolicy::VerifyClientCertIfGiven;
    let acceptor = pki.acceptor(verifier(policy).roots([ca.der()]).build().unwrap());
    (pki, ca.client("alice"), acceptor)
}

/// Takes the line off that HAProxy's PROXY protocol (version 1) puts before everything else.
struct ProxyProtocol<IO> {
    io: IO,
    line: Vec<u8>,
}

impl<IO: AsyncRead + Unpin> AsyncRead for ProxyProtocol<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.line.ends_with(b"\n") {
            let mut byte = [0];
            let mut one = ReadBuf::new(&mut byte);
            std::task::ready!(Pin::new(&mut self.io).poll_read(cx, &mut one))?;
            match one.filled() {
                [] => return Poll::Ready(Ok(())),
                filled => self.line.extend_from_slice(filled),
            }
        }
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for ProxyProtocol<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_transport_of_ones_own_goes_under_the_acceptor() {
    let (pki, alice, acceptor) = setting();
    let (server, mut client): (DuplexStream, _) = tokio::io::duplex(1024);
    let connector = TlsConnector::from(Arc::new(pki.client(Some(&alice), &[&TLS13])));
    let client = async {
        client.write_all(b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 443\r\n").await.unwrap();
        let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), client).await.unwrap();
        stream.read_u8().await.unwrap()
    };
    let server = async {
        let accepted = acceptor.accept(ProxyProtocol { io: server, line: Vec::new() }).await;
        let (mut stream, info) = accepted.unwrap();
        stream.write_u8(7).await.unwrap();
        stream.flush().await.unwrap();
        assert!(info.peer_certificates().unwrap().is_verified());
        // What the transport found out is still there.
        String::from_utf8(stream.get_ref().0.line.clone()).unwrap()
    };
    let (line, byte) = tokio::join!(server, client);
    assert_eq!((line.trim_end(), byte), ("PROXY TCP4 192.0.2.1 192.0.2.2 50000 443", 7));
}

#[cfg(feature = "axum-server")]
mod in_axum_server {
    use std::net::SocketAddr;

    use axum::Router;
    use axum::routing::get;
    use axum_server::Handle;
    use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
    use http::{HeaderMap, HeaderValue};
    use tower_client_cert::{AdoptConnectInfoLayer, ClientCertLayer};

    use super::*;
    use crate::harness::{self, HttpClient, skipper_value};

    /// What a backend would read.
    fn app() -> Router {
        let headers = |headers: HeaderMap| async move {
            let all = headers.iter().filter(|(name, _)| name.as_str().starts_with("x-forwarded"));
            all.map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect::<String>()
        };
        Router::new().route("/", get(headers)).layer(ClientCertLayer::new())
    }

    async fn ask(address: SocketAddr, pki: &ServerPki, identity: Option<&Identity>, http2: bool) -> String {
        let client = HttpClient::new(pki.client(identity, &[&TLS13]), http2);
        let mut request = harness::get(address, "/");
        request.headers_mut().insert("x-forwarded-tls-client-cert", HeaderValue::from_static("forged"));
        client.send(address, request).await.into_body()
    }

    fn value(identity: &Identity, status: &str) -> String {
        let name = "x-forwarded-tls-client-cert";
        format!("{name}: {}\n{name}-verify: {status}\n", skipper_value(&identity.chain))
    }

    #[tokio::test]
    async fn our_acceptor_in_axum_server_gives_the_verdict() {
        let (pki, alice, acceptor) = setting();
        let handle = Handle::new();
        let server = axum_server::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .handle(handle.clone())
            .acceptor(acceptor)
            .serve(app().into_make_service());
        let server = tokio::spawn(server);
        let address = handle.listening().await.unwrap();
        for http2 in [false, true] {
            assert_eq!(ask(address, &pki, Some(&alice), http2).await, value(&alice, "SUCCESS"));
            assert_eq!(ask(address, &pki, None, http2).await, "x-forwarded-tls-client-cert-verify: NONE\n");
        }
        handle.graceful_shutdown(None);
        server.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_axum_server_itself_captures_is_adopted_when_told_to_and_called_unchecked() {
        let (pki, alice, _) = setting();
        let verifier = verifier(ClientAuthPolicy::RequestClientCert).build().unwrap();
        let config = RustlsConfig::from_config(Arc::new(pki.config(&verifier)));
        let nothing = "x-forwarded-tls-client-cert-verify: NONE\n";
        let adopted = value(&alice, "FAILED:not checked");
        // The feature alone changes nothing.
        for (app, of_alice) in
            [(app().layer(AdoptConnectInfoLayer::axum_server()), adopted.as_str()), (app(), nothing)]
        {
            let handle = Handle::new();
            let server = axum_server::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
                .handle(handle.clone())
                .acceptor(RustlsAcceptor::new(config.clone()))
                .serve(app.into_make_service());
            tokio::spawn(server);
            let address = handle.listening().await.unwrap();
            assert_eq!(ask(address, &pki, Some(&alice), true).await, of_alice);
            assert_eq!(ask(address, &pki, None, false).await, nothing);
            handle.shutdown();
        }
    }

    #[tokio::test]
    async fn nothing_is_adopted_where_our_acceptor_has_given_its_verdict() {
        let (pki, alice, acceptor) = setting();
        let adopt = AdoptConnectInfoLayer::new(|_: &http::Extensions| {
            Some(tower_client_cert::TlsConnectInfo::new(None))
        });
        let handle = Handle::new();
        let server = axum_server::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .handle(handle.clone())
            .acceptor(acceptor)
            .serve(app().layer(adopt).into_make_service());
        tokio::spawn(server);
        let address = handle.listening().await.unwrap();
        assert_eq!(ask(address, &pki, Some(&alice), true).await, value(&alice, "SUCCESS"));
        handle.shutdown();
    }
}

#[cfg(feature = "tonic")]
mod in_tonic {
    use axum::serve::Listener;
    use http::{HeaderMap, Request, Response, StatusCode};
    use http_body_util::Empty;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use tokio::net::TcpListener;
    use tokio_stream::StreamExt as _;
    use tower::service_fn;
    use tower_client_cert::{AdoptConnectInfoLayer, ClientCertLayer, StripTrailers, TlsListener};

    use super::*;
    use crate::harness::{connect, skipper_value};

    #[tokio::test]
    async fn in_tonic_peer_certs_works_and_so_does_the_layer() {
        let (pki, alice, acceptor) = setting();
        let mut listener = TlsListener::new(TcpListener::bind("127.0.0.1:0").await.unwrap(), acceptor);
        let address = Listener::local_addr(&listener).unwrap();
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move { while sender.send(listener.accept().await.0).await.is_ok() {} });
        let incoming = tokio_stream::wrappers::ReceiverStream::new(receiver).map(Ok::<_, io::Error>);
        let service = service_fn(|request: Request<StripTrailers<tonic::body::Body>>| async move {
            let request = tonic::Request::from_http(request);
            assert!(request.remote_addr().is_some());
            let certificates = request.peer_certs().map_or(0, |certificates| certificates.len());
            let mut headers: HeaderMap = request.metadata().clone().into_headers();
            headers.insert("peer-certs", certificates.into());
            let mut response = Response::new(tonic::body::Body::empty());
            *response.headers_mut() = headers;
            Ok::<_, std::convert::Infallible>(response)
        });
        let server = tonic::transport::Server::builder()
            .layer(AdoptConnectInfoLayer::tonic())
            .layer(ClientCertLayer::new());
        tokio::spawn(server.serve_with_incoming(service, incoming));

        for (identity, status) in [(Some(&alice), "FAILED:not checked"), (None, "NONE")] {
            let mut config = pki.client(identity, &[&TLS13]);
            config.alpn_protocols = vec![b"h2".to_vec()];
            let io = TokioIo::new(connect(address, &config).await.unwrap());
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            let request = Request::post(format!("https://{address}/a.B/C"))
                .header("x_forwarded_tls_client_cert", "forged")
                .body(Empty::<bytes::Bytes>::new())
                .unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            let headers = response.headers();
            assert_eq!(headers["peer-certs"], if identity.is_some() { "1" } else { "0" });
            assert_eq!(headers["x-forwarded-tls-client-cert-verify"], status);
            let value = headers.get("x-forwarded-tls-client-cert").map(|value| value.to_str().unwrap());
            assert_eq!(value, identity.map(|alice| skipper_value(&alice.chain)).as_deref());
            assert!(!headers.contains_key("x_forwarded_tls_client_cert"));
        }
    }
}
