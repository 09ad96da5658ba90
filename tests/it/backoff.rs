//! A listener below that waits, since it has run out of file descriptors: handshakes that end do not cut its wait short.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::serve::Listener;
use rustls::version::TLS13;
use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};
use tower_client_cert::{ClientAuthPolicy, TlsListener};

use crate::harness::{ServerPki, verifier};
use crate::pki::{Authority, Identity};

/// How long axum's listeners wait before they try again.
const WAIT: Duration = Duration::from_secs(1);

/// Hands out its connections, and then finds that there are no descriptors, says so and waits, again and again.
struct Exhausted {
    connections: Vec<DuplexStream>,
    errors: Arc<AtomicUsize>,
}

impl Listener for Exhausted {
    type Io = DuplexStream;
    type Addr = usize;

    async fn accept(&mut self) -> (DuplexStream, usize) {
        loop {
            if let Some(connection) = self.connections.pop() {
                return (connection, self.connections.len());
            }
            self.errors.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(WAIT).await;
        }
    }

    fn local_addr(&self) -> io::Result<usize> {
        Ok(4711)
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_limit_of_descriptors_the_log_has_a_line_a_second_and_not_one_for_each_handshake() {
    const CLIENTS: usize = 20;
    let ca = Authority::root("client CA");
    let pki = ServerPki::new();
    let policy = ClientAuthPolicy::RequireAndVerifyClientCert;
    let acceptor = pki.acceptor(verifier(policy).roots([ca.der()]).build().unwrap());

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..CLIENTS {
        let (near, far) = duplex(64 * 1024);
        ours.push(near);
        theirs.push(far);
    }
    let errors = Arc::new(AtomicUsize::new(0));
    let mut listener =
        TlsListener::new(Exhausted { connections: ours, errors: Arc::clone(&errors) }, acceptor);
    let (alice, mallory) = (ca.client("alice"), Identity::self_signed("mallory"));
    for (index, far) in theirs.into_iter().enumerate() {
        // Handshakes that fail and handshakes that succeed.
        let identity = if index % 2 == 0 { &alice } else { &mallory };
        let connector = tokio_rustls::TlsConnector::from(Arc::new(pki.client(Some(identity), &[&TLS13])));
        tokio::spawn(async move {
            let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
            if let Ok(mut stream) = connector.connect(name, far).await {
                let _ = stream.read_u8().await;
            }
        });
    }
    let mut served = Vec::new();
    for _ in 0..CLIENTS / 2 {
        // Whoever accepts may give up waiting at any time.
        while let Ok(connection) =
            tokio::time::timeout(Duration::from_millis(1), Listener::accept(&mut listener)).await
        {
            served.push(connection);
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(served.len(), CLIENTS / 2);
    assert_eq!(errors.load(Ordering::SeqCst), 1);
    assert_eq!(listener.local_addr().unwrap(), 4711);

    // It goes on to try, once in a while.
    let _ = tokio::time::timeout(3 * WAIT, Listener::accept(&mut listener)).await;
    assert_eq!(errors.load(Ordering::SeqCst), 4);
}
