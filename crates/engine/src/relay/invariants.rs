//! What must hold between any two calls, for the simulation and the fuzz targets.

use super::Engine;
use super::relief::slow_bytes;
use crate::conn::{Conn, Input, Phase, Reading};
use crate::exchange::{Exchange, Leg};
use crate::keys::ExchangeKey;
use crate::side::Side;
use crate::upstream::Pool;
use evenkeel_core::limits::Limits;
use evenkeel_core::time::Moment;
use evenkeel_wire::http2::MAX_WINDOW;

impl Engine {
    /// Checks the engine against itself. Walks everything: for tests.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn check_invariants(&self) -> Result<(), String> {
        for (key, ex) in self.exchanges.iter() {
            self.check_exchange(key, ex).map_err(|e| format!("exchange {}: {e}", key.index()))?;
        }
        for (key, conn) in self.conns.iter() {
            let check = || {
                self.check_conn_invariants(conn)?;
                self.check_one_message(conn)?;
                self.check_input(conn)
            };
            check().map_err(|e| format!("connection {}: {e}", key.index()))?;
        }
        for (key, pool) in self.pools.iter() {
            self.check_pool_invariants(pool).map_err(|e| format!("pool {}: {e}", key.index()))?;
        }
        self.check_memory()?;
        self.check_counts()
    }

    fn check_exchange(&self, key: ExchangeKey, ex: &Exchange) -> Result<(), String> {
        for side in [Side::Client, Side::Upstream] {
            self.check_leg(key, ex.leg(side), side).map_err(|e| format!("{side:?}: {e}"))?;
        }
        self.check_deadlines(key, ex)?;
        if ex.client.at.is_none() {
            return Err("no client".to_owned());
        }
        let waits = ex.pool.and_then(|p| self.pools.get(p)).is_some_and(|p| p.pending.contains(&key));
        if waits != ex.waits_since.is_some() || (waits && ex.upstream.at.is_some()) {
            return Err("waits in no queue, or in one while it is sent".to_owned());
        }
        let is_ended = ex.upstream.is_received && ex.upstream.is_sent;
        if is_ended && ex.upstream.at.is_some() {
            return Err("holds a stream that has ended both ways".to_owned());
        }
        if !waits && ex.upstream.at.is_none() && !is_ended {
            return Err("is nowhere".to_owned());
        }
        if ex.is_tunnel && ex.client.is_sent && ex.upstream.is_sent {
            return Err("a tunnel of which both sides have ended".to_owned());
        }
        Ok(())
    }

    fn check_leg(&self, key: ExchangeKey, leg: &Leg, side: Side) -> Result<(), String> {
        if self.has_windows(leg) {
            check_windows(leg, &self.limits)?;
        }
        if leg.backlog.is_empty() != (leg.stalled_since == Moment::NEVER) {
            return Err(format!("stalled since {:?}", leg.stalled_since));
        }
        let Some((conn, stream)) = leg.at else { return Ok(()) };
        let conn = self.conns.get(conn).ok_or("its connection is gone")?;
        if conn.streams.get(stream) != Some(key) {
            return Err(format!("its connection does not know stream {stream}"));
        }
        if conn.is_client() != (side == Side::Client) {
            return Err("a stream on the wrong side".to_owned());
        }
        if leg.is_held_back && conn.http2().is_some() {
            return Err("held back in spite of its windows".to_owned());
        }
        if leg.is_held_back && conn.input == Input::Open {
            return Err("held back and read".to_owned());
        }
        Ok(())
    }

    /// Memory as it is counted, and bounded.
    fn check_memory(&self) -> Result<(), String> {
        let legs = || self.exchanges.iter().flat_map(|(_, ex)| [&ex.client, &ex.upstream]);
        let backlog: usize = legs().map(|leg| leg.backlog.held_bytes()).sum();
        if backlog != self.backlog_bytes {
            return Err(format!("{backlog} bytes in backlogs, {} counted", self.backlog_bytes));
        }
        let replay: usize = self.exchanges.iter().map(|(_, ex)| ex.replay.capacity()).sum();
        if replay != self.replay_bytes {
            return Err(format!("{replay} bytes kept to send again, {} counted", self.replay_bytes));
        }
        let granted: usize = legs().map(|leg| leg.window.grown(self.limits.stream_window)).sum();
        if granted != self.granted_credit || granted > self.limits.granted_credit {
            return Err(format!("{granted} bytes of credit granted, {} counted", self.granted_credit));
        }
        let output: usize = self.conns.iter().map(|(_, c)| c.output.held_bytes()).sum();
        if output != self.output_bytes {
            return Err(format!("{output} bytes of outputs, {} counted", self.output_bytes));
        }
        let unread: usize = self.conns.iter().map(|(_, c)| c.unread_bytes()).sum();
        if unread != self.reader_bytes {
            return Err(format!("{unread} bytes of unfinished frames, {} counted", self.reader_bytes));
        }
        let slow: usize = self.conns.iter().map(|(_, c)| slow_bytes(c)).sum();
        let waiting = backlog + replay + slow;
        if waiting > self.limits.buffered_bytes && self.shed_in_vain.is_none() {
            return Err(format!("{waiting} bytes wait, and nothing was shed"));
        }
        let is_empty = self.conns.is_empty() && self.exchanges.is_empty();
        if is_empty && self.store.charged_bytes() != 0 {
            return Err(format!("{} bytes of header fields without an owner", self.store.charged_bytes()));
        }
        if is_empty && self.store.owned_fields() != 0 {
            return Err(format!("{} header fields have owners that are gone", self.store.owned_fields()));
        }
        Ok(())
    }

    /// Sessions, exchanges, retries and places as they are counted.
    fn check_counts(&self) -> Result<(), String> {
        for (index, state) in self.services.iter().enumerate() {
            let of = || self.exchanges.iter().map(|(_, ex)| ex).filter(|ex| ex.service == index);
            let (open, again) = (of().count(), of().filter(|ex| ex.is_retrying).count());
            if (state.exchanges, state.retries.under_way()) != (open, again) {
                return Err(format!("service {index}: {open} exchanges and {again} retries, not so counted"));
            }
        }
        let clients = self.conns.iter().filter(|(_, conn)| conn.is_client()).count();
        if clients != self.clients {
            return Err(format!("{clients} clients, {} counted", self.clients));
        }
        let held = |conn: &Conn| conn.client().map_or(0, |c| c.places_held as usize);
        let places: usize = self.conns.iter().map(|(_, c)| held(c)).sum();
        let cancelled = self.conns.iter().filter_map(|(_, c)| c.upstream()?.cancelled.as_ref());
        let of_clients = cancelled.flat_map(|c| c.clients()).filter(|&c| self.conns.has(c)).count();
        if places != of_clients || !self.cancels.is_empty() {
            return Err(format!("{places} places held of clients, {of_clients} at upstreams"));
        }
        Ok(())
    }

    fn check_pool_invariants(&self, pool: &Pool) -> Result<(), String> {
        let opening = pool.conns.iter().filter(|&&c| {
            self.conns.get(c).is_some_and(|c| c.phase.is_connecting() || c.phase == Phase::Greeting)
        });
        if opening.count() != pool.opening as usize || pool.all().any(|c| !self.conns.has(c)) {
            return Err(format!("{} are being opened, not so in its list", pool.opening));
        }
        let is_own = |c| self.conns.get(c).and_then(Conn::upstream).is_some_and(|u| u.is_own);
        if pool.conns.iter().any(|&c| is_own(c)) || pool.own.iter().any(|&c| !is_own(c)) {
            return Err("a connection stands in the wrong list".to_owned());
        }
        if pool.pending.iter().any(|&e| !self.exchanges.has(e)) {
            return Err("exchanges wait that are gone".to_owned());
        }
        if !pool.pending.is_empty() && !pool.is_watched {
            return Err("exchanges wait and nobody looks at the clock".to_owned());
        }
        if !pool.pending.is_empty() && pool.conns.is_empty() {
            return Err("exchanges wait and nothing is opened".to_owned());
        }
        Ok(())
    }

    /// HTTP/1 and tunnels carry one exchange at a time, and between two nothing of an endpoint is left unread.
    fn check_one_message(&self, conn: &Conn) -> Result<(), String> {
        if conn.http2().is_none() && conn.streams.len() > 1 {
            return Err(format!("{} messages at once", conn.streams.len()));
        }
        let is_idle = conn.is_idle() && conn.phase == Phase::Open && !conn.is_client();
        if is_idle
            && conn.http1().is_some_and(|h| {
                (!h.tail.is_empty() && conn.free_streams(1) > 0) || !matches!(h.reading, Reading::Head)
            })
        {
            let reading = conn.http1().map(|h| (h.reading, h.tail.len()));
            return Err(format!("an idle upstream stands inside a message: {reading:?}"));
        }
        if conn.ends_output && conn.output.is_empty() && !conn.is_closing() && !conn.is_dirty {
            return Err("the end of our side was forgotten".to_owned());
        }
        Ok(())
    }

    /// A connection that is not read has a reason, which will pass.
    fn check_input(&self, conn: &Conn) -> Result<(), String> {
        if conn.input != Input::Paused || conn.is_closing() {
            return Ok(());
        }
        let has_unread = conn.http1().is_some_and(|h| !h.tail.is_empty() && !conn.is_idle());
        let side = conn.side();
        let is_held_back = conn
            .streams
            .iter()
            .any(|(_, exchange)| self.exchanges.get(exchange).is_some_and(|ex| ex.leg(side).is_held_back));
        let will_go_on = has_unread || is_held_back;
        if will_go_on {
            Ok(())
        } else {
            Err(format!("is not read, for no reason: {:?}, {} streams", conn.phase, conn.streams.len()))
        }
    }

    /// Whether a leg's connection has windows.
    fn has_windows(&self, leg: &Leg) -> bool {
        leg.at.is_none_or(|(conn, _)| self.conns.get(conn).is_some_and(|c| c.http2().is_some()))
    }

    /// Whoever has a deadline is woken for it, and nothing is kept to send an exchange again that has to stay.
    fn check_deadlines(&self, key: ExchangeKey, ex: &Exchange) -> Result<(), String> {
        let client = ex.client.at.and_then(|(conn, _)| self.conns.get(conn)?.client());
        for at in [ex.deadline, ex.try_deadline].into_iter().filter(|&at| at != Moment::NEVER) {
            if client.is_some_and(|c| !c.deadlines.has(at, key)) {
                return Err("a deadline that nobody is woken for".to_owned());
            }
        }
        if !ex.is_replayable && !ex.replay.is_empty() {
            return Err("a body is kept that is not sent again".to_owned());
        }
        if ex.is_answered && (ex.is_replayable || ex.is_retrying || ex.try_deadline != Moment::NEVER) {
            return Err("an answered one may go elsewhere".to_owned());
        }
        Ok(())
    }

    fn check_conn_invariants(&self, conn: &Conn) -> Result<(), String> {
        let side = conn.side();
        for (stream, exchange) in conn.streams.iter() {
            let ex = self.exchanges.get(exchange).ok_or(format!("stream {stream} has no exchange"))?;
            if ex.leg(side).at.is_none_or(|(_, s)| s != stream) {
                return Err(format!("stream {stream} is not known to its exchange"));
            }
        }
        // A DATA frame's header and the control frames come on top of the mark.
        let most = self.limits.output_high + 2 * self.limits.control_output + 64 * 1024;
        if conn.output.len() > most {
            return Err(format!("{} bytes of output", conn.output.len()));
        }
        if conn.is_closing() && !conn.streams.is_empty() {
            return Err("closing with streams".to_owned());
        }
        if !conn.output.is_empty() && !conn.is_dirty && conn.stalled_since.is_none() {
            return Err("output that nobody will flush".to_owned());
        }
        let has_blocked = conn.blocked.iter().any(|&e| {
            self.exchanges.get(e).is_some_and(|e| e.leg(side).is_blocked && !e.leg(side).backlog.is_empty())
        });
        let could_go =
            conn.send_window > 0 && conn.output.len() <= self.limits.output_low && !conn.is_closing();
        if has_blocked && could_go && conn.output.is_empty() {
            return Err("streams wait though window and output have room".to_owned());
        }
        Ok(())
    }
}

/// Every byte of a stream's window is with the peer, on its way through, or owed to the peer.
fn check_windows(leg: &Leg, limits: &Limits) -> Result<(), String> {
    if leg.receive_window < 0 || leg.receive_window > i64::from(leg.window.size()) {
        return Err(format!("receive window {}", leg.receive_window));
    }
    if leg.send_window > i64::from(MAX_WINDOW) {
        return Err(format!("send window {}", leg.send_window));
    }
    let held = leg.receive_window + i64::from(leg.uncredited) + i64::from(leg.owed_credit);
    if leg.at.is_some() && !leg.is_received && held != i64::from(leg.window.size()) {
        return Err(format!("{held} bytes of a window of {}", leg.window.size()));
    }
    if leg.window.size() > limits.most_stream_window.max(limits.stream_window) {
        return Err(format!("a window of {}", leg.window.size()));
    }
    Ok(())
}
