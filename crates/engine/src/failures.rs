//! Which failed exchanges are told one by one: a few a second, so that an outage is no storm of records.
//!
//! All of them are counted by outcome elsewhere; a record shows which endpoint it was and how long it took.

use evenkeel_core::time::Moment;
use std::time::Duration;

/// Most failed exchanges that a worker tells of in one second.
pub(crate) const MOST_A_SECOND: u32 = 10;

const WINDOW: Duration = Duration::from_secs(1);

/// Counts those of one worker, in windows of one second.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    window_began: Moment,
    told: u32,
    left_out: u64,
}

impl Failures {
    /// Whether one more is told: then with the number of those that were not since the last.
    pub(crate) fn admit(&mut self, now: Moment) -> Option<u64> {
        if now.since(self.window_began) >= WINDOW {
            (self.window_began, self.told) = (now, 0);
        }
        if self.told == MOST_A_SECOND {
            self.left_out += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_allowed_are_told_in_a_second_and_the_rest_is_counted() {
        let mut failures = Failures::default();
        let now = Moment::ZERO + Duration::from_secs(5);
        assert!((0..MOST_A_SECOND).all(|_| failures.admit(now) == Some(0)));
        assert!((0..3).all(|_| failures.admit(now + Duration::from_millis(999)).is_none()));
        assert_eq!(failures.admit(now + WINDOW), Some(3));
        assert_eq!(failures.admit(now + WINDOW), Some(0));
    }
}
