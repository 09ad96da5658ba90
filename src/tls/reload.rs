//! Certificates, client CAs and CRLs that change while the server runs.

use std::collections::HashSet;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(feature = "tracing")]
use rustls::pki_types::UnixTime;
use tokio::sync::watch;

use super::acceptor::{ClientCertAcceptor, Endpoints, Source};
use super::files::{Change, FileRead};

/// Swaps what an acceptor serves with, without dropping a connection: by [call](Self::reload), on a signal for example,
/// or when the [files change](Self::watch).
///
/// It is given the function that makes the acceptor, and calls it again: the same code as without reload. A connection
/// is served from beginning to end with what was current when it came: configuration and verifier are never of
/// different ages. Sessions go with the configuration that stores them; those in a ticketer that all configurations
/// share are resumed as long as the verifier's [fingerprint](super::ClientVerifier::fingerprint) is the same.
///
/// If the function fails, what was loaded before stays in use, and [`last_error`](Self::last_error) says why. So does a
/// warning (feature `tracing`).
///
/// A clone is a reference count.
///
/// ```no_run
/// use std::time::Duration;
/// use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor, Reloader, TlsListener, make_service};
///
/// # async fn serve(app: axum::Router) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let reloader = Reloader::new(|| -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
///     let verifier = ClientAuthPolicy::RequireAndVerifyClientCert
///         .verifier()
///         .roots_from_file("/etc/tls/ca.crt")
///         .crls_from_file("/etc/tls/ca.crl")
///         .build()?;
///     Ok(ClientCertAcceptor::from_files("/etc/tls/tls.crt", "/etc/tls/tls.key", verifier, |config| {
///         config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
///     })?)
/// })?;
/// tokio::spawn(reloader.clone().watch(Duration::from_secs(5)));
///
/// let tcp = tokio::net::TcpListener::bind("0.0.0.0:8443").await?;
/// axum::serve(TlsListener::new(tcp, reloader.acceptor()), make_service(app)).await?;
/// # Ok(())
/// # }
/// ```
///
/// # What happens to open connections
///
/// They keep the configuration they were made with, and stay open. Those whose client a handshake would now refuse, or
/// would not verify, are demoted: see [the table](ClientCertAcceptor#trust-over-time).
/// [`ClientCertAcceptor::trust_lost`] tells which they are, for a server that can drain them.
///
/// # When things expire
///
/// Each load is an event (feature `tracing`) with the times at which the server's certificate and the first CRL
/// expire, in seconds since 1970; it is a warning if one of them has expired already. For metrics, the [acceptor
/// tells](ClientCertAcceptor::server_cert_not_after) them at any time.
#[derive(Clone)]
pub struct Reloader(Arc<Inner>);

struct Inner {
    load: Box<Load>,
    current: watch::Sender<Arc<Endpoints>>,
    handshake_timeout: Duration,
    names_in_log: bool,
    /// Held while loading, so that no older load replaces a newer one.
    loading: Mutex<()>,
    last_error: Mutex<Option<Arc<ReloadError>>>,
}

type Load = dyn Fn() -> Result<ClientCertAcceptor, BoxError> + Send + Sync;
type BoxError = Box<dyn Error + Send + Sync>;

impl Reloader {
    /// Loads for the first time. `load` reads files, and may take as long as that takes.
    ///
    /// # Errors
    ///
    /// If `load` fails.
    pub fn new<E>(
        load: impl Fn() -> Result<ClientCertAcceptor, E> + Send + Sync + 'static,
    ) -> Result<Self, ReloadError>
    where
        E: Into<BoxError>,
    {
        let load = move || load().map_err(Into::into);
        let acceptor = load().map_err(ReloadError)?;
        announce(&acceptor);
        Ok(Self(Arc::new(Inner {
            load: Box::new(load),
            current: watch::Sender::new(acceptor.source.current()),
            handshake_timeout: acceptor.handshake_timeout,
            names_in_log: acceptor.names_in_log,
            loading: Mutex::new(()),
            last_error: Mutex::new(None),
        })))
    }

    /// An acceptor that serves each connection with what is current, and has the handshake timeout of the first load,
    /// and its [`without_names_in_log`](ClientCertAcceptor::without_names_in_log).
    #[must_use]
    pub fn acceptor(&self) -> ClientCertAcceptor {
        ClientCertAcceptor {
            handshake_timeout: self.0.handshake_timeout,
            names_in_log: self.0.names_in_log,
            ..ClientCertAcceptor::from_source(Source::Reloaded(self.0.current.subscribe()))
        }
    }

    /// Loads again, and serves new connections with the result. It reads files: in an async function, call it in
    /// [`spawn_blocking`](tokio::task::spawn_blocking).
    ///
    /// Write the files first, all of them. Half a certificate is an error, but a chain that ends between two can't be
    /// told from a shorter one.
    ///
    /// # Errors
    ///
    /// If loading fails. What was loaded before stays in use then.
    pub fn reload(&self) -> Result<(), Arc<ReloadError>> {
        let _loading = lock(&self.0.loading);
        match (self.0.load)() {
            Ok(acceptor) => {
                announce(&acceptor);
                *lock(&self.0.last_error) = None;
                self.0.current.send_replace(acceptor.source.current());
                Ok(())
            }
            Err(error) => {
                let error = Arc::new(ReloadError(error));
                let last = lock(&self.0.last_error).replace(Arc::clone(&error));
                // A watch tries the same again and again.
                if last.is_none_or(|last| last.to_string() != error.to_string()) {
                    #[cfg(feature = "tracing")]
                    tracing::warn!(%error, "the old TLS configuration stays in use");
                }
                Err(error)
            }
        }
    }

    /// Why the last load failed. `None` if it did not.
    #[must_use]
    pub fn last_error(&self) -> Option<Arc<ReloadError>> {
        lock(&self.0.last_error).clone()
    }

    /// Looks at the files at this interval, and reloads when they have changed. Spawn it; it stops when it is aborted.
    ///
    /// The files are all that [`from_files`](ClientCertAcceptor::from_files) and the builder of the verifier have read.
    /// They are compared by what is in them, and nothing is loaded until two looks have found the same, so that a file
    /// is not read while it is written. If that fails (a file is missing or half written, a key does not belong to its
    /// certificate), the old configuration stays in use and loading is tried again at every look.
    ///
    /// It asks the kernel for no notification: in a secret mounted by Kubernetes a symbolic link to a directory is
    /// swapped, of which a watch on the file learns only that it was deleted ([kubernetes#111947]), others miss what
    /// network file systems do not report, and who watches in this way ends up looking from time to time as well
    /// ([controller-runtime#3049]). A look is one read of each file.
    ///
    /// A secret mounted with `subPath` never changes.
    ///
    /// [kubernetes#111947]: https://github.com/kubernetes/kubernetes/issues/111947
    /// [controller-runtime#3049]: https://github.com/kubernetes-sigs/controller-runtime/pull/3049
    pub async fn watch(self, interval: Duration) -> Infallible {
        let mut seen = Changes::new();
        let mut interval = tokio::time::interval(interval.max(Duration::from_millis(1)));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let this = self.clone();
            // If `load` panics, the panic is reported, and the next look tries it again.
            seen = tokio::task::spawn_blocking(move || this.look(&seen)).await.unwrap_or_default();
        }
    }

    /// One look: what has changed, of which the next look sees whether it has settled.
    fn look(&self, before: &Changes) -> Changes {
        let now = self.changes();
        if now.is_empty() && !before.is_empty() {
            // Somebody has put back what is loaded, and there is nothing left to be wrong.
            *lock(&self.0.last_error) = None;
        }
        // An error is kept and logged by `reload`.
        if !now.is_empty() && now == *before && self.reload().is_ok() { Changes::new() } else { now }
    }

    fn changes(&self) -> Changes {
        let endpoints = Arc::clone(&self.0.current.borrow());
        let files: HashSet<&FileRead> = endpoints.all().flat_map(|endpoint| endpoint.files()).collect();
        files.into_iter().filter_map(FileRead::changed).collect()
    }
}

/// The files in which is something else than was loaded.
type Changes = HashSet<Change>;

/// A load that panics leaves nothing behind that is half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn announce(acceptor: &ClientCertAcceptor) {
    #[cfg(feature = "tracing")]
    {
        let now = UnixTime::now();
        let [cert, crl] = [acceptor.server_cert_not_after(), acceptor.crl_next_update()];
        let seconds = |time: Option<UnixTime>| time.map(|time| time.as_secs());
        let (server_cert_not_after, crl_next_update) = (seconds(cert), seconds(crl));
        if cert.into_iter().chain(crl).any(|end| end < now) {
            tracing::warn!(
                server_cert_not_after,
                crl_next_update,
                "loaded a TLS configuration that has expired"
            );
        } else {
            tracing::info!(server_cert_not_after, crl_next_update, "loaded the TLS configuration");
        }
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").field("last_error", &self.last_error()).finish_non_exhaustive()
    }
}

/// What the function given to [`Reloader::new`] failed with: that is its [`source`](Error::source).
#[derive(Debug, thiserror::Error)]
#[error("can't load the TLS configuration: {0}")]
pub struct ReloadError(#[source] BoxError);
