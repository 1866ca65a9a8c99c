//! How large a receive window is: it grows while it is used up fast, and settles when it is not.
//!
//! Credit is given back in halves, so the time between two updates says how fast the peer sends and the other side
//! takes. Knows no frames; `relay/data` and `conn` ask it at each update.

use evenkeel_core::time::Moment;
use std::time::Duration;

/// Half a window within this time is bulk, for which the window may be what holds it back.
const BULK: Duration = Duration::from_millis(100);
/// After this time the bulk is over.
const REST: Duration = Duration::from_secs(1);

/// What an update makes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    /// So much more is given than was used.
    Grow(u32),
    /// So much less.
    Settle(u32),
}

/// The size of a window: what the peer may send, what is on its way through, and what is owed to the peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    size: u32,
    /// When credit was last given back.
    given: Moment,
}

impl Window {
    pub(crate) fn new(size: u32) -> Self {
        Self { size, given: Moment::ZERO }
    }

    pub(crate) fn size(self) -> u32 {
        self.size
    }

    /// What it has grown beyond its first size.
    pub(crate) fn grown(self, first: u32) -> usize {
        self.size.saturating_sub(first) as usize
    }

    /// Whether so much is worth an update.
    pub(crate) fn is_due(self, owed: u32) -> bool {
        owed >= self.size / 2
    }

    /// An update is due now: how the window should change between its first size and the most. What is then granted is
    /// to be told by [`Window::apply`].
    pub(crate) fn wish(&mut self, now: Moment, first: u32, most: u32) -> Change {
        let passed = now.since(self.given);
        let is_first = self.given == Moment::ZERO;
        self.given = now;
        if passed <= BULK && !is_first && self.size < most {
            Change::Grow(self.size.min(most - self.size))
        } else if passed >= REST && self.size > first {
            Change::Settle(self.size - first)
        } else {
            Change::None
        }
    }

    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::None => {}
            Change::Grow(more) => self.size += more,
            Change::Settle(less) => self.size -= less,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::ZERO + Duration::from_millis(ms)
    }

    /// The size after an update at each of these times.
    fn sizes(most: u32, times: &[u64]) -> Vec<u32> {
        let mut window = Window::new(100);
        let step = |ms: &u64| {
            let change = window.wish(at(*ms), 100, most);
            window.apply(change);
            window.size()
        };
        times.iter().map(step).collect()
    }

    #[test]
    fn a_window_doubles_while_halves_of_it_are_used_up_fast_and_ends_at_the_most() {
        assert_eq!(sizes(350, &[10, 20, 30, 40]), [100, 200, 350, 350]);
        assert_eq!(sizes(350, &[10, 110, 211]), [100, 200, 200], "a tenth of a second, and a moment more");
    }

    #[test]
    fn a_window_that_was_not_used_for_a_while_is_as_at_first() {
        assert_eq!(sizes(400, &[10, 20, 30, 1_029, 2_029]), [100, 200, 400, 400, 100]);
    }
}
