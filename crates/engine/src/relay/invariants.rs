//! What must hold between any two calls, for the simulation and the fuzz targets.

use super::Engine;
use super::relief::slow_bytes;
use crate::conn::{Conn, Phase};
use crate::exchange::{Exchange, Leg, Side};
use crate::keys::ExchangeKey;
use evenkeel_core::limits::Limits;
use evenkeel_core::time::Moment;
use evenkeel_wire::http2::MAX_WINDOW;

impl Engine {
    /// Checks the engine against itself. Walks everything: for tests.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn check_invariants(&self) -> Result<(), String> {
        let (mut backlog_bytes, mut replay_bytes, mut granted_credit) = (0, 0, 0);
        for (key, ex) in self.exchanges.iter() {
            replay_bytes += ex.replay.capacity();
            for side in [Side::Client, Side::Upstream] {
                let leg = ex.leg(side);
                backlog_bytes += leg.backlog.held_bytes();
                granted_credit += leg.window.grown(self.limits.stream_window);
                let at = format!("exchange {} {side:?}", key.index());
                if self.has_windows(leg) {
                    check_windows(leg, &self.limits).map_err(|e| format!("{at}: {e}"))?;
                }
                if leg.backlog.is_empty() != (leg.stalled_since == Moment::NEVER) {
                    return Err(format!("{at}: stalled since {:?}", leg.stalled_since));
                }
                let Some((conn, stream)) = leg.at else { continue };
                let conn = self.conns.get(conn).ok_or(format!("{at}: its connection is gone"))?;
                if conn.streams.get(stream) != Some(key) {
                    return Err(format!("{at}: its connection does not know stream {stream}"));
                }
                if conn.is_client() != (side == Side::Client) {
                    return Err(format!("{at}: a stream on the wrong side"));
                }
            }
            self.check_deadlines(key, ex).map_err(|e| format!("exchange {}: {e}", key.index()))?;
            if ex.client.at.is_none() {
                return Err(format!("exchange {} has no client", key.index()));
            }
            let waits = ex.pool.and_then(|p| self.pools.get(p)).is_some_and(|p| p.pending.contains(&key));
            if waits != ex.waits_since.is_some() || (waits && ex.upstream.at.is_some()) {
                return Err(format!(
                    "exchange {} waits in no queue, or in one while it is sent",
                    key.index()
                ));
            }
            let is_ended = ex.upstream.is_received && ex.upstream.is_sent;
            if is_ended && ex.upstream.at.is_some() {
                return Err(format!("exchange {} holds a stream that has ended both ways", key.index()));
            }
            if !waits && ex.upstream.at.is_none() && !is_ended {
                return Err(format!("exchange {} is nowhere", key.index()));
            }
        }
        if backlog_bytes != self.backlog_bytes {
            return Err(format!("{backlog_bytes} bytes in backlogs, {} counted", self.backlog_bytes));
        }
        if replay_bytes != self.replay_bytes {
            return Err(format!("{replay_bytes} bytes kept to send again, {} counted", self.replay_bytes));
        }
        if granted_credit != self.granted_credit || granted_credit > self.limits.granted_credit {
            return Err(format!("{granted_credit} bytes of credit granted, {} counted", self.granted_credit));
        }
        let output_bytes: usize = self.conns.iter().map(|(_, c)| c.output.held_bytes()).sum();
        if output_bytes != self.output_bytes {
            return Err(format!("{output_bytes} bytes of outputs, {} counted", self.output_bytes));
        }
        let reader_bytes: usize = self.conns.iter().map(|(_, c)| c.unread_bytes()).sum();
        if reader_bytes != self.reader_bytes {
            return Err(format!("{reader_bytes} bytes of unfinished frames, {} counted", self.reader_bytes));
        }
        let slow: usize = self.conns.iter().map(|(_, c)| slow_bytes(c)).sum();
        let waiting = backlog_bytes + replay_bytes + slow;
        if waiting > self.limits.buffered_bytes && self.shed_in_vain.is_none() {
            return Err(format!("{waiting} bytes wait, and nothing was shed"));
        }
        for (index, state) in self.services.iter().enumerate() {
            let of = |ex: &&Exchange| ex.service == index;
            let open = self.exchanges.iter().map(|(_, ex)| ex).filter(of).count();
            let again =
                self.exchanges.iter().map(|(_, ex)| ex).filter(of).filter(|ex| ex.is_retrying).count();
            if (state.exchanges, state.retries.under_way()) != (open, again) {
                return Err(format!("service {index}: {open} exchanges and {again} retries, not so counted"));
            }
        }
        let mut clients = 0;
        for (key, conn) in self.conns.iter() {
            clients += usize::from(conn.is_client());
            self.check_conn_invariants(conn).map_err(|e| format!("connection {}: {e}", key.index()))?;
        }
        if clients != self.clients {
            return Err(format!("{clients} clients, {} counted", self.clients));
        }
        let held = |conn: &Conn| conn.client().map_or(0, |c| c.places_held as usize);
        let places: usize = self.conns.iter().map(|(_, c)| held(c)).sum();
        let cancelled = self.conns.iter().filter_map(|(_, c)| c.upstream());
        let of_clients = cancelled.flat_map(|u| u.cancelled.clients()).filter(|&c| self.conns.has(c)).count();
        if places != of_clients || !self.cancels.is_empty() {
            return Err(format!("{places} places held of clients, {of_clients} at upstreams"));
        }
        for (key, pool) in self.pools.iter() {
            let opening = pool.conns.iter().filter(|&&c| {
                self.conns.get(c).is_some_and(|c| c.phase.is_connecting() || c.phase == Phase::Greeting)
            });
            if opening.count() != pool.opening as usize || pool.conns.iter().any(|&c| !self.conns.has(c)) {
                return Err(format!(
                    "pool {}: {} are being opened, not so in its list",
                    key.index(),
                    pool.opening
                ));
            }
            if pool.pending.iter().any(|&e| !self.exchanges.has(e)) {
                return Err(format!("pool {}: exchanges wait that are gone", key.index()));
            }
            if !pool.pending.is_empty() && !pool.is_watched {
                return Err(format!("pool {}: exchanges wait and nobody looks at the clock", key.index()));
            }
            if !pool.pending.is_empty() && pool.conns.is_empty() {
                return Err(format!("pool {}: exchanges wait and nothing is opened", key.index()));
            }
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
