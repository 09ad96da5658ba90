//! Limits how often something is logged at a level that is on by default, where strangers can cause it as often as they
//! like.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Allows `burst` events at once, and then one in each period.
#[derive(Debug)]
pub(crate) struct Limit {
    burst: u32,
    each: Duration,
    spent: Mutex<Spent>,
}

#[derive(Debug)]
struct Spent {
    /// When the whole burst is available again.
    until: Option<Instant>,
    suppressed: u64,
}

impl Limit {
    pub(crate) const fn new(burst: u32, each: Duration) -> Self {
        Self { burst, each, spent: Mutex::new(Spent { until: None, suppressed: 0 }) }
    }

    /// Admits an event, and returns how many were suppressed before it. `None` if the event itself is to be suppressed.
    pub(crate) fn admit(&self, now: Instant) -> Option<u64> {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let until = spent.until.map_or(now, |until| until.max(now));
        if until.duration_since(now) > self.each * self.burst.saturating_sub(1) {
            spent.suppressed = spent.suppressed.saturating_add(1);
            return None;
        }
        spent.until = Some(until + self.each);
        Some(std::mem::take(&mut spent.suppressed))
    }
}

/// Allows ten events at once, and then ten a second.
impl Default for Limit {
    fn default() -> Self {
        Self::new(10, Duration::from_millis(100))
    }
}

/// Emits one event at this level. If it is over the limit it has level `debug`, and the next event within the limit
/// counts it in `suppressed`.
macro_rules! limited {
    ($limit:expr, $level:ident, $($event:tt)+) => {
        match $limit.admit(std::time::Instant::now()) {
            Some(suppressed) => {
                tracing::$level!(suppressed = Some(suppressed).filter(|count| *count > 0), $($event)+);
            }
            None => tracing::debug!($($event)+),
        }
    };
}

pub(crate) use limited;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_told_then_one_at_a_time_and_those_between_are_counted() {
        let limit = Limit::default();
        let start = Instant::now();
        for _ in 0..limit.burst {
            assert_eq!(limit.admit(start), Some(0));
        }
        for _ in 0..1_000 {
            assert_eq!(limit.admit(start), None);
        }
        assert_eq!(limit.admit(start + limit.each), Some(1_000));
        assert_eq!(limit.admit(start + limit.each), None);
        assert_eq!(limit.admit(start + limit.each * 2), Some(1));

        let later = start + Duration::from_secs(3_600);
        let told = (0..1_000).filter(|_| limit.admit(later).is_some()).count();
        assert_eq!(told, limit.burst as usize, "rest saves up no more than a burst");
        // A clock that goes backwards saves up nothing.
        assert_eq!(limit.admit(start), None);
    }

    #[test]
    fn a_limit_of_one_at_once_is_one_for_each_period() {
        let limit = Limit::new(1, Duration::from_secs(60));
        let start = Instant::now();
        assert_eq!(limit.admit(start), Some(0));
        assert_eq!(limit.admit(start + Duration::from_secs(59)), None);
        assert_eq!(limit.admit(start + Duration::from_secs(60)), Some(1));
    }
}
