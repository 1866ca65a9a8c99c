//! Deadlines: what the wheel wakes is compared with what holds now.

use super::close::LAST_BYTES;
use super::{Engine, Wake};
use crate::conn::{Conn, GoAwaySent, Phase, Speech};
use crate::keys::{ConnKey, ExchangeKey, PoolKey};
use evenkeel_core::balancer::Report;
use evenkeel_core::endpoint::EndpointState;
use evenkeel_core::event::EventKind;
use evenkeel_core::policy::{ListenerProtocol, Timeouts};
use evenkeel_core::reason::{CloseReason, ExchangeOutcome, Limit, RetryReason};
use evenkeel_core::stats::MemoryPart;
use evenkeel_core::time::Moment;
use evenkeel_wire::http2::ErrorCode;
use std::time::Duration;

/// Longest time that a client may take to answer the PING of a drain.
pub(super) const PING_WAIT: Duration = Duration::from_secs(1);

/// Time without an exchange after which a connection gives back the memory that only work needs.
pub(super) const REST: Duration = Duration::from_secs(10);

impl Engine {
    /// Fires what is due.
    pub fn tick(&mut self, now: Moment) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.advance(now, &mut due);
        for wake in due.drain(..) {
            match wake {
                Wake::Conn(key) => self.check_conn(now, key),
                Wake::Pending(key) => self.check_pending(now, key),
                Wake::Pool(key) => self.check_pool(now, key),
                Wake::DrainDeadline => self.cut_drain(now),
            }
        }
        self.due = due;
        self.relieve(now);
    }

    /// Publishes what memory goes to; walks all connections, so not for every turn.
    pub fn publish_memory(&self) {
        for (part, bytes) in MemoryPart::ALL.iter().zip(self.memory()) {
            self.stats.set_memory(*part, bytes);
        }
    }

    fn check_conn(&mut self, now: Moment, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        if now < conn.armed {
            // An earlier deadline was armed and has moved since.
            return;
        }
        conn.armed = Moment::NEVER;
        let mut next = self.check_requests(now, key).min(self.check_places(now, key));
        next = next.min(self.check_stalls(now, key));
        if !self.conns.has(key) {
            return;
        }
        let timeouts = self.timeouts_of(key);
        let detect_timeout = self.detect_timeout_of(key);
        let last_bytes = self.last_bytes(key, &timeouts);
        let conn = &self.conns[key];
        let mut is_over = |since: Option<Moment>, most: Duration| {
            let Some(at) = since.map(|s| s + most) else { return false };
            if at > now {
                next = next.min(at);
            }
            at <= now
        };
        let is_opening = matches!(conn.phase, Phase::Connecting | Phase::Greeting);
        let is_securing = matches!(conn.phase, Phase::Securing | Phase::Handshaking);
        let idle_since = conn.is_idle().then_some(conn.idle_since);
        let reason = match conn.phase {
            Phase::Closing(reason) => {
                // Once a drain's deadline is over, a peer that takes a byte now and then is not waited for either.
                let taken = conn.stalled_since.filter(|_| !self.is_drain_cut());
                let since = taken.unwrap_or(conn.idle_since);
                if is_over(Some(since), last_bytes) {
                    self.remove_conn(now, key, reason, Some(false));
                    return;
                }
                None
            }
            Phase::Detecting if detect_timeout.is_some_and(|most| is_over(Some(conn.idle_since), most)) => {
                self.waited_for_first_bytes(now, key);
                return;
            }
            Phase::Detecting | Phase::Greeting if conn.is_client() => {
                is_over(Some(conn.idle_since), timeouts.header).then_some(CloseReason::HeaderTimeout)
            }
            _ if is_securing => is_over(Some(conn.idle_since), timeouts.tls_handshake)
                .then_some(CloseReason::TlsHandshakeTimeout),
            _ if is_opening => {
                is_over(Some(conn.opened), timeouts.connect).then_some(CloseReason::ConnectTimeout)
            }
            _ if is_over(conn.header_since, timeouts.header) => Some(CloseReason::HeaderTimeout),
            _ if is_over(conn.stalled_since, timeouts.send) => Some(CloseReason::SendTimeout),
            _ if is_over(conn.http2().and_then(|h| h.settings_sent), self.limits.settings_ack) => {
                Some(CloseReason::SettingsTimeout)
            }
            _ if is_over(idle_since, timeouts.idle) => Some(CloseReason::IdleTimeout),
            _ => None,
        };
        let is_at_rest = matches!(conn.phase, Phase::Open) && is_over(idle_since, REST);
        let announced = match conn.goaway_sent() {
            GoAwaySent::Announced(at) => Some(at),
            GoAwaySent::No | GoAwaySent::Final(_) => None,
        };
        let was_heard = is_over(announced, PING_WAIT);
        let recorded = conn.client().filter(|_| conn.phase == Phase::Open).map(|c| c.recorded);
        let wants_record = is_over(recorded, self.log_interval);
        if reason == Some(CloseReason::HeaderTimeout) && self.refuse_slow_head(now, key) {
            return;
        }
        if let Some(reason) = reason {
            let goaway = match reason {
                CloseReason::IdleTimeout | CloseReason::ConnectTimeout => ErrorCode::NoError,
                CloseReason::SettingsTimeout => ErrorCode::SettingsTimeout,
                _ => ErrorCode::EnhanceYourCalm,
            };
            self.end_conn(now, key, reason, Some(goaway));
            return;
        }
        if is_at_rest {
            let conn = &mut self.conns[key];
            conn.rest(&mut self.store);
        }
        if wants_record {
            self.record(now, key);
            next = next.min(now + self.log_interval);
        }
        if was_heard {
            self.finish_announcement(now, key);
        }
        if next != Moment::NEVER && self.conns.has(key) {
            self.arm_conn(key, next);
        }
    }

    /// How long a client of a listener that takes everything may be silent before it is a tunnel's.
    pub(super) fn detect_timeout_of(&self, key: ConnKey) -> Option<Duration> {
        let client = self.conns[key].client().filter(|_| self.conns[key].phase == Phase::Detecting)?;
        if client.awaits_proxy_header {
            return None;
        }
        let policy = &self.snapshot.listener(client.listener.id).unwrap_or(&client.listener).policy;
        // One that has agreed on a protocol is no tunnel's.
        let has_agreed = client.secured.as_ref().is_some_and(|secured| secured.alpn.is_some());
        (policy.protocol == ListenerProtocol::Auto && !has_agreed).then_some(policy.detect_timeout)
    }

    /// Longest time that a closing connection's peer may take nothing of its last bytes: those of a tunnel or an HTTP/1
    /// answer are as good as those before.
    fn last_bytes(&self, key: ConnKey, timeouts: &Timeouts) -> Duration {
        let is_content =
            matches!(self.conns[key].speech, Speech::Raw | Speech::Http1(_)) && !self.is_drain_cut();
        if is_content { timeouts.send.max(LAST_BYTES) } else { LAST_BYTES }
    }

    /// The record of a session that goes on.
    fn record(&mut self, now: Moment, key: ConnKey) {
        let conn = &mut self.conns[key];
        conn.figures.age = now.since(conn.opened);
        let figures = conn.figures;
        let Some(client) = conn.client_mut() else { return };
        client.recorded = now;
        let (listener, peer, session) = (client.listener.id, client.peer, client.session);
        let protocol = client.protocol;
        self.tell(EventKind::SessionGoesOn { listener, peer, session, protocol, figures });
    }

    /// Wakes the client's connection when this deadline of one of its exchanges comes. The connection's timer stands for
    /// all its exchanges: they leave nothing on the wheel when they end.
    pub(super) fn arm_exchange(&mut self, exchange: ExchangeKey, at: Moment) {
        let Some((key, _)) = self.exchanges[exchange].client.at else { return };
        let conn = &mut self.conns[key];
        let open = conn.streams.len();
        if let Some(client) = conn.client_mut() {
            let exchanges = &self.exchanges;
            let holds = |at, exchange| exchanges.get(exchange).is_some_and(|ex| ex.has_deadline(at));
            client.deadlines.add(at, exchange, open, holds);
        }
        self.arm_conn(key, at);
    }

    /// Ends the exchanges of a client whose time is over, or their tries; when the next one's is.
    fn check_requests(&mut self, now: Moment, key: ConnKey) -> Moment {
        // The end of one may end the connection, and with it the others.
        while let Some(client) = self.conns.get_mut(key).and_then(Conn::client_mut) {
            let Some((at, exchange)) = client.deadlines.first() else { break };
            let holds = self.exchanges.get(exchange).is_some_and(|ex| ex.has_deadline(at));
            if holds && at > now {
                return at;
            }
            client.deadlines.drop_first();
            if holds {
                self.ran_out(now, exchange);
            }
        }
        Moment::NEVER
    }

    /// The time of an exchange, or of its try, is over.
    fn ran_out(&mut self, now: Moment, exchange: ExchangeKey) {
        let ex = &mut self.exchanges[exchange];
        if ex.is_tunnel {
            return self.tunnel_due(now, exchange);
        }
        if ex.deadline <= now {
            self.fail(now, exchange, ExchangeOutcome::RequestTimeout);
            return;
        }
        ex.try_deadline = Moment::NEVER;
        if let Some(pool) = ex.pool {
            self.report(now, pool, Report::Failed);
        }
        if !self.try_again(now, exchange, RetryReason::Timeout) {
            self.fail(now, exchange, ExchangeOutcome::TryTimeout);
        }
    }

    /// Those at the front of a pool's queue may have waited long enough.
    fn check_pending(&mut self, now: Moment, key: PoolKey) {
        if let Some(pool) = self.pools.get_mut(key) {
            pool.is_watched = false;
        }
        // The end of one may free the place of another, or end the pool.
        while let Some(pool) = self.pools.get_mut(key) {
            let Some(&first) = pool.pending.front() else { return };
            let most = self.services[pool.service].service.policy.upstream.pending_timeout;
            let since = self.exchanges.get(first).and_then(|ex| ex.waits_since);
            let over = since.map(|since| since + most);
            if let Some(over) = over.filter(|&over| over > now) {
                if !std::mem::replace(&mut pool.is_watched, true) {
                    self.wheel.arm(over, Wake::Pending(key));
                }
                return;
            }
            pool.pending.pop_front();
            if let Some(since) = since {
                self.waited_too_long(now, first, key, since);
            }
        }
    }

    /// An exchange got no stream in time. An endpoint that takes no connection is as good as one that refuses it:
    /// the exchange goes to another one.
    fn waited_too_long(&mut self, now: Moment, key: ExchangeKey, pool_key: PoolKey, since: Moment) {
        self.exchanges[key].waits_since = None;
        let pool = &mut self.pools[pool_key];
        if pool.conns.len() == pool.opening as usize {
            // All who waited meanwhile waited for the same connection: it fails the endpoint once.
            if since >= pool.blamed_until {
                pool.blamed_until = now;
                self.report(now, pool_key, Report::Failed);
            }
            self.move_on(now, key, ExchangeOutcome::ConnectFailed);
        } else {
            self.stats.refused(Limit::Pending);
            self.fail(now, key, ExchangeOutcome::PendingTimeout);
        }
    }

    /// The drain deadline of an endpoint that is going or gone: what is left on it is cut.
    fn check_pool(&mut self, now: Moment, key: PoolKey) {
        let Some(pool) = self.pools.get(key).filter(|p| p.leaves_at <= now) else { return };
        let reason = match (pool.is_removed, pool.endpoint.spec.state) {
            (true, _) => CloseReason::EndpointRemoved,
            (false, EndpointState::Ready) => return,
            (false, _) => CloseReason::EndpointTerminating,
        };
        for conn in pool.all().collect::<Vec<_>>() {
            if self.end_websockets_of(now, conn, reason) {
                continue;
            }
            self.end_conn(now, conn, reason, Some(ErrorCode::NoError));
        }
    }
}
