//! Places that cancelled streams hold at an endpoint and at their client until the endpoint can have seen the reset
//! (CVE-2023-44487): a client that cancels as fast as it asks keeps an endpoint no busier than its concurrency allows. How
//! many resets an endpoint hears of, and when, is `crate::cancelled`'s to say.

use super::Engine;
use crate::cancelled::Cancel;
use crate::conn::Role;
use crate::keys::ConnKey;
use evenkeel_core::reason::Limit;
use evenkeel_core::time::Moment;
use evenkeel_wire::http2;
use std::time::Duration;

/// When a withheld reset is looked at again first.
const WITHHELD_FOR: Duration = Duration::from_millis(10);

/// The octets of the PING behind resets; a drain's PING has others.
const PING: [u8; 8] = *b"resets??";

impl Engine {
    /// A stream of an endpoint that had not ended is wanted no more: it is reset, or left to end unheard while there is
    /// no budget for that.
    pub(super) fn cancel(&mut self, now: Moment, key: ConnKey, cancel: Cancel) {
        let Some(conn) = self.conns.get_mut(key).filter(|c| !c.is_closing()) else { return };
        let Some(upstream) = conn.upstream_mut() else { return };
        let may_go = upstream.cancelled.get_or_insert_default().hold(cancel, now, &self.limits);
        if let Some(client) = self.conns.get_mut(cancel.client).and_then(|c| c.client_mut()) {
            client.places_held += 1;
        }
        if may_go {
            self.send_reset(key, cancel);
            self.arm_conn(key, now + self.limits.reset_linger);
            self.ask_what_was_seen(key);
        } else {
            self.stats.refused(Limit::UpstreamResets);
            self.arm_conn(key, now + WITHHELD_FOR);
        }
    }

    fn send_reset(&mut self, key: ConnKey, cancel: Cancel) {
        self.conns[key].put_reset(cancel.stream, cancel.code, &mut self.buffers);
        self.mark_dirty(key);
    }

    /// Sends the withheld resets for which there is budget now.
    fn release_resets(&mut self, now: Moment, key: ConnKey) {
        let Some(cancelled) = self.conns[key].cancelled_mut() else { return };
        let mut send = Vec::new();
        cancelled.release(now, &self.limits, &mut send);
        if send.is_empty() {
            return;
        }
        for cancel in send {
            self.send_reset(key, cancel);
        }
        self.arm_conn(key, now + self.limits.reset_linger);
        self.ask_what_was_seen(key);
    }

    /// An endpoint ended a stream that no exchange has any more: it may have been cancelled and not reset.
    pub(super) fn unheard_stream_ended(&mut self, now: Moment, key: ConnKey, stream: u32, is_reset: bool) {
        let Some(cancelled) = self.conns[key].cancelled_mut() else { return };
        if let Some(client) = cancelled.ended(stream, is_reset) {
            self.free_places(&[client]);
            self.serve_pending(now, key);
        }
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
        let Some(cancelled) = &mut upstream.cancelled else { return };
        if upstream.has_spoken && cancelled.wants_ping(&self.limits) {
            upstream.has_spoken = false;
            cancelled.asked();
            http2::put_ping(conn.output.buffer(&mut self.buffers), false, PING);
            self.mark_dirty(key);
        }
    }

    /// An endpoint answered a PING; false if it was none of ours.
    pub(super) fn resets_were_seen(&mut self, now: Moment, key: ConnKey, data: [u8; 8]) -> bool {
        let Some(cancelled) = self.conns[key].cancelled_mut() else { return false };
        if data != PING || !cancelled.is_asked() {
            return false;
        }
        let mut free = Vec::new();
        cancelled.answered(&mut free);
        self.free_places(&free);
        self.release_resets(now, key);
        self.ask_what_was_seen(key);
        self.serve_pending(now, key);
        true
    }

    /// Frees the places that were held long enough; when the next one is due.
    pub(super) fn check_places(&mut self, now: Moment, key: ConnKey) -> Moment {
        let linger = self.limits.reset_linger;
        let Some(cancelled) = self.conns.get_mut(key).and_then(|c| c.cancelled_mut()) else {
            return Moment::NEVER;
        };
        if cancelled.len() == 0 {
            return Moment::NEVER;
        }
        let mut free = Vec::new();
        cancelled.expire(now, linger, &mut free);
        self.free_places(&free);
        self.release_resets(now, key);
        self.serve_pending(now, key);
        let upstream = self.conns.get(key).and_then(|c| c.upstream());
        let Some(cancelled) = upstream.and_then(|u| u.cancelled.as_ref()) else { return Moment::NEVER };
        let release = cancelled.next_release(now, self.limits.upstream_resets);
        [cancelled.next_expiry(linger), release].into_iter().flatten().min().unwrap_or(Moment::NEVER)
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
