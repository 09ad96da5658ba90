//! Slow, silent, broken and hostile clients: each is got rid of, and none is in anybody's way.

use std::env;
use std::fs::File;
use std::io;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::SupportedProtocolVersion;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf, duplex};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tower_client_cert::{AcceptError, ChainError, ClientAuthPolicy, RefusalReason};

use crate::pki::{Authority, unknown_extension};
use crate::target::Target;

/// A client's end that lets so many bytes out, says so, and stalls.
struct Stalling<'a, IO> {
    io: &'a mut IO,
    left: usize,
    stalled: Arc<Notify>,
}

impl<IO: AsyncRead + Unpin> AsyncRead for Stalling<'_, IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_read(cx, buffer)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Stalling<'_, IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let fits = &bytes[..self.left.min(bytes.len())];
        if fits.is_empty() {
            self.stalled.notify_one();
            return Poll::Pending;
        }
        let written = Pin::new(&mut *self.io).poll_write(cx, fits);
        if let Poll::Ready(Ok(written)) = written {
            self.left -= written;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_shutdown(cx)
    }
}

/// Shakes hands until `bytes` of the client's share are sent. Whether that was all of it.
async fn shake_hands_up_to<IO: AsyncRead + AsyncWrite + Unpin>(
    bytes: usize,
    io: &mut IO,
    connector: &TlsConnector,
) -> bool {
    let stalled = Arc::new(Notify::new());
    let io = Stalling { io, left: bytes, stalled: Arc::clone(&stalled) };
    tokio::select! {
        connected = connector.connect(ServerName::try_from("localhost").unwrap(), io) => {
            connected.unwrap();
            true
        }
        () = stalled.notified() => false,
    }
}

fn connector(target: &Target, version: &'static SupportedProtocolVersion) -> TlsConnector {
    TlsConnector::from(Arc::new(target.pki.client(Some(&target.alice), &[version])))
}

/// Two descriptors for each client, since both ends are in this process.
fn as_many_clients_as_may_be(wanted: usize) -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    wanted.min(usize::try_from(limit.saturating_sub(512) / 2).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i6_thousands_of_mute_connections_are_in_nobodys_way() {
    let mut target = Target::start(ClientAuthPolicy::RequireAndVerifyClientCert).await;
    let clients = as_many_clients_as_may_be(5_000);
    let mut mute = Vec::new();
    for at in 0..clients {
        let mut client = TcpStream::connect(target.address()).await.unwrap();
        if at % 2 == 0 {
            // Half of them begin to speak.
            client.write_all(&[0x16, 0x03, 0x01, 0x02]).await.unwrap();
        }
        mute.push(client);
    }
    target.has_open(clients).await;
    target.serves_the_honest().await;
    drop(mute);
    target.has_open(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i6_a_reset_at_any_byte_of_the_handshake_leaves_nothing_behind() {
    let mut target = Target::start(ClientAuthPolicy::RequireAndVerifyClientCert).await;
    for version in [&TLS12, &TLS13] {
        let connector = connector(&target, version);
        let mut bytes = 0;
        loop {
            let mut tcp = TcpStream::connect(target.address()).await.unwrap();
            let complete = shake_hands_up_to(bytes, &mut tcp, &connector).await;
            tcp.set_zero_linger().unwrap();
            drop(tcp);
            if bytes % 100 == 0 {
                target.serves_the_honest().await;
            }
            if complete {
                break;
            }
            bytes += 1;
        }
        assert!(bytes > 500, "a handshake of {bytes} bytes");
    }
    target.serves_the_honest().await;
    target.has_open(0).await;
}

/// In memory, and on a clock that moves on as soon as everybody waits for it.
#[tokio::test(start_paused = true)]
async fn i6_a_client_that_stops_or_leaves_at_any_byte_of_the_handshake_is_dropped() {
    let target = Target::start(ClientAuthPolicy::RequireAndVerifyClientCert).await;
    for version in [&TLS12, &TLS13] {
        let connector = connector(&target, version);
        let mut complete = false;
        let mut bytes = 0;
        while !complete {
            for stays in [true, false] {
                let (server, mut client) = duplex(64 * 1024);
                let client = async {
                    complete = shake_hands_up_to(bytes, &mut client, &connector).await;
                    stays.then_some(client)
                };
                let (accepted, _client) = tokio::join!(target.acceptor.accept(server), client);
                match accepted {
                    Ok(_) => assert!(complete),
                    Err(AcceptError::Timeout { .. }) => assert!(stays && !complete),
                    // One that leaves after its last byte does not wait for the session tickets.
                    Err(AcceptError::Handshake(_)) => assert!(!stays),
                    Err(other) => panic!("after {bytes} bytes: {other}"),
                }
            }
            bytes += 1;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn i6_a_byte_a_second_does_not_put_off_the_deadline() {
    let target = Target::start(ClientAuthPolicy::RequestClientCert).await;
    let acceptor = target.acceptor.clone().handshake_timeout(Duration::from_secs(30));
    let config = Arc::new(target.pki.client(None, &[&TLS13]));
    let mut hello = Vec::new();
    rustls::ClientConnection::new(config, ServerName::try_from("localhost").unwrap())
        .unwrap()
        .write_tls(&mut hello)
        .unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: somewhere.far.away\r\n\r\n".to_vec();
    for what in [hello, request] {
        assert!(what.len() > 31);
        let (server, mut client) = duplex(64);
        let begin = Instant::now();
        let slow = async {
            for byte in what {
                client.write_u8(byte).await.unwrap();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let error = tokio::select! {
            accepted = acceptor.accept(server) => accepted.unwrap_err(),
            () = slow => panic!("it was given all the time it wanted"),
        };
        assert!(matches!(error, AcceptError::Timeout { after } if after.as_secs() == 30), "{error}");
        assert_eq!(begin.elapsed().as_secs(), 30);
    }
}

#[tokio::test]
async fn i6_garbage_gets_an_alert_at_most() {
    let mut target = Target::start(ClientAuthPolicy::RequireAndVerifyClientCert).await;
    let mut samples: Vec<Vec<u8>> = [
        &b""[..],
        b"ssh\r\n",
        b"\r\n\r\n\x00\r\nQUIT\n!",                      // PROXY protocol, version 2
        b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", // SSLv2
        b"\x16\x03\x01\x00\x00",                         // an empty record
        b"\x16\x03\x01\xff\xff",                         // one too large
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",         // a message of 16 MB
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",         // a ServerHello
        b"\x14\x03\x03\x00\x01\x01",                     // ChangeCipherSpec
        b"\x15\x03\x03\x00\x02\x01\x00",                 // close_notify
        b"\x15\x03\x03\x00\x02\x02\x28",                 // an alert
        b"\x17\x03\x03\x00\x01\x00",                     // application data
        b"\x18\x03\x03\x00\x03\x01\xff\xff",             // a heartbeat
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for size in 1..200 {
        let mut noise = || {
            (state, _) = (state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1), ());
            (state >> 56) as u8
        };
        let noise: Vec<u8> = (0..size * 5).map(|_| noise()).collect();
        // As it is, and in a record.
        let length = u16::try_from(noise.len()).unwrap().to_be_bytes();
        samples.push([&[0x16, 0x03, 0x01], &length[..], &noise].concat());
        samples.push(noise.into_iter().skip_while(u8::is_ascii_uppercase).collect());
    }
    for sample in samples {
        let mut client = TcpStream::connect(target.address()).await.unwrap();
        // The server may have had enough before the end.
        let _ = client.write_all(&sample).await;
        let _ = client.shutdown().await;
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.len() == 7 && answer[0] == 0x15, "{sample:x?}: {answer:x?}");
    }
    target.serves_the_honest().await;
    target.has_open(0).await;
}

#[tokio::test]
async fn i6_a_chain_is_bounded_before_anything_costly_looks_at_it() {
    let ca = Authority::root("another CA");
    let junk = |count| vec![CertificateDer::from(vec![0x30, 0x00]); count];
    let large =
        |bytes| ca.issue("large", |params| params.custom_extensions = vec![unknown_extension(false, bytes)]);
    let too_large = large(33_000);
    let bytes = too_large.chain[0].len();
    // Six are too many, whatever they are; nobody reads them to find that out.
    let cases = [
        (ca.client("a").with(junk(5)), Some(ChainError::TooManyCertificates { count: 6, max: 5 })),
        (ca.client("a").with(junk(1_000)), Some(ChainError::TooManyCertificates { count: 1_001, max: 5 })),
        (ca.client("a").with(junk(1)), Some(ChainError::NotACertificate { index: 1 })),
        (too_large, Some(ChainError::TooLarge { index: 0, bytes, max: 32 * 1024 })),
        // More than TLS allows for the whole message; rustls does not even keep it.
        (large(40_000).with(large(40_000).chain), None),
    ];
    for policy in ClientAuthPolicy::ALL.into_iter().filter(|policy| policy.requests()) {
        let mut target = Target::start(policy).await;
        for (identity, expected) in &cases {
            for version in [&TLS12, &TLS13] {
                let connector = TlsConnector::from(Arc::new(target.pki.client(Some(identity), &[version])));
                let (server, client) = duplex(256 * 1024);
                let client = async {
                    let mut stream =
                        connector.connect(ServerName::try_from("localhost").unwrap(), client).await?;
                    stream.read_u8().await
                };
                let (accepted, client) = tokio::join!(target.acceptor.accept(server), client);
                let error = accepted.unwrap_err();
                assert_eq!(chain_error(&error).as_ref(), expected.as_ref(), "{error}");
                client.unwrap_err();
            }
        }
        target.serves_the_honest().await;
        target.has_open(0).await;
    }
}

fn chain_error(error: &AcceptError) -> Option<ChainError> {
    match error {
        AcceptError::Refused(refusal) => match refusal.reason() {
            RefusalReason::Chain(error) => Some(error.clone()),
            other => panic!("{other}"),
        },
        AcceptError::Handshake(_) => None,
        other => panic!("{other}"),
    }
}

/// In a process of its own, since a process's descriptors are shared by all of its tests.
#[test]
fn i6_running_out_of_descriptors_is_survived() {
    const CHILD: &str = "TOWER_CLIENT_CERT_TEST_FEW_DESCRIPTORS";
    if env::var_os(CHILD).is_some() {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run_out());
        return;
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "hostile::i6_running_out_of_descriptors_is_survived", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn run_out() {
    let mut target = Target::start(ClientAuthPolicy::RequireAndVerifyClientCert).await;
    let client = TcpSocket::new_v4().unwrap();
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum }).unwrap();
    let files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(!files.is_empty() && File::open("/dev/null").is_err());

    // The kernel takes the connection, and the server can't.
    let tcp = client.connect(target.address()).await.unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    target.has_open(0).await;

    drop(files);
    let connector = connector(&target, &TLS13);
    let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    target.serves_the_honest().await;
}
