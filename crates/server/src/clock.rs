//! The process's one clock: both sides count from the same zero.

use evenkeel_core::time::Moment;
use std::time::{Duration, Instant, SystemTime};

/// Turns the machine's monotonic clock into [`Moment`]s, and those into times of day for logs.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    zero: Instant,
    zero_wall: SystemTime,
}

impl Clock {
    /// A clock whose zero is now.
    #[must_use]
    pub fn start() -> Self {
        Self { zero: Instant::now(), zero_wall: SystemTime::now() }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment::from_nanos(u64::try_from(self.zero.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// The time of day of a moment.
    #[must_use]
    pub fn wall(&self, at: Moment) -> SystemTime {
        self.zero_wall + Duration::from_nanos(at.as_nanos())
    }
}
