//! Ends of connections: by us or by the peer, with whatever was open on them.

use super::{Engine, Wake};
use crate::action::Action;
use crate::conn::{GoAwaySent, Input, Phase, Role};
use crate::keys::ConnKey;
use evenkeel_core::balancer::Report;
use evenkeel_core::event::EventKind;
use evenkeel_core::reason::{CloseReason, ExchangeOutcome, RetryReason};
use evenkeel_core::time::Moment;
use evenkeel_wire::http2::{self, ErrorCode};
use std::time::Duration;

/// Longest time that a closing connection's last bytes may take.
pub(super) const LAST_BYTES: Duration = Duration::from_secs(5);

/// What a peer may send meanwhile: more than comes in a turn, before there was a chance for the last bytes to leave. One
/// that sends on and does not read is not going to notice them.
pub(super) const UNHEARD_BYTES: usize = 2 << 20;

impl Engine {
    /// Ends a connection from our side: GOAWAY if there is something to say and HTTP/2 to say it in, then whatever waits,
    /// then the socket.
    pub(super) fn end_conn(
        &mut self,
        now: Moment,
        key: ConnKey,
        reason: CloseReason,
        goaway: Option<ErrorCode>,
    ) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        if conn.is_closing() {
            return;
        }
        let spoke = matches!(conn.phase, Phase::Open | Phase::Greeting) && conn.http2().is_some();
        if let Some(code) = goaway.filter(|_| spoke) {
            let last = match conn.goaway_sent() {
                // What was promised not to be processed never is (RFC 9113 §6.8).
                GoAwaySent::Final(last) => last,
                _ if conn.is_client() => conn.highest_stream,
                _ => 0,
            };
            let detail = conn.detail.unwrap_or_default().as_bytes();
            http2::put_goaway(conn.output.buffer(&mut self.buffers), last, code, detail);
        }
        let before = conn.phase;
        conn.phase = Phase::Closing(reason);
        conn.idle_since = now;
        self.abandon_streams(now, key, before, reason);
        // Nothing is read or asked on it any more; its tables need not wait for its last bytes.
        let conn = &mut self.conns[key];
        if let Some(http2) = conn.http2_mut() {
            http2.clear(&mut self.store);
        }
        if self.conns[key].output.is_empty() {
            self.remove_conn(now, key, reason, Some(false));
        } else {
            self.mark_dirty(key);
            self.arm_conn(key, now + LAST_BYTES);
        }
    }

    /// Ends a connection at once: what waits for its peer, which does not take it, is dropped.
    pub(super) fn cut_conn(&mut self, now: Moment, key: ConnKey, reason: CloseReason) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        conn.output.clear(&mut self.buffers);
        conn.output.count(&mut self.output_bytes);
        if let Phase::Closing(reason) = conn.phase {
            self.remove_conn(now, key, reason, Some(false));
            return;
        }
        let before = conn.phase;
        conn.phase = Phase::Closing(reason);
        self.abandon_streams(now, key, before, reason);
        self.remove_conn(now, key, reason, Some(false));
    }

    /// The socket is gone already.
    pub(super) fn lose_conn(&mut self, now: Moment, key: ConnKey, reason: CloseReason) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        if let Phase::Closing(reason) = conn.phase {
            self.remove_conn(now, key, reason, None);
            return;
        }
        let before = conn.phase;
        conn.phase = Phase::Closing(reason);
        self.abandon_streams(now, key, before, reason);
        self.remove_conn(now, key, reason, None);
    }

    /// Whatever was open on a connection that ends.
    fn abandon_streams(&mut self, now: Moment, key: ConnKey, before: Phase, reason: CloseReason) {
        let conn = &mut self.conns[key];
        let open = std::mem::take(&mut conn.streams).in_order();
        conn.is_aborted |= !open.is_empty() && conn.ends_by_closing();
        let pool = conn.upstream().map(|u| u.pool);
        let was_used = conn.upstream().is_some_and(|u| u.served > 1);
        let is_own = conn.upstream().is_some_and(|u| u.is_own);
        let is_stale = was_used && conn.http1().is_some_and(|h| !h.has_spoken);
        let is_unasked = conn.is_unasked();
        let Some(pool) = pool else {
            for (_, exchange) in open {
                let outcome = match reason {
                    CloseReason::DrainDeadline => ExchangeOutcome::Drained,
                    CloseReason::Shed => ExchangeOutcome::Shed,
                    _ => ExchangeOutcome::ClientGone,
                };
                self.drop_client_leg(now, exchange, outcome);
            }
            return;
        };
        self.leave_pool(key);
        let is_planned = matches!(
            reason,
            CloseReason::EndpointRemoved | CloseReason::EndpointTerminating | CloseReason::ServiceRemoved
        );
        if before.is_connecting() || before == Phase::Greeting {
            if let Some(pool) = self.pools.get_mut(pool).filter(|_| !is_own) {
                pool.opening -= 1;
            }
            if before == Phase::Greeting && self.falls_back(pool, reason) {
                if self.pools.get(pool).is_some_and(|p| !p.pending.is_empty()) {
                    self.open_if_needed(now, pool);
                }
                return self.drop_pool_if_done(pool);
            }
            // An endpoint is not to blame for its leaving, nor for its client's, nor for our own lack of descriptors.
            let is_ours = matches!(reason, CloseReason::ConnectNoDescriptors | CloseReason::TunnelEnded);
            if !is_planned && !is_ours {
                self.report(now, pool, Report::Failed);
            }
            // An upstream that was opened for one exchange has it already.
            for (_, exchange) in open {
                let Some(ex) = self.exchanges.get_mut(exchange) else { continue };
                ex.upstream.at = None;
                if is_planned {
                    self.leave_endpoint(exchange);
                    self.dispatch(now, exchange);
                } else {
                    self.move_on(now, exchange, ExchangeOutcome::ConnectFailed);
                }
            }
            // Others that stand or are being opened go on serving the queue.
            if self.pools.get(pool).is_some_and(|p| p.conns.is_empty()) {
                if is_planned {
                    self.redistribute(now, pool);
                } else {
                    self.move_pending(now, pool);
                }
            } else if !is_planned {
                self.move_unsuited(now, pool);
            }
            self.drop_pool_if_done(pool);
            return;
        }
        if let Some(pool) = self.pools.get(pool) {
            pool.endpoint.stats.cell(self.worker).upstream_closed();
        }
        // Whatever was open on it, it failed once.
        let mut is_reported = is_planned;
        for (_, exchange) in open {
            let Some(ex) = self.exchanges.get_mut(exchange) else { continue };
            ex.upstream.at = None;
            if self.keep_answer(now, exchange) {
                continue;
            }
            // An endpoint may close a connection that had been used before at any time; what was asked in that moment
            // and may be repeated is, elsewhere (RFC 9110 §9.2.2).
            let ex = &self.exchanges[exchange];
            if (is_stale && ex.may_be_repeated()) || (is_unasked && ex.is_repeatable()) {
                self.move_on(now, exchange, ExchangeOutcome::UpstreamGone);
                continue;
            }
            if !std::mem::replace(&mut is_reported, true) {
                self.report(now, pool, Report::Failed);
            }
            if self.try_again(now, exchange, RetryReason::Reset) {
                continue;
            }
            let outcome = if is_planned { ExchangeOutcome::Drained } else { ExchangeOutcome::UpstreamGone };
            self.fail(now, exchange, outcome);
        }
        match self.pools.get(pool).filter(|p| !p.pending.is_empty()) {
            Some(left) if left.conns.is_empty() => self.redistribute(now, pool),
            // The others may be full for long; now there is room for one more.
            Some(_) => self.open_if_needed(now, pool),
            None => {}
        }
        self.drop_pool_if_done(pool);
    }

    /// Forgets a connection whose streams are gone. `close`: the socket is ours to close, politely or not.
    pub(super) fn remove_conn(
        &mut self,
        now: Moment,
        key: ConnKey,
        reason: CloseReason,
        close: Option<bool>,
    ) {
        let Some(mut conn) = self.conns.remove(key) else { return };
        if let Some(http2) = conn.http2_mut() {
            http2.clear(&mut self.store);
        }
        conn.output.clear(&mut self.buffers);
        conn.output.count(&mut self.output_bytes);
        self.reader_bytes -= conn.unread_bytes();
        conn.figures.age = now.since(conn.opened);
        let (figures, detail) = (conn.figures, conn.detail);
        let (is_gone, is_abort) = (conn.input == Input::Gone, conn.is_aborted);
        match &conn.role {
            Role::Client(client) => self.session_ended(client, &conn, reason),
            Role::Upstream(upstream) => {
                self.stats.upstream_closed(reason);
                if let Some(cancelled) = &upstream.cancelled {
                    self.free_places(&cancelled.clients().collect::<Vec<_>>());
                }
                let (service, endpoint, address) = (upstream.service, upstream.endpoint, upstream.address);
                self.tell(EventKind::UpstreamClosed { service, endpoint, address, reason, detail, figures });
            }
        }
        if let Some(is_polite) = close.filter(|_| !is_gone) {
            self.actions.push(Action::Close { conn: key, is_polite, is_abort });
        }
        self.settle(now);
    }

    /// Has the connection looked at, at `at` or before.
    pub(super) fn arm_conn(&mut self, key: ConnKey, at: Moment) {
        let at = self.wheel.coarse(at);
        let conn = &mut self.conns[key];
        if at < conn.armed {
            conn.armed = at;
            self.wheel.arm(at, Wake::Conn(key));
        }
    }
}
