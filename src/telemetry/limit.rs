//! How many events of a kind there are at the level that people run with, where others can cause as many as they like.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many events at once, and then one for each period.
#[derive(Debug)]
pub(crate) struct Limit {
    burst: u32,
    each: Duration,
    spent: Mutex<Spent>,
}

#[derive(Debug)]
struct Spent {
    /// When all will be forgotten.
    until: Option<Instant>,
    suppressed: u64,
}

impl Limit {
    pub(crate) const fn new(burst: u32, each: Duration) -> Self {
        Self { burst, each, spent: Mutex::new(Spent { until: None, suppressed: 0 }) }
    }

    /// How many were suppressed before this one, if it is not suppressed itself.
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

/// Ten at once, and then ten a second.
impl Default for Limit {
    fn default() -> Self {
        Self::new(10, Duration::from_millis(100))
    }
}

/// One event at this level. What is over the limit is for level `debug`, and the next one in `suppressed` counts it.
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
        // A clock that goes back does not.
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
