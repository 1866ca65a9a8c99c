//! When discovery asks again: after a good answer by its TTL, after a failure with back-off and jitter.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How often a source is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Shortest time between a good answer and the next question, however short the TTL.
    pub floor: Duration,
    /// Longest time between a good answer and the next question, however long the TTL.
    pub ceiling: Duration,
    /// Time from the first failure to the next question; doubles with each failure in a row.
    pub retry: Duration,
    /// Longest time between a failure and the next question, without jitter.
    pub max_retry: Duration,
}

impl Pace {
    /// A record of TTL 0 or 1 is asked for once a second: often enough for a scale-up to be seen within a second, and
    /// rare enough that a fleet of balancers is no load on the cluster's DNS.
    pub const TTL_FLOOR: Duration = Duration::from_secs(1);

    /// A record of an hour's TTL is asked for every 30 s: endpoints change sooner than such TTLs admit.
    pub const TTL_CEILING: Duration = Duration::from_secs(30);

    /// How long a good answer holds.
    #[must_use]
    pub fn after_answer(&self, ttl: Duration) -> Duration {
        ttl.clamp(self.floor, self.ceiling)
    }

    /// How long to wait after so many failures in a row (1 is the first). `jitter` spreads it over ±20 %, so that
    /// balancers that failed together do not ask together.
    #[must_use]
    pub fn after_failure(&self, failures: u32, jitter: u64) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        let base = self.retry.saturating_mul(1 << doublings).min(self.max_retry);
        base.mul_f64(0.8 + 0.4 * (jitter as f64 / u64::MAX as f64))
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            floor: Self::TTL_FLOOR,
            ceiling: Self::TTL_CEILING,
            retry: Duration::from_millis(500),
            max_retry: Duration::from_secs(30),
        }
    }
}

/// A random number for [`Pace::after_failure`].
#[must_use]
pub(super) fn jitter() -> u64 {
    // The standard library seeds each hasher state from the system's entropy; spreading retries needs no more.
    RandomState::new().hash_one(0_u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_ttl_between_floor_and_ceiling_is_obeyed() {
        assert_eq!(Pace::default().after_answer(SECOND * 7), SECOND * 7);
    }

    #[test]
    fn a_ttl_at_the_floor_or_the_ceiling_is_obeyed_and_beyond_it_is_bounded() {
        let pace = Pace::default();
        assert_eq!(pace.after_answer(SECOND), SECOND);
        assert_eq!(pace.after_answer(Duration::ZERO), SECOND);
        assert_eq!(pace.after_answer(SECOND * 30), SECOND * 30);
        assert_eq!(pace.after_answer(SECOND * 31), SECOND * 30);
    }

    #[test]
    fn failures_in_a_row_are_retried_ever_later_up_to_a_bound() {
        let pace = Pace::default();
        let middle = u64::MAX / 2;
        let waits: Vec<u64> =
            [1, 2, 3, 7, 1000].iter().map(|&n| pace.after_failure(n, middle).as_millis() as u64).collect();
        assert_eq!(waits, [500, 1000, 2000, 30_000, 30_000]);
    }

    #[test]
    fn jitter_spreads_a_retry_by_a_fifth_to_each_side() {
        let pace = Pace::default();
        assert_eq!(pace.after_failure(2, 0), Duration::from_millis(800));
        assert_eq!(pace.after_failure(2, u64::MAX), Duration::from_millis(1200));
        assert_ne!(jitter(), jitter());
    }
}
