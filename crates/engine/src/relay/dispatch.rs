//! Pick an endpoint, take a stream of one of its connections, or wait for one.

use super::{Engine, Wake};
use crate::action::Action;
use crate::conn::{Conn, Phase, Role, Speech, UpstreamSide};
use crate::exchange::{Exchange, Kind, Leg};
use crate::keys::{ConnKey, ExchangeKey, PoolKey};
use crate::side::Side;
use evenkeel_core::balancer::{Pick, Report};
use evenkeel_core::endpoint::EndpointState;
use evenkeel_core::event::EventKind;
use evenkeel_core::policy::{Transport, UpstreamProtocol};
use evenkeel_core::reason::{CloseReason, ExchangeOutcome, Limit, NoPickReason};
use evenkeel_core::time::Moment;
use evenkeel_wire::http1::{ResponseTo, Upgrade};
use evenkeel_wire::http2::MAX_STREAM_ID;

impl Engine {
    /// Gives an exchange to an endpoint of its service.
    pub(super) fn dispatch(&mut self, now: Moment, exchange: ExchangeKey) {
        if let Some(pick) = self.pick(now, exchange, ExchangeOutcome::ConnectFailed) {
            self.give(now, exchange, pick);
        }
    }

    /// Picks an endpoint that was not tried yet, or one that went away. If there is none, the exchange fails: with `last`
    /// if all were tried.
    pub(super) fn pick(&mut self, now: Moment, exchange: ExchangeKey, last: ExchangeOutcome) -> Option<Pick> {
        let ex = &mut self.exchanges[exchange];
        let service = &mut self.services[ex.service];
        let mut picked = service.pick(now, ex);
        if picked == Err(NoPickReason::AllTried) && ex.may_ask_again() {
            picked = service.pick(now, ex);
        }
        let outcome = match picked {
            Ok(pick) => return Some(pick),
            // Some endpoint took a connection if it was sent.
            Err(NoPickReason::AllTried) if last == ExchangeOutcome::ConnectFailed && ex.sent_times > 0 => {
                ExchangeOutcome::UpstreamGone
            }
            Err(NoPickReason::AllTried) => last,
            Err(NoPickReason::AllFull) => {
                self.stats.refused(Limit::EndpointSessions);
                ExchangeOutcome::EndpointsFull
            }
            Err(NoPickReason::NoEndpoints | NoPickReason::NoneServing) => ExchangeOutcome::NoEndpoint,
        };
        self.fail(now, exchange, outcome);
        None
    }

    /// Gives an exchange to the endpoint that was picked for it.
    pub(super) fn give(&mut self, now: Moment, exchange: ExchangeKey, pick: Pick) {
        let service = &self.services[self.exchanges[exchange].service].service;
        service.stats.cell(self.worker).picked(pick.reason);
        let Some(&pool) = self.pool_of.get(&pick.endpoint) else {
            return self.fail(now, exchange, ExchangeOutcome::NoEndpoint);
        };
        let ex = &mut self.exchanges[exchange];
        ex.pool = Some(pool);
        ex.sent = now;
        self.pools[pool].exchanges += 1;
        let kind = ex.kind;
        let cell = self.pools[pool].endpoint.stats.cell(self.worker);
        cell.exchange_began();
        if kind.is_session() {
            cell.session_began();
        }
        let most = self.services[self.pools[pool].service].service.policy.upstream.max_streams;
        let is_own = match kind {
            Kind::Message => false,
            Kind::Tunnel => true,
            Kind::WebSocket => !self.goes_over_http2(exchange, pool),
        };
        if is_own {
            return self.open_own(now, exchange, pool);
        }
        let ex = &self.exchanges[exchange];
        let is_free = |&c: &ConnKey| {
            let conn = &self.conns[c];
            conn.free_streams(most) > 0 && !self.is_output_full(c) && self.suits(ex, conn)
        };
        let free = self.pools[pool].conns.iter().copied().find(is_free);
        match free {
            Some(conn) => self.send_request(now, exchange, conn),
            None => self.wait(now, exchange, pool),
        }
    }

    /// Queues an exchange until a connection or a stream comes free, and opens a connection if that helps.
    pub(super) fn wait(&mut self, now: Moment, exchange: ExchangeKey, pool_key: PoolKey) {
        let pool = &mut self.pools[pool_key];
        let policy = self.services[pool.service].service.policy.upstream;
        if pool.pending.len() >= policy.pending as usize {
            self.stats.refused(Limit::Pending);
            self.fail(now, exchange, ExchangeOutcome::PendingOverflow);
            return;
        }
        pool.pending.push_back(exchange);
        self.exchanges[exchange].waits_since = Some(now);
        // One wake stands for the whole queue: whoever came first is the first to have waited too long.
        if !std::mem::replace(&mut pool.is_watched, true) {
            self.wheel.arm(now + policy.pending_timeout, Wake::Pending(pool_key));
        }
        self.open_if_needed(now, pool_key);
    }

    /// Opens a connection if more exchanges wait than those that are being opened will take.
    pub(super) fn open_if_needed(&mut self, now: Moment, pool_key: PoolKey) {
        let pool = &self.pools[pool_key];
        let policy = self.services[pool.service].service.policy;
        let speech = self.speech_for(pool_key, pool.pending.front().copied());
        let is_http1 = match speech {
            Speech::Http1(_) | Speech::Raw => true,
            Speech::Unknown => pool.is_http1 == Some(true),
            Speech::Http2(_) => false,
        };
        let each = if is_http1 { 1 } else { policy.upstream.max_streams as usize };
        if pool.pending.len() <= pool.opening as usize * each {
            return;
        }
        if pool.conns.len() >= policy.upstream.most_connections(is_http1) as usize {
            self.stats.refused(Limit::UpstreamConnections);
            return;
        }
        self.open(now, pool_key, speech, false);
    }

    /// Asks for a connection to a pool's endpoint.
    fn open(&mut self, now: Moment, pool_key: PoolKey, speech: Speech, is_own: bool) -> ConnKey {
        let pool = &mut self.pools[pool_key];
        let service = &self.services[pool.service].service;
        let (service, timeout) = (service.id, service.policy.timeouts.connect);
        let address = pool.endpoint.spec.address;
        let side = UpstreamSide {
            pool: pool_key,
            service,
            endpoint: pool.endpoint.id,
            address,
            next_stream: 1,
            goaway: None,
            is_retiring: false,
            served: 0,
            has_spoken: false,
            is_own,
            is_introduced: false,
            cancelled: None,
        };
        let conn = self.conns.insert(Conn::new(Role::Upstream(side), Phase::Connecting, speech, now));
        if is_own {
            pool.own.push(conn);
        } else {
            pool.conns.push(conn);
            pool.opening += 1;
        }
        self.actions.push(Action::Connect { conn, address, service });
        self.arm_conn(conn, now + timeout);
        conn
    }

    /// Opens a connection for one exchange, which goes there as soon as it stands.
    pub(super) fn open_own(&mut self, now: Moment, exchange: ExchangeKey, pool: PoolKey) {
        let speech = match self.exchanges[exchange].kind {
            Kind::Tunnel => Speech::Raw,
            Kind::Message | Kind::WebSocket => Speech::Http1(Box::default()),
        };
        let key = self.open(now, pool, speech, true);
        let conn = &mut self.conns[key];
        conn.highest_stream = 1;
        conn.streams.insert(1, exchange);
        self.exchanges[exchange].upstream = Leg::new(Some((key, 1)), 0, i64::from(self.limits.stream_window));
    }

    /// What is to be spoken on a new connection of a pool, which the exchange that waits longest would be the first on: not
    /// known yet where the handshake says so.
    fn speech_for(&self, pool: PoolKey, first: Option<ExchangeKey>) -> Speech {
        let policy = &self.services[self.pools[pool].service].service.policy.upstream;
        match policy.protocol {
            UpstreamProtocol::H1 => Speech::Http1(Box::default()),
            UpstreamProtocol::H2 => Conn::new_http2(false, &self.limits),
            UpstreamProtocol::Auto if policy.transport == Transport::Tls => Speech::Unknown,
            UpstreamProtocol::Auto => self.likely_speech(pool, first),
        }
    }

    /// What the endpoint was found to speak, else what the client of this exchange does; gRPC is HTTP/2.
    pub(super) fn likely_speech(&self, pool: PoolKey, first: Option<ExchangeKey>) -> Speech {
        let first = first.and_then(|e| self.exchanges.get(e));
        let is_grpc = first.is_some_and(|ex| ex.is_grpc);
        let is_http1 = !is_grpc
            && self.pools[pool].is_http1.unwrap_or_else(|| {
                let client = first.and_then(|ex| ex.client.at);
                client.and_then(|(key, _)| self.conns.get(key)).is_some_and(|c| c.http1().is_some())
            });
        if is_http1 { Speech::Http1(Box::default()) } else { Conn::new_http2(false, &self.limits) }
    }

    /// An endpoint's SETTINGS came: its connection takes exchanges from now on.
    pub(super) fn upstream_ready(&mut self, now: Moment, key: ConnKey) {
        let conn = &mut self.conns[key];
        conn.phase = Phase::Open;
        conn.idle_since = now;
        self.count_opened(key);
        let idle = self.timeouts_of(key).idle;
        self.arm_conn(key, now + idle);
        self.serve_pending(now, key);
    }

    /// A connection that was asked for stands.
    pub(super) fn count_opened(&mut self, key: ConnKey) {
        let Some((pool_key, is_own)) = self.conns[key].upstream().map(|u| (u.pool, u.is_own)) else { return };
        let pool = &mut self.pools[pool_key];
        pool.opening -= u32::from(!is_own);
        let endpoint = &pool.endpoint;
        endpoint.stats.cell(self.worker).upstream_opened();
        let service = self.services[pool.service].service.id;
        let (endpoint, address) = (endpoint.id, endpoint.spec.address);
        self.tell(EventKind::UpstreamOpened { service, endpoint, address });
    }

    /// Gives waiting exchanges to a connection as long as it has streams free.
    pub(super) fn serve_pending(&mut self, now: Moment, key: ConnKey) {
        let Some(pool_key) = self.conns.get(key).and_then(Conn::upstream).map(|u| u.pool) else { return };
        let Some(pool) = self.pools.get(pool_key) else { return };
        let most = self.services[pool.service].service.policy.upstream.max_streams;
        while self.conns.get(key).is_some_and(|c| c.free_streams(most) > 0) && !self.is_output_full(key) {
            let Some(exchange) = self.next_pending(pool_key, key) else { break };
            if self.exchanges.has(exchange) {
                self.send_request(now, exchange, key);
            }
        }
        if self.pools.get(pool_key).is_some_and(|p| !p.pending.is_empty()) {
            self.open_if_needed(now, pool_key);
        }
    }

    /// Takes the exchange that has waited longest of those that may go on a connection.
    fn next_pending(&mut self, pool: PoolKey, key: ConnKey) -> Option<ExchangeKey> {
        let (pending, conn) = (&self.pools.get(pool)?.pending, &self.conns[key]);
        let may_go = |&e: &ExchangeKey| self.exchanges.get(e).is_none_or(|ex| self.suits(ex, conn));
        let at = pending.iter().position(may_go)?;
        self.pools[pool].pending.remove(at)
    }

    /// Puts a request on a connection's wire.
    pub(super) fn send_request(&mut self, now: Moment, exchange: ExchangeKey, key: ConnKey) {
        if !self.may_take_websocket(now, exchange, key) {
            return;
        }
        let (conn, ex) = (&mut self.conns[key], &mut self.exchanges[exchange]);
        let window = conn.first_window();
        let policy = self.services[ex.service].service.policy.upstream;
        let Some(upstream) = conn.upstream_mut() else { return };
        let is_own = upstream.is_own;
        let stream = upstream.next_stream;
        upstream.next_stream += 2;
        upstream.served += 1;
        // It takes no more after its last one, and closes when its streams have ended.
        upstream.is_retiring |=
            policy.max_requests_per_connection.is_some_and(|most| upstream.served >= most)
                || upstream.next_stream > MAX_STREAM_ID;
        conn.highest_stream = stream;
        if !is_own {
            conn.streams.insert(stream, exchange);
        }
        let before = conn.figures.bytes_out + conn.output.len() as u64;
        if let Some(http1) = conn.http1_mut() {
            let asked_upgrade = (ex.kind == Kind::WebSocket).then_some(Upgrade::WebSocket);
            http1.to = ResponseTo { is_head: ex.is_head, is_connect: false, asked_upgrade };
            (http1.has_spoken, http1.asked_at) = (false, before);
        }
        conn.figures.exchanges += 1;
        ex.waits_since = None;
        ex.sent = now;
        ex.sent_times += 1;
        ex.upstream = Leg::new(Some((key, stream)), window, i64::from(self.limits.stream_window));
        let has_more = !ex.replay.is_empty() || ex.request_trailers.is_some();
        let has_more = has_more && ex.kind == Kind::Message;
        let put = if ex.kind == Kind::WebSocket {
            self.put_websocket_request(exchange, key, stream)
        } else {
            let is_end = ex.client.is_received && !has_more;
            ex.upstream.is_sent = is_end;
            conn.put_request(stream, is_end, &ex.request, &mut self.store, &mut self.buffers)
        };
        if put.is_err() {
            self.leave_upstream(now, exchange, None);
            self.answer(now, exchange, ExchangeOutcome::BadRequest, 400);
            return;
        }
        self.mark_dirty(key);
        let ex = &mut self.exchanges[exchange];
        if let Some(timeout) = ex.retry.per_try_timeout {
            ex.try_deadline = now + timeout;
            self.arm_exchange(exchange, now + timeout);
        }
        if has_more {
            let ex = &mut self.exchanges[exchange];
            self.backlog_bytes += ex.upstream.backlog.push(&ex.replay);
            ex.upstream.trailers = ex.request_trailers.take();
            ex.upstream.ends_after_backlog = ex.client.is_received;
            if ex.upstream.trailers.is_some() {
                // Trailers are not kept: an exchange that has sent them stays where it is.
                self.stay(exchange);
            }
            self.flush_leg(now, exchange, Side::Upstream);
        }
    }

    /// The pool's exchanges that wait go to other endpoints: this one took no connection.
    pub(super) fn move_pending(&mut self, now: Moment, pool_key: PoolKey) {
        let Some(pool) = self.pools.get_mut(pool_key) else { return };
        for exchange in std::mem::take(&mut pool.pending) {
            if self.exchanges.has(exchange) {
                self.exchanges[exchange].waits_since = None;
                self.move_on(now, exchange, ExchangeOutcome::ConnectFailed);
            }
        }
    }

    /// The pool's exchanges that wait and that none of its connections suits go to other endpoints.
    pub(super) fn move_unsuited(&mut self, now: Moment, pool_key: PoolKey) {
        let Some(pool) = self.pools.get(pool_key).filter(|p| !p.pending.is_empty()) else { return };
        let suits = |ex: &Exchange| {
            let mut conns = pool.conns.iter().filter_map(|&c| self.conns.get(c));
            conns.any(|conn| self.suits(ex, conn))
        };
        let is_unsuited = |&e: &ExchangeKey| self.exchanges.get(e).is_some_and(|ex| !suits(ex));
        let leaving: Vec<_> = pool.pending.iter().copied().filter(is_unsuited).collect();
        self.pools[pool_key].pending.retain(|e| !leaving.contains(e));
        for exchange in leaving {
            if self.exchanges.has(exchange) {
                self.exchanges[exchange].waits_since = None;
                self.move_on(now, exchange, ExchangeOutcome::ConnectFailed);
            }
        }
    }

    /// Exchanges that waited for a stream of a connection that ends in peace are picked for again.
    pub(super) fn redistribute(&mut self, now: Moment, pool: PoolKey) {
        let Some(pool) = self.pools.get_mut(pool) else { return };
        for exchange in std::mem::take(&mut pool.pending) {
            let Some(ex) = self.exchanges.get_mut(exchange) else { continue };
            ex.waits_since = None;
            self.leave_endpoint(exchange);
            self.dispatch(now, exchange);
        }
    }

    /// Tells the balancer what became of an exchange or a connection.
    pub(super) fn report(&mut self, now: Moment, pool: PoolKey, report: Report) {
        let Some(pool) = self.pools.get(pool) else { return };
        let event = self.services[pool.service].balancer.report(now, pool.endpoint.id, report);
        if let Some(event) = event {
            self.tell(event);
        }
    }

    /// Takes a connection out of its pool, which stays: what was open on the connection is still counted there.
    pub(super) fn leave_pool(&mut self, key: ConnKey) {
        let Some(upstream) = self.conns.get(key).and_then(Conn::upstream) else { return };
        let Some(pool) = self.pools.get_mut(upstream.pool) else { return };
        let list = if upstream.is_own { &mut pool.own } else { &mut pool.conns };
        if let Some(place) = list.iter().position(|&c| c == key) {
            list.remove(place);
        }
    }

    /// A pool goes with its last connection if its endpoint is gone.
    pub(super) fn drop_pool_if_done(&mut self, pool_key: PoolKey) {
        let Some(pool) = self.pools.get(pool_key) else { return };
        if pool.is_removed && pool.is_empty() {
            let endpoint = pool.endpoint.id;
            self.pools.remove(pool_key);
            self.pool_of.remove(&endpoint);
        }
    }

    /// Why an upstream of this pool closes when it is no longer needed; `None` while it is.
    pub(super) fn pool_end(&self, pool: PoolKey) -> Option<CloseReason> {
        let pool = self.pools.get(pool)?;
        if self.services[pool.service].is_removed {
            Some(CloseReason::ServiceRemoved)
        } else if pool.is_removed {
            Some(CloseReason::EndpointRemoved)
        } else if pool.endpoint.spec.state != EndpointState::Ready && pool.pending.is_empty() {
            Some(CloseReason::EndpointTerminating)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::EngineSetup;
    use evenkeel_core::id::WorkerIndex;
    use evenkeel_core::limits::Limits;
    use evenkeel_core::stats::WorkerStats;
    use evenkeel_testkit::simulation::one_service;
    use evenkeel_wire::http2::{self, Settings};
    use std::sync::Arc;
    use std::time::Duration;

    const NOW: Moment = Moment::from_nanos(1_000_000_000);

    fn settings(mut before: Vec<u8>) -> Vec<u8> {
        http2::put_settings(&mut before, &Settings::default(), true);
        before
    }

    /// HEADERS that end their stream.
    fn headers(stream: u32, block: &[u8]) -> Vec<u8> {
        [&[0, 0, block.len() as u8, 1, 5], &stream.to_be_bytes()[..], block].concat()
    }

    /// Connections that were asked for, and those that were closed.
    fn acted(engine: &mut Engine) -> (Vec<ConnKey>, Vec<ConnKey>) {
        let (mut actions, mut dirty) = (Vec::new(), Vec::new());
        engine.take_dirty(&mut dirty);
        for key in dirty {
            let n = engine.output(key).len();
            engine.wrote(NOW, key, n);
        }
        engine.take_actions(&mut actions);
        let (mut asked, mut closed) = (Vec::new(), Vec::new());
        for action in actions {
            match action {
                Action::Connect { conn, .. } => asked.push(conn),
                Action::Close { conn, .. } => closed.push(conn),
                Action::Resume { .. } | Action::EndOutput { .. } | Action::Event(_) => {}
            }
        }
        (asked, closed)
    }

    #[test]
    fn the_last_stream_id_is_used_and_then_another_connection() {
        const REQUEST: &[u8] = &[0x83, 0x84, 0x86, 0x41, 1, b'a'];
        const OK: &[u8] = &[0x88];
        let (listener, snapshot) = one_service(1);
        let setup = EngineSetup {
            worker: WorkerIndex(0),
            seed: 1,
            limits: Limits::default(),
            log_interval: Duration::from_secs(300),
            stats: Arc::new(WorkerStats::default()),
            snapshot,
        };
        let mut engine = Engine::new(setup, NOW);
        let client = engine.accept(NOW, listener, ([10, 0, 0, 9], 1).into()).unwrap();
        engine.received(NOW, client, &settings(evenkeel_wire::detect::PREFACE.to_vec()));
        engine.received(NOW, client, &headers(1, REQUEST));
        let (asked, _) = acted(&mut engine);
        let first = asked[0];
        engine.connected(NOW, first);
        engine.received(NOW, first, &settings(Vec::new()));
        // As if half a billion exchanges had gone by.
        let conn = &mut engine.conns[first];
        conn.highest_stream = MAX_STREAM_ID - 2;
        conn.upstream_mut().unwrap().next_stream = MAX_STREAM_ID;
        engine.received(NOW, client, &headers(3, REQUEST));
        assert_eq!(acted(&mut engine), (vec![], vec![]));
        assert!(engine.conns[first].streams.get(MAX_STREAM_ID).is_some());
        engine.received(NOW, client, &headers(5, REQUEST));
        let (asked, closed) = acted(&mut engine);
        assert_eq!((asked.len(), closed.len()), (1, 0), "the next one needs another connection");
        engine.received(NOW, first, &headers(1, OK));
        engine.received(NOW, first, &headers(MAX_STREAM_ID, OK));
        let rotated = matches!(engine.conns[first].phase, Phase::Closing(CloseReason::Rotated));
        assert!(rotated, "the first ends with its last exchange");
        engine.check_invariants().unwrap();
        assert_eq!(engine.open_exchanges(), 1);
    }
}
