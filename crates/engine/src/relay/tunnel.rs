//! Tunnels: exchanges whose bodies are bytes without a form, both ways, until both sides have ended.
//!
//! A TCP listener's sessions are tunnels from their first byte, WebSockets once both sides have agreed to be one. Each
//! direction ends by itself (FIN is the end of a stream), and the tunnel with the second one.

use super::Engine;
use super::websocket::GOING_AWAY;
use crate::conn::{Conn, Http1, Input, Phase, Reading, Speech};
use crate::exchange::{Kind, Leg};
use crate::keys::{ConnKey, ExchangeKey};
use crate::request::RequestHead;
use crate::side::Side;
use evenkeel_core::balancer::Report;
use evenkeel_core::policy::ListenerProtocol;
use evenkeel_core::reason::{CloseReason, ExchangeOutcome};
use evenkeel_core::time::Moment;
use evenkeel_wire::client_hello;
use evenkeel_wire::hpack::HeaderList;
use evenkeel_wire::http2::ErrorCode;

impl Engine {
    /// Bytes came on a tunnel's connection.
    pub(super) fn raw_bytes(&mut self, now: Moment, key: ConnKey, bytes: &[u8]) {
        let conn = &mut self.conns[key];
        conn.idle_since = now;
        let side = conn.side();
        let Some(exchange) = conn.streams.get(conn.highest_stream) else { return };
        self.body(now, exchange, side, bytes, false);
    }

    /// A client's connection is a tunnel as a whole: finds its service and an endpoint. `first`: what came already.
    pub(super) fn begin_tunnel(
        &mut self,
        now: Moment,
        key: ConnKey,
        server_name: Option<&[u8]>,
        first: &[u8],
    ) {
        self.begin_session(key, Phase::Open, Speech::Raw);
        let conn = &mut self.conns[key];
        conn.highest_stream = 1;
        let list = self.take_list();
        let exchange = self.open_exchange(now, key, 1, list, RequestHead::default(), false);
        self.exchanges[exchange].kind = Kind::Tunnel;
        if !self.route_tunnel(now, key, exchange, server_name) {
            return;
        }
        if !first.is_empty() {
            self.received_in(now, key, first);
        }
    }

    /// A tunnel's route may ask for the name in a ClientHello: it is looked for in what came.
    pub(super) fn find_server_name(&mut self, now: Moment, key: ConnKey, first: Vec<u8>) {
        let name = match client_hello::read(&first) {
            Ok(None) => {
                if let Some(client) = self.conns[key].client_mut() {
                    client.first_bytes = first;
                }
                return;
            }
            Ok(Some(hello)) => hello.server_name,
            // Whatever it is, it names nobody.
            Err(_) => None,
        };
        self.begin_tunnel(now, key, name.as_deref().map(str::as_bytes), &first);
    }

    /// A client that has said nothing, or not enough, waits for its server to speak first.
    pub(super) fn waited_for_first_bytes(&mut self, now: Moment, key: ConnKey) {
        let Some(client) = self.conns[key].client_mut() else { return };
        let first = std::mem::take(&mut client.first_bytes);
        self.begin_tunnel(now, key, None, &first);
    }

    fn route_tunnel(
        &mut self,
        now: Moment,
        key: ConnKey,
        exchange: ExchangeKey,
        server_name: Option<&[u8]>,
    ) -> bool {
        let Some(client) = self.conns[key].client() else { return false };
        let listener = self.snapshot.listener(client.listener.id).unwrap_or(&client.listener);
        // Where TLS ends here, what is inside it names nobody.
        let agreed = client.secured.as_ref().map(|s| s.server_name.as_deref().map(str::as_bytes));
        let route = listener.routes.find_tunnel(agreed.unwrap_or(server_name));
        let policy = route.map(|r| r.policy).unwrap_or_default();
        let service = route.and_then(|r| self.service_of.get(&r.service).copied());
        let Some(service) = service.filter(|&s| !self.services[s].is_removed) else {
            self.answer(now, exchange, ExchangeOutcome::NoRoute, 404);
            return false;
        };
        self.services[service].exchanges += 1;
        let ex = &mut self.exchanges[exchange];
        ex.service = service;
        ex.retry = policy.retry;
        ex.upgraded_idle = policy.upgraded_idle;
        self.dispatch(now, exchange);
        self.exchanges.has(exchange)
    }

    /// An upstream that was opened for one exchange stands: it is given what was kept for it.
    pub(super) fn own_upstream_stands(&mut self, now: Moment, key: ConnKey) {
        let conn = &mut self.conns[key];
        conn.phase = Phase::Open;
        conn.idle_since = now;
        let current = conn.streams.get(conn.highest_stream);
        self.count_opened(key);
        let Some(exchange) = current else {
            return self.end_conn(now, key, CloseReason::Rotated, None);
        };
        if self.conns[key].http1().is_some() {
            self.send_request(now, exchange, key);
            return;
        }
        let ex = &mut self.exchanges[exchange];
        let took = now.since(ex.sent);
        ex.sent = now;
        ex.sent_times += 1;
        ex.upstream = Leg::new(Some((key, 1)), crate::conn::NO_WINDOW, i64::from(self.limits.stream_window));
        if let Some(pool) = ex.pool {
            self.report(now, pool, Report::Answered(took));
        }
        self.introduce(exchange, key);
        let ex = &mut self.exchanges[exchange];
        self.backlog_bytes += ex.upstream.backlog.push(&ex.replay);
        ex.upstream.ends_after_backlog = ex.client.is_received;
        self.stands(now, exchange);
        self.lasts(now, exchange);
        self.flush_leg(now, exchange, Side::Upstream);
    }

    /// Both sides of an exchange are bytes from now on.
    pub(super) fn stands(&mut self, now: Moment, exchange: ExchangeKey) {
        self.stay(exchange);
        self.end_retry(exchange);
        let ex = &mut self.exchanges[exchange];
        ex.is_tunnel = true;
        ex.is_answered = true;
        ex.heard = now;
        ex.try_deadline = Moment::NEVER;
        ex.body_left = None;
        ex.upstream.announced = None;
        ex.client.announced = None;
        self.arm_tunnel(now, exchange);
    }

    /// Looks at the clock of a tunnel: when it was idle for too long, or a ping of its WebSocket is due.
    pub(super) fn tunnel_due(&mut self, now: Moment, exchange: ExchangeKey) {
        let ex = &self.exchanges[exchange];
        if ex.websocket.as_ref().is_some_and(|websocket| websocket.end.is_some()) {
            return self.end_in_vain(now, exchange);
        }
        if ex.upgraded_idle.is_some_and(|idle| ex.heard + idle <= now) {
            let (outcome, reason) = (ExchangeOutcome::UpgradedIdle, CloseReason::UpgradedIdle);
            if ex.websocket.is_some() {
                self.cut_websocket_as(now, exchange, GOING_AWAY, outcome, reason);
            } else {
                self.break_off(now, exchange, outcome, reason);
            }
            return;
        }
        self.check_pings(now, exchange);
        if self
            .exchanges
            .get(exchange)
            .is_some_and(|ex| ex.websocket.as_ref().is_none_or(|w| w.end.is_none()))
        {
            self.arm_tunnel(now, exchange);
        }
    }

    /// Has a tunnel looked at when the next of its times is over.
    fn arm_tunnel(&mut self, now: Moment, exchange: ExchangeKey) {
        let ping = self.next_ping(now, exchange);
        let ex = &mut self.exchanges[exchange];
        let idle = ex.upgraded_idle.map(|idle| ex.heard + idle);
        ex.deadline = [ping, idle].into_iter().flatten().min().unwrap_or(Moment::NEVER);
        let at = ex.deadline;
        if at != Moment::NEVER {
            self.arm_exchange(exchange, at);
        }
    }

    /// Ends a tunnel at once, for a reason of its own: connections that were only its go with it, with what was written to
    /// them; streams of others are reset if they have not ended.
    pub(super) fn break_off(
        &mut self,
        now: Moment,
        exchange: ExchangeKey,
        outcome: ExchangeOutcome,
        reason: CloseReason,
    ) {
        let ex = &self.exchanges[exchange];
        let (client, upstream) = (ex.client.at, ex.upstream.at);
        let is_shared = |at: Option<(ConnKey, u32)>| {
            at.is_some_and(|(key, _)| self.conns.get(key).is_some_and(|conn| conn.http2().is_some()))
        };
        let cancel = is_shared(upstream).then_some(ErrorCode::Cancel);
        let code = if ex.client.is_sent { ErrorCode::NoError } else { ErrorCode::InternalError };
        let has_ended = ex.client.is_sent && ex.client.is_received;
        let reset = (is_shared(client) && !has_ended).then_some(code);
        self.leave_upstream(now, exchange, cancel);
        self.leave_client(now, exchange, reset);
        for (key, _) in [client, upstream].into_iter().flatten() {
            if self.conns.get(key).is_some_and(|conn| matches!(conn.speech, Speech::Raw)) {
                self.end_conn(now, key, reason, None);
            }
        }
        self.finish(now, exchange, outcome);
    }

    /// An endpoint agreed to change the protocol (101).
    pub(super) fn changed_protocol(&mut self, now: Moment, exchange: ExchangeKey, list: HeaderList) {
        if self.is_accepted(exchange, &list) {
            self.websocket_stands(now, exchange, list);
        } else {
            self.give_list(list);
            self.reset_by_fault(now, exchange, Side::Upstream, ErrorCode::ProtocolError);
        }
    }

    /// HTTP/1 ends on a connection, and bytes follow. What was not read of it is given back.
    pub(super) fn speak_raw(&mut self, key: ConnKey) -> Vec<u8> {
        let conn = &mut self.conns[key];
        let Some(http1) = conn.http1_mut() else { return Vec::new() };
        let unread = std::mem::take(&mut http1.tail);
        self.reader_bytes -= unread.capacity();
        conn.speak(Speech::Raw);
        unread
    }

    /// Whether a connection goes on after its peer has ended its side: then [`Engine::input_ended`] is to be told, not
    /// [`Engine::peer_ended`], and the socket stays.
    #[must_use]
    pub fn outlives_input(&self, key: ConnKey) -> bool {
        let Some(conn) = self.conns.get(key) else { return false };
        if conn.phase == Phase::Detecting {
            // What it said is no protocol that we know, or not yet; a tunnel takes it as it is.
            let has_spoken =
                conn.client().is_some_and(|c| !c.awaits_proxy_header && !c.first_bytes.is_empty());
            return has_spoken && self.protocol_of(key) != ListenerProtocol::Http;
        }
        if conn.phase != Phase::Open {
            return false;
        }
        match &conn.speech {
            Speech::Raw => !conn.is_idle(),
            Speech::Http1(http1) => conn.is_client() && !conn.is_idle() && !http1.is_inside_body(),
            Speech::Http2(_) | Speech::Unknown => false,
        }
    }

    /// The peer ended its side and may still read.
    pub fn input_ended(&mut self, now: Moment, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        if std::mem::replace(&mut conn.input, Input::Ended) == Input::Ended {
            return;
        }
        let side = conn.side();
        let current = conn.streams.get(conn.highest_stream);
        match &mut conn.speech {
            Speech::Http1(http1) => http1.is_last |= http1.tail.is_empty(),
            Speech::Raw => {
                if let Some(exchange) = current {
                    self.body(now, exchange, side, &[], true);
                }
            }
            Speech::Unknown => {
                self.waited_for_first_bytes(now, key);
                self.end_raw_input(now, key);
            }
            Speech::Http2(_) => {}
        }
        self.relieve(now);
    }

    fn end_raw_input(&mut self, now: Moment, key: ConnKey) {
        let Some(conn) = self.conns.get(key) else { return };
        if let Some(exchange) = conn.streams.get(conn.highest_stream) {
            self.body(now, exchange, Side::Client, &[], true);
        }
    }

    /// A tunnel cannot go on: its client is reset, so that it does not take what it heard for all there is.
    pub(super) fn cut_tunnel(&mut self, now: Moment, exchange: ExchangeKey, outcome: ExchangeOutcome) {
        let reason = match outcome {
            ExchangeOutcome::NoRoute => CloseReason::NoRoute,
            ExchangeOutcome::NoEndpoint | ExchangeOutcome::EndpointsFull => CloseReason::NoEndpoint,
            ExchangeOutcome::ConnectFailed => CloseReason::ConnectFailed,
            ExchangeOutcome::UpstreamGone => CloseReason::UpstreamReset,
            ExchangeOutcome::SendTimeout => CloseReason::SendTimeout,
            ExchangeOutcome::Shed => CloseReason::Shed,
            ExchangeOutcome::Drained if self.is_drain_cut() => CloseReason::DrainDeadline,
            ExchangeOutcome::Drained => CloseReason::EndpointTerminating,
            _ => CloseReason::TunnelEnded,
        };
        if let Some((key, _)) = self.exchanges[exchange].client.at {
            let conn = &mut self.conns[key];
            conn.figures.failed += 1;
            conn.ends_as = Some(reason);
            self.leave_client(now, exchange, Some(ErrorCode::InternalError));
            self.count_unrouted(exchange, key, outcome);
        }
        self.finish(now, exchange, outcome);
    }

    /// A tunnel has left one of its connections, which goes with it.
    pub(super) fn tunnel_ended(&mut self, now: Moment, key: ConnKey) {
        let Some(conn) = self.conns.get(key) else { return };
        let reason = conn.ends_as.unwrap_or(match (conn.is_client(), conn.input == Input::Ended) {
            (true, true) => CloseReason::ClientClosed,
            (false, true) => CloseReason::UpstreamClosed,
            (_, false) => CloseReason::TunnelEnded,
        });
        if conn.is_aborted {
            self.cut_conn(now, key, reason);
        } else {
            self.end_conn(now, key, reason, None);
        }
    }

    /// An endpoint that delimits its answer by its end has ended it.
    pub(super) fn end_open_body(&mut self, now: Moment, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        let side = conn.side();
        let current = conn.streams.get(conn.highest_stream);
        if let (Some(Http1 { reading: Reading::UntilClose, .. }), Some(exchange)) = (conn.http1(), current) {
            self.body(now, exchange, side, &[], true);
            self.settle(now);
        }
    }

    /// Ends our side of a connection once all before it has left.
    pub(super) fn end_output_if_due(&mut self, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        if conn.ends_output && conn.output.is_empty() && !conn.is_closing() {
            conn.ends_output = false;
            self.actions.push(crate::action::Action::EndOutput { conn: key });
        }
    }

    /// Whether a connection is to be read; if not, [`Action::Resume`](crate::Action::Resume) says when it is again.
    #[must_use]
    pub fn takes_input(&self, key: ConnKey) -> bool {
        self.conns.get(key).is_none_or(|conn: &Conn| conn.input == Input::Open || conn.is_closing())
    }
}
