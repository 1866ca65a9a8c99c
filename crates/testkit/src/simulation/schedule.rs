//! Virtual time: what happens next, and when.
//!
//! Two things at the same moment happen in the order in which they were put in, so a run depends on its seed only.

use evenkeel_core::time::Moment;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Something that happens, as a value. Who it concerns is said by number; what it means is theirs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A connection was opened, and is taken or refused now.
    Opened(u32),
    /// Bytes, or an end, may have come to one side (0 or 1) of a link.
    Deliver(u32, u8),
    /// One side of a link may write again.
    Room(u32, u8),
    /// The engine wants its deadlines looked at.
    Tick,
    /// A client does what it does next.
    Client(u32),
    /// A connection (second number) of an endpoint (first number) does what it does next.
    Endpoint(u32, u32),
    /// The next line of the scenario's script.
    Script(u32),
}

/// The events that are still to come.
#[derive(Debug, Default)]
pub struct Schedule {
    heap: BinaryHeap<Reverse<(Moment, u64, Event)>>,
    sequence: u64,
    now: Moment,
}

impl Schedule {
    /// The moment of the last event.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Lets `event` happen after `delay`.
    pub fn after(&mut self, delay: Duration, event: Event) {
        self.at(self.now + delay, event);
    }

    /// Lets `event` happen at `at`, or now if that has passed.
    pub fn at(&mut self, at: Moment, event: Event) {
        self.sequence += 1;
        self.heap.push(Reverse((at.max(self.now), self.sequence, event)));
    }

    /// The next event; time has moved to it. `None` when nothing is left to happen.
    pub fn advance(&mut self) -> Option<Event> {
        let Reverse((at, _, event)) = self.heap.pop()?;
        self.now = at;
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_time_and_at_the_same_moment_in_the_order_they_were_put_in() {
        let mut schedule = Schedule::default();
        schedule.after(Duration::from_millis(2), Event::Client(3));
        schedule.after(Duration::from_millis(1), Event::Client(2));
        schedule.after(Duration::from_millis(1), Event::Client(1));
        let order: Vec<_> = std::iter::from_fn(|| schedule.advance()).collect();
        assert_eq!(order, [Event::Client(2), Event::Client(1), Event::Client(3)]);
        assert_eq!(schedule.now(), Moment::ZERO + Duration::from_millis(2));
    }
}
