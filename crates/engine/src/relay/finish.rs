//! Ends of exchanges: complete, reset by either peer, or gone with a connection; and what that frees.

use super::Engine;
use super::clock::REST;
use crate::cancelled::Cancel;
use crate::conn::{GoAwaySent, Phase, Reading, Speech};
use crate::exchange::Exchange;
use crate::keys::{ConnKey, ExchangeKey};
use crate::side::Side;
use crate::window::Window;
use evenkeel_core::balancer::Report;
use evenkeel_core::event::EventKind;
use evenkeel_core::reason::{CloseReason, ExchangeOutcome};
use evenkeel_core::time::Moment;
use evenkeel_wire::http2::ErrorCode;
use std::time::Duration;

/// An endpoint that had a call for less time than this may not have begun it.
const EARLY: Duration = Duration::from_secs(1);

impl Engine {
    /// The client has its whole answer: the exchange is over, even if the request is not (RFC 9113 §8.1).
    pub(super) fn end_if_answered(&mut self, now: Moment, exchange: ExchangeKey) {
        let Some(ex) = self.exchanges.get(exchange) else { return };
        // A tunnel has two directions, and either may end first.
        let goes_on = ex.is_tunnel && !ex.upstream.is_sent;
        if !ex.client.is_sent || goes_on {
            return;
        }
        if let Some(end) = ex.websocket.as_ref().and_then(|websocket| websocket.end) {
            return self.break_off(now, exchange, end.outcome, end.reason);
        }
        // What still comes on a tunnel of which the endpoint is gone is no reason to drop what its client has not read.
        let is_raw = ex.client.at.is_some_and(|(key, _)| matches!(self.conns[key].speech, Speech::Raw));
        let is_unread = !ex.client.is_received && !is_raw;
        self.leave_upstream(now, exchange, Some(ErrorCode::Cancel));
        self.leave_client(now, exchange, is_unread.then_some(ErrorCode::NoError));
        self.finish(now, exchange, ExchangeOutcome::Completed);
    }

    /// Takes the exchange off its upstream stream; resets that if it has not ended by itself.
    pub(super) fn leave_upstream(&mut self, now: Moment, exchange: ExchangeKey, code: Option<ErrorCode>) {
        let leg = &self.exchanges[exchange].upstream;
        let has_ended = leg.is_sent && leg.is_received;
        self.leave(now, exchange, Side::Upstream, code.filter(|_| !has_ended));
    }

    /// Takes the exchange off its client stream; resets that with a code if there is one.
    pub(super) fn leave_client(&mut self, now: Moment, exchange: ExchangeKey, code: Option<ErrorCode>) {
        self.leave(now, exchange, Side::Client, code);
    }

    fn leave(&mut self, now: Moment, exchange: ExchangeKey, side: Side, code: Option<ErrorCode>) {
        if side == Side::Client {
            self.lasted(now, exchange);
        }
        let ex = &mut self.exchanges[exchange];
        let client = ex.client.at;
        let is_early = !ex.is_answered && now.since(ex.sent) < EARLY;
        let leg = ex.leg_mut(side);
        let is_sent = leg.is_sent;
        self.backlog_bytes -= std::mem::take(&mut leg.backlog).held_bytes();
        leg.stalled_since = Moment::NEVER;
        self.granted_credit -= leg.window.grown(self.limits.stream_window);
        (leg.window, leg.receive_window) = (Window::new(self.limits.stream_window), 0);
        leg.send_window = 0;
        let (at, trailers, has_ended) = (leg.at.take(), leg.trailers.take(), leg.is_received);
        if let Some(list) = trailers {
            self.give_list(*list);
        }
        let Some((key, stream)) = at else { return };
        let Some(conn) = self.conns.get_mut(key) else { return };
        conn.streams.remove(stream);
        if let Some(code) = code.filter(|_| !conn.is_closing()) {
            let is_shared = conn.http2().is_some();
            if let (Side::Upstream, false, true, Some((client, _))) = (side, has_ended, is_shared, client) {
                self.cancels.push((key, Cancel { stream, client, code, is_early, is_sent }));
            } else {
                conn.put_reset(stream, code, &mut self.buffers);
                self.mark_dirty(key);
            }
        }
        match side {
            Side::Client => self.due_clients.push(key),
            Side::Upstream => self.due_upstreams.push(key),
        }
    }

    /// Removes an exchange that has left both streams, and counts how it ended.
    pub(super) fn finish(&mut self, now: Moment, exchange: ExchangeKey, outcome: ExchangeOutcome) {
        let Some(ex) = self.exchanges.remove(exchange) else { return };
        debug_assert!(ex.client.at.is_none() && ex.upstream.at.is_none(), "both streams are left first");
        if ex.waits_since.is_some()
            && let Some(pool) = ex.pool.and_then(|p| self.pools.get_mut(p))
        {
            pool.pending.retain(|&e| e != exchange);
        }
        if outcome.is_failure() {
            self.tell_failure(now, &ex, outcome);
        }
        if let Some(service) = self.services.get_mut(ex.service) {
            service.exchanges -= 1;
            if ex.is_retrying {
                service.retries.end();
            }
            let cell = service.service.stats.cell(self.worker);
            cell.exchange_took(now.since(ex.began));
            if let Some(websocket) = &ex.websocket {
                cell.websocket_ended(now.since(websocket.began));
            }
            match ex.pool.and_then(|p| self.pools.get_mut(p)) {
                Some(pool) => {
                    pool.exchanges -= 1;
                    let endpoint = pool.endpoint.stats.cell(self.worker);
                    endpoint.exchange_ended(outcome);
                    if ex.kind.is_session() {
                        endpoint.session_ended();
                    }
                }
                None => cell.exchange_ended_unpicked(outcome),
            }
        }
        if let Some(pool) = ex.pool {
            self.drop_pool_if_done(pool);
        }
        self.give_list(ex.request);
        self.drop_replay(ex.replay);
        if let Some(list) = ex.request_trailers {
            self.give_list(*list);
        }
        self.settle(now);
    }

    fn tell_failure(&mut self, now: Moment, ex: &Exchange, outcome: ExchangeOutcome) {
        let Some(left_out) = self.failures.admit(now) else { return };
        let service = self.services.get(ex.service).map(|s| s.service.id);
        let address = ex.pool.and_then(|p| self.pools.get(p)).map(|p| p.endpoint.spec.address);
        let (took, tries) = (now.since(ex.began), ex.sent_times);
        self.tell(EventKind::ExchangeFailed { service, address, outcome, took, tries, left_out });
    }

    /// After streams have ended: connections that waited for that close, and waiting exchanges get their streams.
    pub(super) fn settle(&mut self, now: Moment) {
        if self.is_settling {
            return;
        }
        self.is_settling = true;
        loop {
            if let Some((key, cancel)) = self.cancels.pop() {
                self.cancel(now, key, cancel);
            } else if let Some(key) = self.due_upstreams.pop() {
                self.upstream_stream_ended(now, key);
            } else if let Some(key) = self.due_clients.pop() {
                self.client_stream_ended(now, key);
            } else {
                break;
            }
        }
        self.is_settling = false;
    }

    fn client_stream_ended(&mut self, now: Moment, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        if !conn.streams.is_empty() || conn.is_closing() {
            return;
        }
        // A preface that is still to come is waited for as if nothing had been asked.
        if conn.phase != Phase::Greeting {
            conn.idle_since = now;
        }
        match conn.speech {
            Speech::Http1(_) => {
                if self.conns[key].http1().is_some_and(|h| !h.is_last) {
                    let idle = self.timeouts_of(key).idle;
                    self.arm_conn(key, now + idle.min(REST));
                }
                self.next_message(now, key);
                return;
            }
            Speech::Raw => return self.tunnel_ended(now, key),
            Speech::Http2(_) | Speech::Unknown => {}
        }
        let is_leaving = conn.client().is_some_and(|c| c.is_leaving);
        // What the deadline cuts is counted there.
        if matches!(conn.goaway_sent(), GoAwaySent::Final(_)) && !self.is_drain_cut() {
            self.drain_progress.finished += 1;
            self.end_conn(now, key, CloseReason::DrainFinished, None);
            return;
        }
        if is_leaving {
            self.end_conn(now, key, CloseReason::ClientGoAway, Some(ErrorCode::NoError));
            return;
        }
        let idle = self.timeouts_of(key).idle;
        self.arm_conn(key, now + idle.min(REST));
    }

    /// A stream of an upstream has ended: it closes if it has no further use, or takes who waits.
    pub(super) fn upstream_stream_ended(&mut self, now: Moment, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        let Some(upstream) = conn.upstream() else { return };
        if conn.phase.is_connecting() && upstream.is_own && conn.is_idle() {
            // Nobody waits for it any more.
            return self.end_conn(now, key, CloseReason::TunnelEnded, None);
        }
        if conn.is_closing() || conn.phase != Phase::Open {
            return;
        }
        let is_retiring = upstream.is_retiring || upstream.is_own;
        let (pool, goaway) = (upstream.pool, upstream.goaway);
        let is_idle = conn.streams.is_empty();
        if is_idle {
            conn.idle_since = now;
            match &mut conn.speech {
                Speech::Raw => return self.tunnel_ended(now, key),
                // Both messages have ended exactly, or the connection is of no further use.
                Speech::Http1(http1) if http1.is_last || !matches!(http1.reading, Reading::Done) => {
                    self.end_conn(now, key, CloseReason::NotReusable, None);
                    return;
                }
                Speech::Http1(http1) => http1.reading = Reading::Head,
                Speech::Http2(_) | Speech::Unknown => {}
            }
            // What was not read for the sake of the last exchange's client is of no concern to the next one.
            self.resume(key);
            let reason = match (goaway, is_retiring) {
                (Some(_), _) => Some(CloseReason::UpstreamGoAway),
                (None, true) => Some(CloseReason::Rotated),
                (None, false) => self.pool_end(pool),
            };
            if let Some(reason) = reason {
                self.end_conn(now, key, reason, Some(ErrorCode::NoError));
                return;
            }
            let idle = self.timeouts_of(key).idle;
            self.arm_conn(key, now + idle.min(REST));
        }
        self.serve_pending(now, key);
    }

    /// A stream of one peer broke a rule: it is reset, and the other peer is told what that means for it.
    pub(super) fn reset_by_fault(&mut self, now: Moment, exchange: ExchangeKey, side: Side, code: ErrorCode) {
        match side {
            Side::Client => {
                let client = self.exchanges[exchange].client.at;
                if let Some((key, _)) = client {
                    self.exchange_failed(key);
                }
                self.leave_upstream(now, exchange, Some(ErrorCode::Cancel));
                self.leave_client(now, exchange, Some(code));
                self.finish(now, exchange, ExchangeOutcome::BadRequest);
                if let Some((key, _)) = client {
                    self.count_reset(now, key);
                }
            }
            Side::Upstream => {
                let ex = &self.exchanges[exchange];
                if let Some(pool) = ex.pool {
                    self.report(now, pool, Report::Failed);
                }
                self.leave_upstream(now, exchange, Some(code));
                self.fail(now, exchange, ExchangeOutcome::UpstreamProtocolError);
            }
        }
    }

    /// The client's side is gone; the endpoint is told that nobody waits.
    pub(super) fn drop_client_leg(&mut self, now: Moment, exchange: ExchangeKey, outcome: ExchangeOutcome) {
        if !self.exchanges.has(exchange) {
            return;
        }
        self.leave_upstream(now, exchange, Some(ErrorCode::Cancel));
        self.leave_client(now, exchange, None);
        self.finish(now, exchange, outcome);
    }

    /// The endpoint reset its stream: the client hears the same code.
    pub(super) fn pass_reset(&mut self, now: Moment, exchange: ExchangeKey, code: ErrorCode) {
        if let Some((key, _)) = self.exchanges[exchange].client.at {
            self.exchange_failed(key);
        }
        self.leave_upstream(now, exchange, None);
        // REFUSED_STREAM would tell the client that nothing was processed, which holds only before an answer, and only
        // if nobody else may have processed it before.
        let ex = &self.exchanges[exchange];
        let is_untouched = !ex.is_answered && !ex.is_retrying;
        let code =
            if code == ErrorCode::RefusedStream && !is_untouched { ErrorCode::InternalError } else { code };
        self.leave_client(now, exchange, Some(code));
        self.finish(now, exchange, ExchangeOutcome::UpstreamReset);
    }
}
