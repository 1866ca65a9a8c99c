//! A decaying score: what a peer may do often, but not endlessly.

use evenkeel_core::limits::Rate;
use evenkeel_core::time::Moment;

/// A leaky bucket that fills by one an event and empties with time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    level: f32,
    at: Moment,
}

impl Score {
    /// Counts an event; false if it is one too many.
    pub(crate) fn add(&mut self, now: Moment, rate: Rate) -> bool {
        self.add_many(now, rate, 1)
    }

    /// Counts an event that weighs as much as so many; false if that is too many.
    pub(crate) fn add_many(&mut self, now: Moment, rate: Rate, events: usize) -> bool {
        let passed = now.since(self.at).as_secs_f32();
        self.level = (self.level - passed * rate.per_second as f32).max(0.0) + events as f32;
        self.at = now;
        self.level <= rate.burst as f32
    }

    /// Counts an event if that is not one too many; whether it was counted.
    pub(crate) fn take(&mut self, now: Moment, rate: Rate) -> bool {
        let before = *self;
        let is_counted = self.add(now, rate);
        if !is_counted {
            *self = before;
        }
        is_counted
    }

    /// Whether more than this many events stand.
    pub(crate) fn is_above(&self, now: Moment, rate: Rate, events: u32) -> bool {
        let most = events as f32;
        self.level > most && self.level - now.since(self.at).as_secs_f32() * rate.per_second as f32 > most
    }

    /// Useful work makes room for one more.
    pub(crate) fn forgive(&mut self) {
        self.level = (self.level - 1.0).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_burst_passes_one_more_does_not_and_time_makes_room() {
        let rate = Rate { burst: 3, per_second: 1 };
        let (mut score, now) = (Score::default(), Moment::ZERO);
        assert!((0..3).all(|_| score.add(now, rate)));
        assert!(!score.add(now, rate));
        assert!(score.add(now + Duration::from_secs(2), rate));
        score.forgive();
        assert!(score.add(now + Duration::from_secs(2), rate));
    }
}
