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

/// Replaces what an acceptor serves with, without dropping a connection: when [`reload`](Self::reload) is called, on a
/// signal for example, or when the [files change](Self::watch).
///
/// A `Reloader` is given the function that makes the acceptor, and calls it again for each reload, so that the code is
/// the same as without reloading. A connection is served from beginning to end with the configuration that was current
/// when it came, and never sees the configuration of one load with the verifier of another. Sessions in a
/// configuration's own storage end with that configuration. Sessions in a store or ticketer that all configurations
/// share are resumed as long as the verifier's [fingerprint](super::ClientVerifier::fingerprint) stays the same.
///
/// If the function fails, the configuration that was loaded before stays in use. [`last_error`](Self::last_error) says
/// why, and so does a warning (feature `tracing`).
///
/// Cloning a `Reloader` is cheap: it copies a reference-counted pointer.
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
///     Ok(ClientCertAcceptor::from_files("/etc/tls/tls.crt", "/etc/tls/tls.key", verifier, |_| {})?)
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
/// Open connections keep the configuration they were made with, and stay open. A connection is demoted if a handshake
/// would now refuse its client, or would no longer verify the client's certificate: see [the
/// table](ClientCertAcceptor#trust-over-time). A server that can drain connections learns from
/// [`ClientCertAcceptor::trust_lost`] which ones to drain.
///
/// # When things expire
///
/// Each load emits an event (feature `tracing`) with the times at which the server's certificate and the first CRL
/// expire, in seconds since 1970. The event is a warning if one of them has expired already. For metrics,
/// [`server_cert_not_after`](ClientCertAcceptor::server_cert_not_after) and
/// [`crl_next_update`](ClientCertAcceptor::crl_next_update) give these times whenever they are asked.
#[derive(Clone)]
pub struct Reloader(Arc<Inner>);

struct Inner {
    load: Box<Load>,
    current: watch::Sender<Arc<Endpoints>>,
    handshake_timeout: Duration,
    names_in_log: bool,
    /// Held during a load, so that an older load never replaces a newer one.
    loading: Mutex<()>,
    last_error: Mutex<Option<Arc<ReloadError>>>,
}

type Load = dyn Fn() -> Result<ClientCertAcceptor, BoxError> + Send + Sync;
type BoxError = Box<dyn Error + Send + Sync>;

impl Reloader {
    /// Calls `load` for the first time. `load` may block while it reads files.
    ///
    /// # Errors
    ///
    /// Returns the error of `load`, if it fails.
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

    /// Returns an acceptor that serves each connection with the configuration that is current when the connection
    /// comes.
    ///
    /// It has the handshake timeout of the first load, and its
    /// [`without_names_in_log`](ClientCertAcceptor::without_names_in_log).
    #[must_use]
    pub fn acceptor(&self) -> ClientCertAcceptor {
        ClientCertAcceptor {
            handshake_timeout: self.0.handshake_timeout,
            names_in_log: self.0.names_in_log,
            ..ClientCertAcceptor::from_source(Source::Reloaded(self.0.current.subscribe()))
        }
    }

    /// Loads again, and serves new connections with the result. Loading reads files: in an async function, call this
    /// within [`spawn_blocking`](tokio::task::spawn_blocking).
    ///
    /// Write all files before calling this. Half a certificate is an error, but a chain file that was cut between two
    /// certificates looks like a complete, shorter chain.
    ///
    /// # Errors
    ///
    /// Returns the error if loading fails. The configuration that was loaded before then stays in use.
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
                // `watch` tries a load that failed again and again, so the same error is logged once.
                if last.is_none_or(|last| last.to_string() != error.to_string()) {
                    #[cfg(feature = "tracing")]
                    tracing::warn!(%error, "the old TLS configuration stays in use");
                }
                Err(error)
            }
        }
    }

    /// Returns the error of the last load. `None` if it succeeded.
    #[must_use]
    pub fn last_error(&self) -> Option<Arc<ReloadError>> {
        lock(&self.0.last_error).clone()
    }

    /// Reads the files at this interval, and reloads when their contents have changed. Spawn it as a task; it runs
    /// until the task is aborted.
    ///
    /// The files are all those that [`from_files`](ClientCertAcceptor::from_files) and the verifier's builder have
    /// read. A change is loaded only after two reads in a row have found the same contents, so that no file is loaded
    /// while it is being written. If loading fails (a file is missing or half written, or a key does not belong to its
    /// certificate), the old configuration stays in use, and loading is tried again at every interval.
    ///
    /// Files are read rather than watched through the kernel's notifications. In a secret mounted by Kubernetes, a
    /// symbolic link to a directory is replaced, and a watch on the file learns only that the file was deleted
    /// ([kubernetes#111947]). Network file systems do not report other changes. Programs that rely on notifications
    /// therefore end up reading from time to time as well ([controller-runtime#3049]).
    ///
    /// Kubernetes never updates a secret that is mounted with `subPath`.
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
            // If `load` panics, tokio reports the panic, and the next round tries again.
            seen = tokio::task::spawn_blocking(move || this.look(&seen)).await.unwrap_or_default();
        }
    }

    /// Compares the files with what was loaded, and reloads if the changes are the same as `before`. Returns the
    /// changes that have not been loaded.
    fn look(&self, before: &Changes) -> Changes {
        let now = self.changes();
        if now.is_empty() && !before.is_empty() {
            // The files have again the contents that are loaded, so the last error is settled.
            *lock(&self.0.last_error) = None;
        }
        // `reload` keeps and logs the error.
        if !now.is_empty() && now == *before && self.reload().is_ok() { Changes::new() } else { now }
    }

    fn changes(&self) -> Changes {
        let endpoints = Arc::clone(&self.0.current.borrow());
        let files: HashSet<&FileRead> = endpoints.all().flat_map(|endpoint| endpoint.files()).collect();
        files.into_iter().filter_map(FileRead::changed).collect()
    }
}

/// The files whose contents differ from those that were loaded.
type Changes = HashSet<Change>;

/// Locks a mutex even if it is poisoned: a load that panics leaves no half-written value behind.
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

/// The error with which the function given to [`Reloader::new`] failed. That error is its [`source`](Error::source).
#[derive(Debug, thiserror::Error)]
#[error("can't load the TLS configuration: {0}")]
pub struct ReloadError(#[source] BoxError);
