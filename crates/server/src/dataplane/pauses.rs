//! Whether a busy worker waits a moment before it reads, so that what comes meanwhile is read and written together.
//!
//! Most of a small message's cost is the kernel's, a call for each read and each write. A worker that turns very often, a
//! message or two at a time, pays all of it for each; after a pause shorter than a client would notice one call serves
//! several. Whether that is so shows in what pauses bring: they go on while they bring more, and are tried again now and
//! then. So a single client that waits for each answer is not held up. Knows no sockets; the worker asks it each turn.

use std::time::Duration;

/// A pause. The kernel makes it some microseconds longer.
pub(super) const PAUSE: Duration = Duration::from_micros(30);
/// A worker is busy if its turns begin within this time of each other, on average.
const BUSY: u64 = 50_000;
/// Sockets that must become ready in a pause, on average, in sixteenths.
const LEAST_GAIN: u32 = 2 * 16;
/// While pauses bring too little, one is tried in so many busy turns.
const TRY_EACH: u32 = 256;

/// What the last turns and pauses were like.
#[derive(Debug)]
pub(super) struct Pauses {
    /// Nanoseconds from turn to turn, averaged over some sixteen.
    interval: u64,
    /// Sockets that became ready in a pause, in sixteenths, averaged over some eight.
    gain: u32,
    /// Busy turns until the next try.
    until_try: u32,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { interval: u64::from(u32::MAX), gain: 0, until_try: TRY_EACH }
    }
}

impl Pauses {
    /// Whether the turn that would begin now, so long after the last one began, is to wait first. `has_waited`: there was
    /// nothing to do before.
    pub(super) fn is_due(&mut self, since_last: Duration, has_waited: bool) -> bool {
        let nanos = u64::try_from(since_last.as_nanos()).unwrap_or(u64::MAX).min(u64::from(u32::MAX));
        self.interval = (self.interval * 15 + nanos) / 16;
        if self.interval > BUSY || !has_waited {
            return false;
        }
        if self.gain >= LEAST_GAIN {
            return true;
        }
        self.until_try -= 1;
        if self.until_try == 0 {
            self.until_try = TRY_EACH;
            return true;
        }
        false
    }

    /// A pause is over, in which so many sockets became ready.
    pub(super) fn brought(&mut self, sockets: usize) {
        let now = u32::try_from(sockets).unwrap_or(u32::MAX).min(64) * 16;
        // A first pause that brings enough is followed by others at once.
        self.gain = if self.gain < LEAST_GAIN { now } else { (self.gain * 7 + now) / 8 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFTEN: Duration = Duration::from_micros(20);

    /// Turns until a pause is due; `None` if none is within a thousand.
    fn turns(pauses: &mut Pauses, each: Duration) -> Option<usize> {
        (1..=1_000).find(|_| pauses.is_due(each, true))
    }

    #[test]
    fn a_worker_that_turns_seldom_never_waits() {
        assert_eq!(turns(&mut Pauses::default(), Duration::from_micros(51)), None);
    }

    #[test]
    fn a_busy_one_tries_now_and_then_and_goes_on_while_it_gains() {
        let mut pauses = Pauses::default();
        assert!(turns(&mut pauses, OFTEN).is_some());
        pauses.brought(1);
        assert_eq!(turns(&mut pauses, OFTEN), Some(TRY_EACH as usize));
        pauses.brought(3);
        for _ in 0..100 {
            assert_eq!(turns(&mut pauses, OFTEN), Some(1));
            pauses.brought(2);
        }
        for _ in 0..20 {
            pauses.brought(0);
        }
        assert!(turns(&mut pauses, OFTEN).is_some_and(|n| n > 1));
    }

    #[test]
    fn one_that_has_work_does_not_wait() {
        let mut pauses = Pauses::default();
        turns(&mut pauses, OFTEN);
        pauses.brought(9);
        assert!(!pauses.is_due(OFTEN, false));
    }
}
