//! Streams that were cancelled at an endpoint which may not have seen it yet: they hold their places at the endpoint, and
//! at the clients whose they were, so that no number of clients can make more calls begin there than it allows.
//!
//! Servers end a connection on which too many streams are reset (CVE-2023-44487), and clients share upstreams: so resets
//! are sent under a budget, few at a time for calls that had just begun. Beyond it a cancelled call is left to end by
//! itself, unheard. A PING behind the resets tells when they were seen; it is sent only if the endpoint sent headers or
//! data since the last one, because gRPC servers count other PINGs as misconduct. Knows neither connections nor frames;
//! `relay/cancel` does.

use crate::keys::ConnKey;
use crate::score::Score;
use evenkeel_core::limits::{Limits, Rate};
use evenkeel_core::time::Moment;
use evenkeel_wire::http2::ErrorCode;
use std::collections::VecDeque;
use std::time::Duration;

/// A stream that its client wants no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cancel {
    /// At the upstream.
    pub(crate) stream: u32,
    pub(crate) client: ConnKey,
    pub(crate) code: ErrorCode,
    /// It was not answered and had just been sent: what servers take for an attack.
    pub(crate) is_early: bool,
    /// We ended our side.
    pub(crate) is_sent: bool,
}

/// A reset that the endpoint may not have seen.
#[derive(Clone, Copy, Debug)]
struct Place {
    client: ConnKey,
    at: Moment,
    is_early: bool,
}

/// What an upstream's cancelled streams still hold.
#[derive(Debug, Default)]
pub(crate) struct Cancelled {
    /// The oldest first.
    places: VecDeque<Place>,
    /// So many of them went out before the PING that is under way; `None` without one.
    asked: Option<usize>,
    /// How many of them are early.
    early: u32,
    /// Resets lately.
    spent: Score,
    /// Cancelled, but open at the endpoint until there is budget for a reset.
    withheld: VecDeque<Cancel>,
}

impl Cancelled {
    /// Places held.
    pub(crate) fn len(&self) -> u32 {
        (self.places.len() + self.withheld.len()) as u32
    }

    /// Holds a place; whether the reset may be sent now. If not, it is withheld.
    pub(crate) fn hold(&mut self, cancel: Cancel, now: Moment, limits: &Limits) -> bool {
        let may_go = self.spend(&cancel, now, limits);
        if !may_go {
            self.withheld.push_back(cancel);
        }
        may_go
    }

    fn spend(&mut self, cancel: &Cancel, now: Moment, limits: &Limits) -> bool {
        let is_too_early = cancel.is_early && self.early >= limits.early_resets;
        if is_too_early || !self.spent.take(now, limits.upstream_resets) {
            return false;
        }
        self.early += u32::from(cancel.is_early);
        self.places.push_back(Place { client: cancel.client, at: now, is_early: cancel.is_early });
        true
    }

    /// Moves the withheld resets that may be sent now to `send`.
    pub(crate) fn release(&mut self, now: Moment, limits: &Limits, send: &mut Vec<Cancel>) {
        let mut left = std::mem::take(&mut self.withheld);
        left.retain(|cancel| {
            let may_go = self.spend(cancel, now, limits);
            if may_go {
                send.push(*cancel);
            }
            !may_go
        });
        self.withheld = left;
    }

    /// When a withheld reset may have become affordable; `None` if there is none.
    pub(crate) fn next_release(&self, now: Moment, rate: Rate) -> Option<Moment> {
        (!self.withheld.is_empty()).then(|| now + Duration::from_secs(1) / rate.per_second.max(1))
    }

    /// The endpoint ended a stream; whose it was, if it was withheld and is over now.
    pub(crate) fn ended(&mut self, stream: u32, is_reset: bool) -> Option<ConnKey> {
        let is_over = |c: &Cancel| c.stream == stream && (is_reset || c.is_sent);
        let client = self.withheld.iter().position(is_over).and_then(|i| self.withheld.remove(i))?.client;
        self.rest();
        Some(client)
    }

    /// Whether a PING is worth sending, and none is under way: a few places are free soon enough without.
    pub(crate) fn wants_ping(&self, limits: &Limits) -> bool {
        self.asked.is_none() && self.places.len() >= limits.early_resets.max(1) as usize
    }

    /// Whether a PING is under way.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// A PING went out behind all that is held.
    pub(crate) fn asked(&mut self) {
        self.asked = Some(self.places.len());
    }

    /// The PING was answered: what went before it is free.
    pub(crate) fn answered(&mut self, free: &mut Vec<ConnKey>) {
        for _ in 0..self.asked.take().unwrap_or_default() {
            self.free_first(free);
        }
        self.rest();
    }

    /// Frees what was held for `linger`.
    pub(crate) fn expire(&mut self, now: Moment, linger: Duration, free: &mut Vec<ConnKey>) {
        while self.places.front().is_some_and(|place| place.at + linger <= now) {
            self.free_first(free);
            self.asked = self.asked.map(|n| n.saturating_sub(1));
        }
        self.rest();
    }

    /// When the first place is free at the latest.
    pub(crate) fn next_expiry(&self, linger: Duration) -> Option<Moment> {
        self.places.front().map(|place| place.at + linger)
    }

    fn free_first(&mut self, free: &mut Vec<ConnKey>) {
        if let Some(place) = self.places.pop_front() {
            self.early -= u32::from(place.is_early);
            free.push(place.client);
        }
    }

    /// Whose places are held, at the end of the connection.
    pub(crate) fn clients(&self) -> impl Iterator<Item = ConnKey> {
        self.places.iter().map(|p| p.client).chain(self.withheld.iter().map(|c| c.client))
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.places.capacity() * size_of::<Place>() + self.withheld.capacity() * size_of::<Cancel>()
    }

    /// At rest it holds no memory.
    fn rest(&mut self) {
        if self.len() == 0 {
            (self.places, self.withheld) = (VecDeque::new(), VecDeque::new());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::Key;

    const LINGER: Duration = Duration::from_secs(1);

    fn at(ms: u64) -> Moment {
        Moment::ZERO + Duration::from_millis(ms)
    }

    fn client(n: u32) -> ConnKey {
        Key::from_bits(u64::from(n))
    }

    fn cancel(n: u32, is_early: bool) -> Cancel {
        Cancel { stream: n, client: client(n), code: ErrorCode::Cancel, is_early, is_sent: true }
    }

    fn limits(burst: u32, early_resets: u32) -> Limits {
        Limits { upstream_resets: Rate { burst, per_second: 10 }, early_resets, ..Limits::default() }
    }

    #[test]
    fn an_answered_ping_frees_what_went_before_it_and_nothing_else() {
        let (mut cancelled, mut free, limits) = (Cancelled::default(), Vec::new(), limits(9, 2));
        assert!(cancelled.hold(cancel(1, true), at(0), &limits));
        assert!(!cancelled.wants_ping(&limits), "one is not worth it");
        assert!(cancelled.hold(cancel(2, false), at(1), &limits));
        assert!(cancelled.wants_ping(&limits));
        cancelled.asked();
        assert!(cancelled.hold(cancel(3, true), at(2), &limits));
        assert!(!cancelled.wants_ping(&limits), "one at a time");
        cancelled.answered(&mut free);
        assert_eq!(free, [client(1), client(2)]);
        assert_eq!((cancelled.len(), cancelled.wants_ping(&limits)), (1, false));
    }

    #[test]
    fn without_an_answer_each_place_is_free_when_its_time_is_over() {
        let (mut cancelled, mut free, limits) = (Cancelled::default(), Vec::new(), limits(9, 9));
        cancelled.hold(cancel(1, true), at(0), &limits);
        cancelled.asked();
        cancelled.hold(cancel(2, true), at(500), &limits);
        cancelled.expire(at(999), LINGER, &mut free);
        assert_eq!((free.len(), cancelled.next_expiry(LINGER)), (0, Some(at(1_000))));
        cancelled.expire(at(1_000), LINGER, &mut free);
        assert_eq!((&free[..], cancelled.next_expiry(LINGER)), (&[client(1)][..], Some(at(1_500))));
        // The late answer speaks of the first one only.
        cancelled.answered(&mut free);
        assert_eq!(cancelled.len(), 1);
    }

    #[test]
    fn early_resets_wait_for_those_before_them_to_be_seen_and_late_ones_do_not() {
        let (mut cancelled, mut send, limits) = (Cancelled::default(), Vec::new(), limits(9, 2));
        assert!(cancelled.hold(cancel(1, true), at(0), &limits));
        assert!(cancelled.hold(cancel(3, true), at(0), &limits));
        assert!(!cancelled.hold(cancel(5, true), at(0), &limits), "one more than the endpoint need bear");
        assert_eq!(cancelled.len(), 3, "it holds its place all the same");
        assert!(cancelled.hold(cancel(7, false), at(0), &limits));
        cancelled.release(at(0), &limits, &mut send);
        assert_eq!(send, []);
        cancelled.asked();
        cancelled.answered(&mut Vec::new());
        cancelled.release(at(1), &limits, &mut send);
        assert_eq!(send, [cancel(5, true)]);
    }

    #[test]
    fn the_budget_of_resets_refills_with_time() {
        let (mut cancelled, mut send, limits) = (Cancelled::default(), Vec::new(), limits(3, 9));
        assert!((0..3).all(|n| cancelled.hold(cancel(n, false), at(0), &limits)));
        assert!(!cancelled.hold(cancel(3, false), at(0), &limits));
        assert_eq!(cancelled.next_release(at(0), limits.upstream_resets), Some(at(100)));
        cancelled.release(at(50), &limits, &mut send);
        assert_eq!(send, []);
        cancelled.release(at(100), &limits, &mut send);
        assert_eq!(send, [cancel(3, false)]);
        assert_eq!(cancelled.next_release(at(100), limits.upstream_resets), None);
    }

    #[test]
    fn a_withheld_stream_that_ends_by_itself_needs_no_reset() {
        let (mut cancelled, limits) = (Cancelled::default(), limits(0, 9));
        cancelled.hold(cancel(1, true), at(0), &limits);
        cancelled.hold(Cancel { is_sent: false, ..cancel(3, true) }, at(0), &limits);
        assert_eq!(cancelled.ended(5, true), None);
        assert_eq!(cancelled.ended(1, false), Some(client(1)));
        assert_eq!(cancelled.ended(3, false), None, "our side is open still");
        assert_eq!(cancelled.ended(3, true), Some(client(3)));
        assert_eq!((cancelled.len(), cancelled.held_bytes()), (0, 0));
    }
}
