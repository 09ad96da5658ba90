//! A clock for a server, that stands still until it is told to go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

#[derive(Debug)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    pub(crate) fn at(seconds: u64) -> Arc<Self> {
        Arc::new(Self(seconds.into()))
    }

    pub(crate) fn now() -> Arc<Self> {
        Self::at(UnixTime::now().as_secs())
    }

    pub(crate) fn used_in(self: &Arc<Self>, config: &mut ServerConfig) {
        config.time_provider = Arc::clone(self) as Arc<dyn TimeProvider>;
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::SeqCst);
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn turn_back(&self, seconds: u64) {
        self.0.fetch_sub(seconds, Ordering::SeqCst);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.seconds())))
    }
}
