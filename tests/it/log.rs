//! What one test logs, while others run beside it.

use std::io::Write;
use std::sync::{Arc, Mutex, Once};

use tracing::Subscriber;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// Everything that is logged on this thread, from [`Log::start`] on for as long as it lives.
pub(crate) struct Log {
    text: Text,
    _guard: DefaultGuard,
}

impl Log {
    /// At level `info`, which is what people run with.
    pub(crate) fn start() -> Self {
        Self::with_filter("info")
    }

    /// With a filter as in `RUST_LOG`.
    pub(crate) fn with_filter(filter: &str) -> Self {
        // As long as there is one subscriber only, tracing lets any thread that meets an event first decide for all
        // whether it is of interest, and other tests' threads have none.
        static ANOTHER: Once = Once::new();
        ANOTHER
            .call_once(|| tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap());

        let text = Text::default();
        let guard = tracing::subscriber::set_default(text.clone().subscriber(filter));
        Self { text, _guard: guard }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.text.0.lock().unwrap().clone()).unwrap()
    }
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Text {
    fn subscriber(self, filter: &str) -> impl Subscriber + Send + Sync + use<> {
        let filter: Targets = filter.parse().unwrap();
        let layer = fmt::layer().with_ansi(false).with_writer(move || self.clone());
        tracing_subscriber::registry().with(layer.with_filter(filter))
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged while something is done.
pub(crate) fn capture(what: impl FnOnce()) -> String {
    let log = Log::start();
    what();
    log.text()
}
