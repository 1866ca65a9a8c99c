//! Ends: exchanges that complete or fail, connections that close, and what each side is told.

use super::{Engine, Wake};
use crate::action::{Action, ConnKey};
use crate::conn::{GoAwaySent, Phase, Role};
use crate::exchange::{Exchange, Side};
use crate::slots::Key;
use evenkeel_core::balancer::Report;
use evenkeel_core::event::EventKind;
use evenkeel_core::reason::{CloseReason, ExchangeOutcome};
use evenkeel_core::time::Moment;
use evenkeel_wire::hpack::static_id;
use evenkeel_wire::http2::{self, ErrorCode};
use std::time::Duration;

/// Longest time that a closing connection's last bytes may take.
pub(super) const LAST_BYTES: Duration = Duration::from_secs(5);

impl Engine {
    /// The client has its whole answer: the exchange is over, even if the request is not (RFC 9113 §8.1).
    pub(super) fn end_if_answered(&mut self, now: Moment, exchange: Key<Exchange>) {
        let Some(ex) = self.exchanges.get(exchange) else { return };
        if !ex.client.is_sent {
            return;
        }
        let is_unread = !ex.client.is_received;
        self.leave_upstream(exchange, Some(ErrorCode::Cancel));
        self.leave_client(exchange, is_unread.then_some(ErrorCode::NoError));
        self.finish(now, exchange, ExchangeOutcome::Completed);
    }

    /// Takes the exchange off its upstream stream; resets that if it has not ended by itself.
    pub(super) fn leave_upstream(&mut self, exchange: Key<Exchange>, code: Option<ErrorCode>) {
        let leg = &mut self.exchanges[exchange].upstream;
        self.backlog_bytes -= leg.backlog.len();
        let backlog_len = leg.backlog.len();
        leg.backlog.drop_front(backlog_len);
        let has_ended = leg.is_sent && leg.is_received;
        let trailers = leg.trailers.take();
        let at = leg.at.take();
        if let Some(list) = trailers {
            self.give_list(*list);
        }
        let Some((key, stream)) = at else { return };
        let Some(conn) = self.conns.get_mut(key) else { return };
        conn.streams.remove(&stream);
        if let Some(code) = code.filter(|_| !has_ended && !conn.is_closing()) {
            conn.put_reset(stream, code, &mut self.buffers);
            self.mark_dirty(key);
        }
        self.due_upstreams.push(key);
    }

    /// Takes the exchange off its client stream; resets that with a code if there is one.
    fn leave_client(&mut self, exchange: Key<Exchange>, code: Option<ErrorCode>) {
        let leg = &mut self.exchanges[exchange].client;
        self.backlog_bytes -= leg.backlog.len();
        let backlog_len = leg.backlog.len();
        leg.backlog.drop_front(backlog_len);
        let trailers = leg.trailers.take();
        let at = leg.at.take();
        if let Some(list) = trailers {
            self.give_list(*list);
        }
        let Some((key, stream)) = at else { return };
        let Some(conn) = self.conns.get_mut(key) else { return };
        conn.streams.remove(&stream);
        if let Some(code) = code.filter(|_| !conn.is_closing()) {
            conn.put_reset(stream, code, &mut self.buffers);
            self.mark_dirty(key);
        }
        self.due_clients.push(key);
    }

    /// Removes an exchange that has left both streams, and counts how it ended.
    fn finish(&mut self, now: Moment, exchange: Key<Exchange>, outcome: ExchangeOutcome) {
        let Some(ex) = self.exchanges.remove(exchange) else { return };
        debug_assert!(ex.client.at.is_none() && ex.upstream.at.is_none(), "both streams are left first");
        if ex.waits_since.is_some()
            && let Some(pool) = ex.pool.and_then(|p| self.pools.get_mut(p))
        {
            pool.pending.retain(|&e| e != exchange);
        }
        if let Some(service) = self.services.get(ex.service) {
            let cell = service.service.stats.cell(self.worker);
            cell.exchange_took(now.since(ex.began));
            match ex.pool.and_then(|p| self.pools.get(p)) {
                Some(pool) => pool.endpoint.stats.cell(self.worker).exchange_ended(outcome),
                None => cell.exchange_ended_unpicked(outcome),
            }
        }
        self.give_list(ex.request);
        self.give_bytes(ex.replay);
        if let Some(list) = ex.request_trailers {
            self.give_list(*list);
        }
        self.settle(now);
    }

    /// After streams have ended: connections that waited for that close, and waiting exchanges get their streams.
    pub(super) fn settle(&mut self, now: Moment) {
        if self.is_settling {
            return;
        }
        self.is_settling = true;
        loop {
            if let Some(key) = self.due_upstreams.pop() {
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
        conn.idle_since = now;
        // What the deadline cuts is counted there.
        if matches!(conn.goaway_sent, GoAwaySent::Final(_)) && !self.is_drain_cut() {
            self.drain_progress.finished += 1;
            self.end_conn(now, key, CloseReason::DrainFinished, None);
            return;
        }
        let idle = self.timeouts_of(key).idle;
        self.arm_conn(key, now + idle);
    }

    /// A stream of an upstream has ended: it closes if it has no further use, or takes who waits.
    pub(super) fn upstream_stream_ended(&mut self, now: Moment, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        let Some(upstream) = conn.upstream() else { return };
        if conn.is_closing() || conn.phase != Phase::Open {
            return;
        }
        let (pool, goaway, is_retiring) = (upstream.pool, upstream.goaway, upstream.is_retiring);
        let is_idle = conn.streams.is_empty();
        if is_idle {
            conn.idle_since = now;
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
            self.arm_conn(key, now + idle);
        }
        self.serve_pending(now, key);
    }

    /// A stream of one peer broke a rule: it is reset, and the other peer is told what that means for it.
    pub(super) fn reset_by_fault(
        &mut self,
        now: Moment,
        exchange: Key<Exchange>,
        side: Side,
        code: ErrorCode,
    ) {
        match side {
            Side::Client => {
                let client = self.exchanges[exchange].client.at;
                self.leave_client(exchange, Some(code));
                self.leave_upstream(exchange, Some(ErrorCode::Cancel));
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
                self.leave_upstream(exchange, Some(code));
                self.fail(now, exchange, ExchangeOutcome::UpstreamProtocolError);
            }
        }
    }

    /// The client's side is gone; the endpoint is told that nobody waits.
    pub(super) fn drop_client_leg(&mut self, now: Moment, exchange: Key<Exchange>, outcome: ExchangeOutcome) {
        if !self.exchanges.has(exchange) {
            return;
        }
        self.leave_client(exchange, None);
        self.leave_upstream(exchange, Some(ErrorCode::Cancel));
        self.finish(now, exchange, outcome);
    }

    /// The endpoint reset its stream: the client hears the same code.
    pub(super) fn pass_reset(&mut self, now: Moment, exchange: Key<Exchange>, code: ErrorCode) {
        self.leave_upstream(exchange, None);
        // REFUSED_STREAM would tell the client that nothing was processed, which holds only before an answer.
        let is_answered = self.exchanges[exchange].is_answered;
        let code =
            if is_answered && code == ErrorCode::RefusedStream { ErrorCode::InternalError } else { code };
        self.leave_client(exchange, Some(code));
        self.finish(now, exchange, ExchangeOutcome::UpstreamReset);
    }

    /// An exchange cannot go on: the client gets an answer that says why, or a reset if its answer had begun.
    pub(super) fn fail(&mut self, now: Moment, exchange: Key<Exchange>, outcome: ExchangeOutcome) {
        let status = match outcome {
            ExchangeOutcome::UpstreamProtocolError => 502,
            ExchangeOutcome::RequestTimeout | ExchangeOutcome::PendingTimeout => 504,
            _ => 503,
        };
        self.leave_upstream(exchange, Some(ErrorCode::Cancel));
        self.answer(now, exchange, outcome, status);
    }

    /// Answers by ourselves and ends the exchange, which has no upstream stream (any more).
    pub(super) fn answer(
        &mut self,
        now: Moment,
        exchange: Key<Exchange>,
        outcome: ExchangeOutcome,
        status: u16,
    ) {
        let ex = &self.exchanges[exchange];
        let (is_grpc, is_answered, is_head) = (ex.is_grpc, ex.is_answered, ex.is_head);
        let has_backlog = !ex.client.backlog.is_empty();
        let mut reset = (!ex.client.is_received).then_some(ErrorCode::NoError);
        let Some((key, stream)) = ex.client.at else { return self.finish(now, exchange, outcome) };
        self.conns[key].figures.failed += 1;
        if is_answered && (!is_grpc || has_backlog) {
            reset = Some(ErrorCode::InternalError);
        } else {
            let mut list = self.take_list();
            if !is_answered {
                let status = if is_grpc { "200".to_owned() } else { status.to_string() };
                match static_id(":status", &status) {
                    Some(id) => list.push_static(id, &mut self.store),
                    None => list.push(":status", status.as_bytes()),
                }
                list.push("content-type", if is_grpc { b"application/grpc" } else { b"text/plain" });
            }
            let text = format!("{}: {}", outcome.code(), outcome.why());
            if is_grpc {
                list.push("grpc-status", grpc_status(outcome).as_bytes());
                list.push("grpc-message", text.as_bytes());
            }
            let has_body = !is_grpc && !is_head;
            let conn = &mut self.conns[key];
            conn.put_headers(stream, !has_body, &list, &mut self.store, &mut self.buffers);
            if has_body {
                // A window that is closed is no reason to wait: the status says enough.
                let window =
                    self.exchanges[exchange].client.send_window.min(conn.send_window).max(0) as usize;
                let body = &text.as_bytes()[..text.len().min(window)];
                conn.send_window -= body.len() as i64;
                let out = conn.output.buffer(&mut self.buffers);
                http2::put_data_header(out, stream, body.len(), true);
                out.extend_from_slice(body);
            }
            self.give_list(list);
            self.mark_dirty(key);
        }
        self.leave_client(exchange, reset);
        if self.exchanges[exchange].service == usize::MAX
            && let Some(client) = self.conns[key].client()
        {
            client.listener.stats.cell(self.worker).exchange_ended_unrouted(outcome);
        }
        self.finish(now, exchange, outcome);
    }

    /// Ends a connection from our side: GOAWAY if there is something to say, then whatever waits, then the socket.
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
        let spoke = matches!(conn.phase, Phase::Open | Phase::Greeting);
        if let Some(code) = goaway.filter(|_| spoke) {
            let last = match conn.goaway_sent {
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
        if self.conns[key].output.is_empty() {
            self.remove_conn(now, key, reason, Some(false));
        } else {
            self.mark_dirty(key);
            self.arm_conn(key, now + LAST_BYTES);
        }
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
        let mut open: Vec<_> = std::mem::take(&mut conn.streams).into_iter().collect();
        open.sort_unstable_by_key(|(id, _)| *id);
        let pool = conn.upstream().map(|u| u.pool);
        let Some(pool) = pool else {
            for (_, exchange) in open {
                let outcome = match reason {
                    CloseReason::DrainDeadline => ExchangeOutcome::Drained,
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
        if matches!(before, Phase::Connecting | Phase::Greeting) {
            if let Some(pool) = self.pools.get_mut(pool) {
                pool.opening -= 1;
            }
            // An endpoint is not to blame for its leaving, nor for our own lack of descriptors.
            if !is_planned && reason != CloseReason::ConnectNoDescriptors {
                self.report(now, pool, Report::Failed);
            }
            // Others that stand or are being opened go on serving the queue.
            if self.pools.get(pool).is_some_and(|p| p.conns.is_empty()) {
                if is_planned {
                    self.redistribute(now, pool);
                } else {
                    self.move_pending(now, pool);
                }
                self.drop_pool_if_done(pool);
            }
            return;
        }
        if let Some(pool) = self.pools.get(pool) {
            pool.endpoint.stats.cell(self.worker).upstream_closed();
        }
        for (_, exchange) in open {
            let Some(ex) = self.exchanges.get_mut(exchange) else { continue };
            ex.upstream.at = None;
            if !is_planned {
                self.report(now, pool, Report::Failed);
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
        conn.decoder.clear(&mut self.store);
        conn.encoder.clear(&mut self.store);
        conn.figures.age = now.since(conn.opened);
        let (figures, detail) = (conn.figures, conn.detail);
        match conn.role {
            Role::Client(client) => {
                self.clients -= 1;
                self.stats.sessions.set(self.clients as u64);
                client.listener.stats.cell(self.worker).session_ended(reason, figures.age);
                let (listener, peer, session) = (client.listener.id, client.peer, client.session);
                self.tell(EventKind::SessionEnded { listener, peer, session, reason, detail, figures });
            }
            Role::Upstream(upstream) => {
                self.stats.upstream_closed(reason);
                let (service, endpoint, address) = (upstream.service, upstream.endpoint, upstream.address);
                self.tell(EventKind::UpstreamClosed { service, endpoint, address, reason, detail, figures });
            }
        }
        if let Some(is_polite) = close {
            self.actions.push(Action::Close { conn: key, is_polite });
        }
        self.settle(now);
    }

    pub(super) fn arm_conn(&mut self, key: ConnKey, at: Moment) {
        let conn = &mut self.conns[key];
        if at < conn.armed {
            conn.armed = at;
            self.wheel.arm(at, Wake::Conn(key));
        }
    }
}

/// The status of the gRPC status codes document that an outcome is for a caller.
const fn grpc_status(outcome: ExchangeOutcome) -> &'static str {
    match outcome {
        ExchangeOutcome::RequestTimeout => "4",
        ExchangeOutcome::PendingOverflow | ExchangeOutcome::Shed => "8",
        ExchangeOutcome::NoRoute => "12",
        ExchangeOutcome::UpstreamProtocolError | ExchangeOutcome::BadRequest => "13",
        _ => "14",
    }
}
