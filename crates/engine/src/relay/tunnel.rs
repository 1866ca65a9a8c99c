//! Tunnels: exchanges whose bodies are bytes without a form, both ways, until both sides have ended.
//!
//! A TCP listener's sessions are tunnels from their first byte, WebSockets once both sides have agreed to be one. Each
//! direction ends by itself (FIN is the end of a stream), and the tunnel with the second one.

use super::Engine;
use crate::conn::{Conn, Http1, Input, Phase, Reading, Speech};
use crate::exchange::{Kind, Leg, Side};
use crate::keys::{ConnKey, ExchangeKey};
use crate::request::RequestHead;
use evenkeel_core::balancer::Report;
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
        let Some(exchange) = conn.streams.get(conn.highest_stream) else {
            return self.end_conn(now, key, CloseReason::Rotated, None);
        };
        self.count_opened(key);
        if self.conns[key].http1().is_some() {
            self.send_request(now, exchange, key);
            return;
        }
        let ex = &mut self.exchanges[exchange];
        ex.sent = now;
        ex.sent_times += 1;
        let took = now.since(ex.sent);
        ex.upstream = Leg::new(Some((key, 1)), crate::conn::NO_WINDOW, i64::from(self.limits.stream_window));
        if let Some(pool) = ex.pool {
            self.report(now, pool, Report::Answered(took));
        }
        let ex = &mut self.exchanges[exchange];
        self.backlog_bytes += ex.upstream.backlog.push(&ex.replay);
        ex.upstream.ends_after_backlog = ex.client.is_received;
        self.stands(now, exchange);
        self.flush_leg(now, exchange, Side::Upstream);
    }

    /// Both sides of an exchange are bytes from now on.
    fn stands(&mut self, now: Moment, exchange: ExchangeKey) {
        self.stay(exchange);
        self.end_retry(exchange);
        let ex = &mut self.exchanges[exchange];
        ex.is_tunnel = true;
        ex.is_answered = true;
        ex.deadline = Moment::NEVER;
        ex.try_deadline = Moment::NEVER;
        ex.upstream.announced = None;
        ex.client.announced = None;
        let idle = ex.upgraded_idle;
        if let (Some((client, _)), Some(idle)) = (ex.client.at, idle) {
            self.conns[client].idle_since = now;
            self.arm_conn(client, now + idle);
        }
    }

    /// An endpoint agreed to change the protocol (101): the answer goes to the client, and what follows is a tunnel.
    pub(super) fn changed_protocol(
        &mut self,
        now: Moment,
        key: ConnKey,
        exchange: ExchangeKey,
        list: HeaderList,
    ) {
        let ex = &self.exchanges[exchange];
        let Some((client, stream)) = ex.client.at.filter(|_| ex.kind == Kind::WebSocket) else {
            self.give_list(list);
            self.reset_by_fault(now, exchange, Side::Upstream, ErrorCode::ProtocolError);
            return;
        };
        if let Some(pool) = ex.pool {
            let took = now.since(ex.sent);
            self.report(now, pool, Report::Answered(took));
        }
        self.stands(now, exchange);
        self.speak_raw(key);
        let conn = &mut self.conns[client];
        let put = conn.put_upgraded(stream, &list, &mut self.store, &mut self.buffers);
        self.give_list(list);
        if put.is_err() {
            return self.fail(now, exchange, ExchangeOutcome::UpstreamProtocolError);
        }
        self.mark_dirty(client);
        let ex = &mut self.exchanges[exchange];
        // A request that asks for a WebSocket has no body, but its stream goes on.
        (ex.client.is_received, ex.upstream.is_sent) = (false, false);
        let unread = self.speak_raw(client);
        self.resume(client);
        if !unread.is_empty() {
            self.raw_bytes(now, client, &unread);
        }
    }

    /// HTTP/1 ends on a connection, and bytes follow. What was not read of it is given back.
    fn speak_raw(&mut self, key: ConnKey) -> Vec<u8> {
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
        let Some(conn) = self.conns.get(key).filter(|c| c.phase == Phase::Open) else { return false };
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
            Speech::Http2(_) | Speech::Unknown => {}
        }
        self.relieve(now);
    }

    /// A tunnel has left one of its connections, which goes with it.
    pub(super) fn tunnel_ended(&mut self, now: Moment, key: ConnKey) {
        let Some(conn) = self.conns.get(key) else { return };
        let reason = match (conn.is_client(), conn.input == Input::Ended) {
            (true, true) => CloseReason::ClientClosed,
            (false, true) => CloseReason::UpstreamClosed,
            (_, false) => CloseReason::TunnelEnded,
        };
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
