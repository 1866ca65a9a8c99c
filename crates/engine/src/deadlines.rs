//! When the exchanges of one client's connection are over, the nearest first.
//!
//! The connection's timer stands for all of them, so an exchange leaves nothing on the wheel. An entry of an exchange
//! that has ended since stays until its time comes or until such entries are most of what is here; whether one still
//! holds is for the caller to say. Each entry costs a logarithm once, so a client with many streams cannot make its
//! timer's turns dear.

use crate::keys::ExchangeKey;
use evenkeel_core::time::Moment;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A connection's deadlines. Without any it holds no memory.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    nearest: BinaryHeap<Reverse<(Moment, u64)>>,
}

/// An exchange has at most two deadlines that hold: its own and that of its try.
const EACH: usize = 2;
/// Entries that are not worth looking through.
const LEAST: usize = 16;

impl Deadlines {
    /// Adds one. `open` are the exchanges that may have any; `holds` says which of the others still do, in case
    /// that the rest is to be forgotten.
    pub(crate) fn add(
        &mut self,
        at: Moment,
        exchange: ExchangeKey,
        open: usize,
        holds: impl Fn(Moment, ExchangeKey) -> bool,
    ) {
        if self.nearest.len() >= 2 * EACH * open + LEAST {
            self.nearest.retain(|Reverse((at, bits))| holds(*at, ExchangeKey::from_bits(*bits)));
        }
        self.nearest.push(Reverse((at, exchange.to_bits())));
    }

    /// The nearest, whether it still holds or not.
    pub(crate) fn first(&self) -> Option<(Moment, ExchangeKey)> {
        self.nearest.peek().map(|Reverse((at, bits))| (*at, ExchangeKey::from_bits(*bits)))
    }

    /// Whether it has this one. Looks at all: for tests.
    pub(crate) fn has(&self, at: Moment, exchange: ExchangeKey) -> bool {
        self.nearest.iter().any(|Reverse(entry)| *entry == (at, exchange.to_bits()))
    }

    /// Drops the nearest.
    pub(crate) fn drop_first(&mut self) {
        self.nearest.pop();
        if self.nearest.is_empty() {
            self.nearest = BinaryHeap::new();
        }
    }

    /// Memory that it holds.
    pub(crate) fn held_bytes(&self) -> usize {
        self.nearest.capacity() * size_of::<(Moment, u64)>()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.nearest.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_comes_first_whatever_the_order_they_came_in() {
        let mut deadlines = Deadlines::default();
        for n in [5, 1, 9, 3] {
            deadlines.add(Moment::from_nanos(n), ExchangeKey::from_bits(n), 4, |_, _| true);
        }
        let mut seen = Vec::new();
        while let Some((at, exchange)) = deadlines.first() {
            assert_eq!(exchange, ExchangeKey::from_bits(at.as_nanos()));
            seen.push(at.as_nanos());
            deadlines.drop_first();
        }
        assert_eq!((seen, deadlines.held_bytes()), (vec![1, 3, 5, 9], 0));
    }

    #[test]
    fn deadlines_of_exchanges_that_have_ended_do_not_pile_up() {
        let mut deadlines = Deadlines::default();
        for n in 0..100_000 {
            // Ten are open at a time, each with a deadline far away.
            let at = Moment::from_nanos(1_000_000_000 + n % 1_000);
            let is_open = |_, exchange: ExchangeKey| exchange.to_bits() + 10 > n;
            deadlines.add(at, ExchangeKey::from_bits(n), 10, is_open);
            assert!(deadlines.len() <= 2 * EACH * 10 + LEAST + 1);
        }
    }
}
