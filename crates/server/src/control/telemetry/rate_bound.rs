//! A bound on records a second, so that a storm of connections is no storm of log lines.

use evenkeel_core::time::Moment;
use std::time::Duration;

/// Most records of sessions and upstreams that are written in one second; the rest is counted and told.
pub const MAX_CONNECTION_RECORDS_PER_SECOND: u64 = 1000;

const WINDOW: Duration = Duration::from_secs(1);

/// Counts records in windows of one second.
#[derive(Debug)]
pub struct RateBound {
    limit: u64,
    window_began: Moment,
    admitted: u64,
    left_out: u64,
}

impl RateBound {
    /// Admits at most `limit` records a second.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self { limit, window_began: Moment::ZERO, admitted: 0, left_out: 0 }
    }

    /// Whether a record may be written now; one that may not is counted.
    pub fn admits(&mut self, now: Moment) -> bool {
        if now.since(self.window_began) >= WINDOW {
            self.window_began = now;
            self.admitted = 0;
        }
        if self.admitted < self.limit {
            self.admitted += 1;
            true
        } else {
            self.left_out += 1;
            false
        }
    }

    /// How many records were left out since this was asked last.
    pub fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment::from_nanos(5_000_000_000);

    #[test]
    fn the_limit_is_admitted_and_one_more_is_left_out_and_counted() {
        let mut bound = RateBound::new(3);
        assert_eq!([(); 4].map(|()| bound.admits(START)), [true, true, true, false]);
        assert_eq!(bound.take_left_out(), 1);
        assert_eq!(bound.take_left_out(), 0);
    }

    #[test]
    fn the_next_second_admits_again() {
        let mut bound = RateBound::new(1);
        assert!(bound.admits(START));
        assert!(!bound.admits(START + Duration::from_millis(999)));
        assert!(bound.admits(START + WINDOW));
    }
}
