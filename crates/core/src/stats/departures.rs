//! Clients of which something that lasts has ended, to know them when they come again.
//!
//! One table for all workers of a listener: a client that comes again may be any worker's. A place is one number, changed
//! by compare and exchange, so that nobody waits; a change that is lost to another worker's is tried again a few times and
//! then given up, which costs a count.

use crate::session::LongLived;
use crate::time::Moment;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Who comes within this time of its going has come again.
pub const RETURN_WINDOW: Duration = Duration::from_secs(60);

/// Most clients that a listener waits for; of 256 KiB, which are taken when the first has gone.
pub const MOST_DEPARTED: usize = 32 * 1024;

/// Places that one client may have: the others of its row make room by forgetting the oldest.
const ROW: usize = 8;

/// How often a change is tried.
const TRIES: usize = 4;

const COUNT_BITS: u32 = 16;
const SECOND_BITS: u32 = 20;
const SECONDS: u64 = (1 << SECOND_BITS) - 1;
const COUNTS: u64 = (1 << COUNT_BITS) - 1;

/// How a client is known again.
#[derive(Clone, Copy, Debug, Hash)]
pub enum ClientName<'a> {
    /// By its address, which it may share with others: then as many have come again as have gone.
    Address(IpAddr),
    /// By its certificate.
    Certificate(&'a str),
}

/// A place: who (28 bits of a hash, never zero), how often it went (16), and the second in which it last did (20).
#[derive(Clone, Copy)]
struct Place(u64);

impl Place {
    const FREE: Self = Self(0);

    fn new(who: u64, times: u64, second: u64) -> Self {
        Self(who << (COUNT_BITS + SECOND_BITS) | times.min(COUNTS) << SECOND_BITS | second & SECONDS)
    }

    fn who(self) -> u64 {
        self.0 >> (COUNT_BITS + SECOND_BITS)
    }

    fn times(self) -> u64 {
        self.0 >> SECOND_BITS & COUNTS
    }

    /// Seconds since it was last changed. Another worker's clock may have been read a moment later than ours.
    fn age(self, second: u64) -> u64 {
        let age = second.wrapping_sub(self.0) & SECONDS;
        if age == SECONDS { 0 } else { age }
    }

    fn is_awaited(self, second: u64) -> bool {
        self.0 != Self::FREE.0 && self.age(second) <= RETURN_WINDOW.as_secs()
    }
}

/// The table.
#[derive(Debug)]
pub(super) struct Departures {
    places: OnceLock<Box<[AtomicU64]>>,
    most: usize,
}

impl Departures {
    pub(super) fn new(most: usize) -> Self {
        Self { places: OnceLock::new(), most: most.next_multiple_of(ROW) }
    }

    /// A client has gone. False if another one, who was still awaited, had to be forgotten for it.
    pub(super) fn went(&self, now: Moment, what: LongLived, client: ClientName<'_>) -> bool {
        let places =
            self.places.get_or_init(|| (0..self.most).map(|_| AtomicU64::new(Place::FREE.0)).collect());
        let (row, who) = row_of(places, what, client);
        let second = second_of(now);
        for _ in 0..TRIES {
            let read: [Place; ROW] = std::array::from_fn(|i| Place(row[i].load(Relaxed)));
            let own = read.iter().position(|p| p.who() == who && p.is_awaited(second));
            let free = || read.iter().position(|p| !p.is_awaited(second));
            let oldest = || read.iter().enumerate().max_by_key(|(_, p)| p.age(second)).map_or(0, |(i, _)| i);
            let at = own.or_else(free).unwrap_or_else(oldest);
            let before = read[at];
            let times = if own.is_some() { before.times() + 1 } else { 1 };
            if change(&row[at], before, Place::new(who, times, second)) {
                return own.is_some() || !before.is_awaited(second);
            }
        }
        true
    }

    /// A client has come: whether it is one that went a short while ago. Each going is good for one coming.
    pub(super) fn came(&self, now: Moment, what: LongLived, client: ClientName<'_>) -> bool {
        let Some(places) = self.places.get() else { return false };
        let (row, who) = row_of(places, what, client);
        let second = second_of(now);
        for _ in 0..TRIES {
            let found = row.iter().find_map(|place| {
                let read = Place(place.load(Relaxed));
                (read.who() == who && read.is_awaited(second)).then_some((place, read))
            });
            let Some((place, read)) = found else { return false };
            let after = match read.times() {
                0 | 1 => Place::FREE,
                times => Place::new(who, times - 1, read.0),
            };
            if change(place, read, after) {
                return true;
            }
        }
        false
    }
}

fn change(place: &AtomicU64, before: Place, after: Place) -> bool {
    place.compare_exchange(before.0, after.0, Relaxed, Relaxed).is_ok()
}

fn second_of(now: Moment) -> u64 {
    now.as_nanos() / 1_000_000_000
}

/// Where a client would stand, and as whom.
fn row_of<'p>(places: &'p [AtomicU64], what: LongLived, client: ClientName<'_>) -> (&'p [AtomicU64], u64) {
    let mut hasher = DefaultHasher::new();
    (what, client).hash(&mut hasher);
    let hash = hasher.finish();
    let rows = (places.len() / ROW).max(1) as u64;
    let first = (hash % rows) as usize * ROW;
    (&places[first..first + ROW], (hash >> (COUNT_BITS + SECOND_BITS)).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const SECOND: Duration = Duration::from_secs(1);
    const NOW: Moment = Moment::from_nanos(5_000_000_000);

    fn address(n: u32) -> ClientName<'static> {
        ClientName::Address(Ipv4Addr::from(n).into())
    }

    #[test]
    fn who_comes_within_the_window_has_come_again_and_later_not() {
        for (seconds, is_back) in [(0, true), (60, true), (61, false)] {
            let table = Departures::new(64);
            assert!(table.went(NOW, LongLived::WebSocket, address(1)));
            assert_eq!(
                table.came(NOW + SECOND * seconds, LongLived::WebSocket, address(1)),
                is_back,
                "{seconds}"
            );
        }
    }

    #[test]
    fn nobody_comes_again_who_did_not_go() {
        let table = Departures::new(64);
        assert!(!table.came(NOW, LongLived::Tunnel, address(1)));
        table.went(NOW, LongLived::Tunnel, address(1));
        table.went(NOW, LongLived::WebSocket, ClientName::Certificate("a"));
        assert!(!table.came(NOW, LongLived::Tunnel, address(2)));
        assert!(!table.came(NOW, LongLived::WebSocket, address(1)), "something else of the same client");
        assert!(!table.came(NOW, LongLived::WebSocket, ClientName::Certificate("b")));
        assert!(table.came(NOW, LongLived::WebSocket, ClientName::Certificate("a")));
    }

    #[test]
    fn as_many_of_one_address_have_come_again_as_went() {
        let table = Departures::new(64);
        (0..300).for_each(|_| assert!(table.went(NOW, LongLived::Tunnel, address(1))));
        let back = (0..400).filter(|_| table.came(NOW + SECOND, LongLived::Tunnel, address(1))).count();
        assert_eq!(back, 300);
    }

    #[test]
    fn as_many_as_fit_are_awaited_and_one_more_takes_the_place_of_the_oldest() {
        let table = Departures::new(ROW);
        let at = |n: u32| NOW + SECOND * n;
        for n in 0..ROW as u32 {
            assert!(table.went(at(n), LongLived::Tunnel, address(n)), "there is a place for {n}");
        }
        let one_more = ROW as u32;
        assert!(!table.went(at(one_more), LongLived::Tunnel, address(one_more)));
        assert!(!table.came(at(one_more), LongLived::Tunnel, address(0)), "the oldest is forgotten");
        assert!((1..=one_more).all(|n| table.came(at(one_more), LongLived::Tunnel, address(n))));
    }

    #[test]
    fn the_places_of_those_who_are_not_awaited_any_more_are_free() {
        let table = Departures::new(ROW);
        (0..ROW as u32).for_each(|n| assert!(table.went(NOW, LongLived::Tunnel, address(n))));
        assert!(table.went(NOW + SECOND * 61, LongLived::Tunnel, address(99)));
    }

    #[test]
    fn the_second_in_which_the_count_of_seconds_begins_anew_is_no_other() {
        let last = Moment::from_nanos(SECONDS * 1_000_000_000);
        let table = Departures::new(ROW);
        table.went(last, LongLived::Tunnel, address(1));
        assert!(table.came(last + SECOND * 2, LongLived::Tunnel, address(1)));
    }

    #[test]
    fn a_worker_whose_clock_was_read_before_sees_who_has_just_gone() {
        let table = Departures::new(ROW);
        table.went(NOW + SECOND, LongLived::Tunnel, address(1));
        assert!(table.came(NOW, LongLived::Tunnel, address(1)));
    }
}
