//! One coarse wheel for a worker's deadlines.
//!
//! Arming is cheap and nothing is ever disarmed: whoever armed compares what fires with what holds now. After Varghese
//! and Lauck, "Hashed and Hierarchical Timing Wheels" (1987), scheme 6: what lies beyond a turn waits in its slot.

use evenkeel_core::time::Moment;

/// Width of a slot, 8 ms: deadlines are late by at most this much, and never early.
const TICK_NANOS: u64 = 8_000_000;
const SLOTS: u64 = 1024;

/// Deadlines with something to wake.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    slots: Vec<Vec<(u64, T)>>,
    /// The last tick that has fired.
    tick: u64,
    /// Nothing fires before this tick.
    next: u64,
    armed: usize,
}

impl<T: Copy> Wheel<T> {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            tick: now.as_nanos() / TICK_NANOS,
            next: u64::MAX,
            armed: 0,
        }
    }

    /// Wakes `what` at `at` or up to a tick later.
    pub(crate) fn arm(&mut self, at: Moment, what: T) {
        let tick = at.as_nanos().div_ceil(TICK_NANOS).max(self.tick + 1);
        self.slots[(tick % SLOTS) as usize].push((tick, what));
        self.armed += 1;
        self.next = self.next.min(tick);
    }

    /// When to wake who asks for `at` and will ask again when woken: within a turn, for what lies farther ahead would be
    /// looked at once a turn anyway and stay long after nobody needs it; and on a tick, so that deadlines that come
    /// ever nearer by a little are one.
    pub(crate) fn coarse(&self, at: Moment) -> Moment {
        let tick = at.as_nanos().div_ceil(TICK_NANOS).min(self.tick + SLOTS);
        Moment::from_nanos(tick.saturating_mul(TICK_NANOS))
    }

    /// Moves to `now` and appends what is due.
    pub(crate) fn advance(&mut self, now: Moment, due: &mut Vec<T>) {
        let until = now.as_nanos() / TICK_NANOS;
        if until < self.next {
            self.tick = self.tick.max(until);
            return;
        }
        for step in 1..=(until - self.tick).min(SLOTS) {
            let slot = &mut self.slots[((self.tick + step) % SLOTS) as usize];
            let before = slot.len();
            slot.retain(|&(tick, what)| {
                let is_due = tick <= until;
                if is_due {
                    due.push(what);
                }
                !is_due
            });
            self.armed -= before - slot.len();
            if slot.is_empty() {
                slot.shrink_to(16);
            }
        }
        self.tick = until;
        self.next = self.earliest();
    }

    /// The next tick at which something fires; one turn of the wheel ahead if nothing does before.
    fn earliest(&self) -> u64 {
        if self.armed == 0 {
            return u64::MAX;
        }
        let is_due = |tick: &u64| self.slots[(tick % SLOTS) as usize].iter().any(|(at, _)| at <= tick);
        (self.tick + 1..=self.tick + SLOTS).find(is_due).unwrap_or(self.tick + SLOTS)
    }

    /// When it wants to be advanced next; `None` if nothing is armed.
    pub(crate) fn next(&self) -> Option<Moment> {
        (self.next != u64::MAX).then(|| Moment::from_nanos(self.next.saturating_mul(TICK_NANOS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(ms: u64) -> Moment {
        Moment::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn deadlines_fire_once_in_time_and_never_early() {
        let mut wheel = Wheel::new(Moment::ZERO);
        for ms in [5, 100, 100, 9_000, 100_000] {
            wheel.arm(at(ms), ms);
        }
        let mut fired = Vec::new();
        for now in (0..100_100).step_by(3) {
            let mut due = Vec::new();
            wheel.advance(at(now), &mut due);
            for ms in due {
                assert!(now >= ms && now <= ms + 11, "{ms} at {now}");
                fired.push(ms);
            }
        }
        fired.sort_unstable();
        assert_eq!(fired, [5, 100, 100, 9_000, 100_000]);
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn who_asks_again_is_woken_on_time_and_within_a_turn() {
        let mut wheel = Wheel::new(Moment::ZERO);
        assert_eq!(wheel.coarse(at(5)), at(8));
        assert_eq!(wheel.coarse(at(8)), at(8));
        assert_eq!(wheel.coarse(at(8_192)), at(8_192));
        assert_eq!(wheel.coarse(at(8_193)), at(8_192));
        wheel.advance(at(16), &mut Vec::<()>::new());
        assert_eq!(wheel.coarse(Moment::NEVER), at(8_208));
    }

    #[test]
    fn sleeping_until_next_reaches_every_deadline() {
        let mut wheel = Wheel::new(Moment::ZERO);
        wheel.arm(at(20_000), 'a');
        let (mut due, mut steps) = (Vec::new(), 0);
        while let Some(next) = wheel.next() {
            wheel.advance(next, &mut due);
            steps += 1;
        }
        assert_eq!(due, ['a']);
        assert!(steps <= 4, "{steps}");
    }
}
