//! When a connection is to be drained, and when it is to be cut: all its deadlines, for one timer.

use std::time::Duration;

use http::Version;
use tokio::time::Instant;

use super::Settings;
use super::activity::Activity;
use super::ending::Ending;

#[derive(Debug)]
pub(super) struct Schedule {
    settings: Settings,
    old_at: Option<Instant>,
    /// When the client was told that there will be no more, since it had been quiet for too long.
    told_quiet: Option<Instant>,
    cut_at: Option<(Instant, Ending)>,
}

/// What is to be done now.
#[derive(Debug)]
pub(super) enum Due {
    /// Nothing before this time.
    Nothing { until: Instant },
    /// Tell the client that no more requests are taken.
    Drain(Ending),
    /// End the connection, whatever is under way.
    Cut(Ending),
}

/// A time that is far enough away, and that timers can deal with.
pub(super) const FAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Schedule {
    pub(super) fn new(settings: Settings, now: Instant) -> Self {
        let old_at = settings.max_connection_age.and_then(|age| now.checked_add(age));
        Self { settings, old_at, told_quiet: None, cut_at: None }
    }

    /// Cuts the connection once its time to drain is over.
    pub(super) fn drain(&mut self, ending: Ending, now: Instant) {
        let at = now + self.settings.drain_timeout.min(FAR);
        let at = self.cut_at.as_ref().map_or(at, |(earlier, _)| at.min(*earlier));
        self.cut_at = Some((at, ending));
        self.old_at = None;
    }

    /// Returns what is due. `activity` is that of HTTP: `None` once the connection has been upgraded.
    pub(super) fn due(&mut self, activity: Option<&Activity>, now: Instant) -> Due {
        if let Some((at, ending)) = &self.cut_at {
            // No request is under way on an upgraded connection, and no message could be understood by both sides.
            let at_once = activity.is_none() && matches!(ending, Ending::TrustLost(_));
            if *at <= now || at_once {
                return Due::Cut(ending.clone());
            }
        }
        if self.old_at.is_some_and(|at| at <= now) {
            self.drain(Ending::Old, now);
            return Due::Drain(Ending::Old);
        }
        let quiet_at = match activity.map(|activity| self.quiet_at(activity, now)) {
            Some(Some(at)) if at <= now => {
                let asked = activity.is_some_and(|activity| activity.version().is_some());
                // Who has never asked has nothing to lose, and may not even speak HTTP.
                if self.told_quiet.is_some() || !asked {
                    return Due::Cut(Ending::Quiet);
                }
                self.told_quiet = Some(now);
                return Due::Drain(Ending::Quiet);
            }
            other => other.flatten(),
        };
        let cut_at = self.cut_at.as_ref().map(|(at, _)| *at);
        let until = [self.old_at, quiet_at, cut_at].into_iter().flatten().min();
        Due::Nothing { until: until.unwrap_or(now + FAR) }
    }

    /// Returns when the connection will have been quiet for too long, or when to look again if it is not quiet now.
    /// `None` if hyper looks after the rest: over HTTP/1.1 it cuts who is within the head of a request, and nobody else
    /// is to be cut. An answer may have been sent before the request's body has come.
    fn quiet_at(&self, activity: &Activity, now: Instant) -> Option<Instant> {
        let http1 = activity.version().is_some_and(|version| version < Version::HTTP_2);
        if http1 && self.told_quiet.is_some() {
            return None;
        }
        let since = match activity.quiet_since() {
            Some(quiet) => quiet.max(self.told_quiet.unwrap_or(quiet)),
            None => now,
        };
        Some(since + self.settings.header_timeout.min(FAR))
    }
}
