//! Streams that we reset at an endpoint which may not have seen it yet: they hold their places at the endpoint, and at
//! the clients whose they were, so that no number of clients can make more calls begin there than it allows.
//!
//! A PING behind the resets tells when they were seen. It is sent only if the endpoint sent headers or data since the
//! last one: gRPC servers count other PINGs as misconduct. Knows neither connections nor frames; `relay/cancel` does.

use crate::keys::ConnKey;
use evenkeel_core::time::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// What an upstream's last resets still hold.
#[derive(Debug, Default)]
pub(crate) struct Cancelled {
    /// Whose streams they were, and when they were reset; the oldest first.
    places: VecDeque<(ConnKey, Moment)>,
    /// So many of them went out before the PING that is under way; `None` without one.
    asked: Option<usize>,
}

impl Cancelled {
    /// Places held.
    pub(crate) fn len(&self) -> u32 {
        self.places.len() as u32
    }

    /// Holds a place.
    pub(crate) fn hold(&mut self, client: ConnKey, now: Moment) {
        self.places.push_back((client, now));
    }

    /// Whether a PING would tell something, and none is under way.
    pub(crate) fn wants_ping(&self) -> bool {
        self.asked.is_none() && !self.places.is_empty()
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
        let seen = self.asked.take().unwrap_or_default();
        free.extend(self.places.drain(..seen).map(|(client, _)| client));
        self.rest();
    }

    /// Frees what was held for `linger`; when the next one is due.
    pub(crate) fn expire(
        &mut self,
        now: Moment,
        linger: Duration,
        free: &mut Vec<ConnKey>,
    ) -> Option<Moment> {
        while let Some(&(client, at)) = self.places.front().filter(|(_, at)| *at + linger <= now) {
            debug_assert!(at <= now, "time does not run backwards");
            self.places.pop_front();
            self.asked = self.asked.map(|n| n.saturating_sub(1));
            free.push(client);
        }
        self.rest();
        self.places.front().map(|(_, at)| *at + linger)
    }

    /// Whose places are held, at the end of the connection.
    pub(crate) fn clients(&self) -> impl Iterator<Item = ConnKey> {
        self.places.iter().map(|(client, _)| *client)
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.places.capacity() * size_of::<(ConnKey, Moment)>()
    }

    /// At rest it holds no memory.
    fn rest(&mut self) {
        if self.places.is_empty() {
            self.places = VecDeque::new();
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

    fn client(n: u64) -> ConnKey {
        Key::from_bits(n)
    }

    #[test]
    fn an_answered_ping_frees_what_went_before_it_and_nothing_else() {
        let (mut cancelled, mut free) = (Cancelled::default(), Vec::new());
        cancelled.hold(client(1), at(0));
        cancelled.hold(client(2), at(1));
        assert!(cancelled.wants_ping());
        cancelled.asked();
        cancelled.hold(client(3), at(2));
        assert!(!cancelled.wants_ping(), "one at a time");
        cancelled.answered(&mut free);
        assert_eq!(free, [client(1), client(2)]);
        assert_eq!((cancelled.len(), cancelled.wants_ping()), (1, true));
    }

    #[test]
    fn without_an_answer_each_place_is_free_when_its_time_is_over() {
        let (mut cancelled, mut free) = (Cancelled::default(), Vec::new());
        cancelled.hold(client(1), at(0));
        cancelled.asked();
        cancelled.hold(client(2), at(500));
        assert_eq!(cancelled.expire(at(999), LINGER, &mut free), Some(at(1_000)));
        assert_eq!(free, []);
        assert_eq!(cancelled.expire(at(1_000), LINGER, &mut free), Some(at(1_500)));
        assert_eq!(free, [client(1)]);
        // The late answer speaks of the first one only.
        cancelled.answered(&mut free);
        assert_eq!(cancelled.len(), 1);
    }
}
