//! Places that cancelled streams hold at an endpoint and at their client until the endpoint can have seen the reset
//! (CVE-2023-44487): a client that cancels as fast as it asks keeps an endpoint no busier than its concurrency allows.

use super::Engine;
use crate::conn::Role;
use crate::keys::ConnKey;
use evenkeel_core::time::Moment;
use evenkeel_wire::http2;

/// The octets of the PING behind resets; a drain's PING has others.
const PING: [u8; 8] = *b"resets??";

impl Engine {
    /// A reset was written to an endpoint that had not ended the stream; `client` is whose it was.
    pub(super) fn hold_place(&mut self, now: Moment, key: ConnKey, client: ConnKey) {
        let Some(conn) = self.conns.get_mut(key).filter(|c| !c.is_closing()) else { return };
        let Some(upstream) = conn.upstream_mut() else { return };
        upstream.cancelled.hold(client, now);
        if let Some(client) = self.conns.get_mut(client).and_then(|c| c.client_mut()) {
            client.places_held += 1;
        }
        self.arm_conn(key, now + self.limits.reset_linger);
        self.ask_what_was_seen(key);
    }

    /// An endpoint sent headers or data for the first time since our last PING.
    pub(super) fn endpoint_spoke(&mut self, key: ConnKey) {
        if let Some(upstream) = self.conns[key].upstream_mut() {
            upstream.has_spoken = true;
            self.ask_what_was_seen(key);
        }
    }

    fn ask_what_was_seen(&mut self, key: ConnKey) {
        let conn = &mut self.conns[key];
        let Role::Upstream(upstream) = &mut conn.role else { return };
        if upstream.has_spoken && upstream.cancelled.wants_ping() {
            upstream.has_spoken = false;
            upstream.cancelled.asked();
            http2::put_ping(conn.output.buffer(&mut self.buffers), false, PING);
            self.mark_dirty(key);
        }
    }

    /// An endpoint answered a PING; false if it was none of ours.
    pub(super) fn resets_were_seen(&mut self, now: Moment, key: ConnKey, data: [u8; 8]) -> bool {
        let Some(upstream) = self.conns[key].upstream_mut() else { return false };
        if data != PING || !upstream.cancelled.is_asked() {
            return false;
        }
        let mut free = Vec::new();
        upstream.cancelled.answered(&mut free);
        self.free_places(&free);
        self.ask_what_was_seen(key);
        self.serve_pending(now, key);
        true
    }

    /// Frees the places that were held long enough; when the next one is due.
    pub(super) fn check_places(&mut self, now: Moment, key: ConnKey) -> Moment {
        let linger = self.limits.reset_linger;
        let Some(upstream) = self.conns.get_mut(key).and_then(|c| c.upstream_mut()) else {
            return Moment::NEVER;
        };
        let mut free = Vec::new();
        let next = upstream.cancelled.expire(now, linger, &mut free);
        if !free.is_empty() {
            self.free_places(&free);
            self.serve_pending(now, key);
        }
        next.unwrap_or(Moment::NEVER)
    }

    /// Their clients may open as many streams again.
    pub(super) fn free_places(&mut self, clients: &[ConnKey]) {
        for &client in clients {
            if let Some(client) = self.conns.get_mut(client).and_then(|c| c.client_mut()) {
                client.places_held -= 1;
            }
        }
    }
}
