//! Bodies: both ways under both sides' windows (`windows`) or as fast as the receiver takes them, and trailers behind
//! them.

use super::Engine;
use crate::conn::Input;
use crate::exchange::Kind;
use crate::keys::{ConnKey, ExchangeKey};
use crate::side::Side;
use evenkeel_core::reason::{CloseReason, ExchangeOutcome, Limit};
use evenkeel_core::time::Moment;
use evenkeel_wire::hpack::HeaderList;
use evenkeel_wire::http2::ErrorCode;

/// Why no more of a stream's data leaves now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// All has left.
    Done,
    /// The stream's own window: its WINDOW_UPDATE goes on.
    Stream,
    /// The connection's window or its output: `pump` goes on.
    Connection,
}

impl Engine {
    /// A part of a DATA frame from either peer.
    pub(super) fn data(
        &mut self,
        now: Moment,
        key: ConnKey,
        stream: u32,
        payload: &[u8],
        flow_bytes: u32,
        is_end: bool,
    ) {
        let conn = &mut self.conns[key];
        let (http2, output) = conn.http2_and_output();
        if http2.is_some_and(|h| h.took(now, flow_bytes, &self.limits, output, &mut self.buffers)) {
            self.mark_dirty(key);
        }
        let conn = &self.conns[key];
        let side = conn.side();
        let Some(exchange) = conn.streams.get(stream) else {
            self.data_of_no_stream(now, key, stream, is_end);
            return;
        };
        let leg = self.exchanges[exchange].leg_mut(side);
        leg.receive_window -= i64::from(flow_bytes);
        if leg.is_received {
            self.reset_by_fault(now, exchange, side, ErrorCode::StreamClosed);
        } else if leg.receive_window < 0 {
            self.reset_by_fault(now, exchange, side, ErrorCode::FlowControlError);
        } else {
            // Padding leaves at once.
            leg.owed_credit += flow_bytes - payload.len() as u32;
            self.body(now, exchange, side, payload, is_end);
        }
    }

    /// A part of a body whose end has not come, from either peer.
    pub(super) fn body(
        &mut self,
        now: Moment,
        exchange: ExchangeKey,
        side: Side,
        payload: &[u8],
        is_end: bool,
    ) {
        let ex = &mut self.exchanges[exchange];
        let (is_answered, is_websocket) = (ex.is_answered, ex.websocket.is_some());
        ex.heard = now;
        let leg = ex.leg_mut(side);
        let announced = leg.announced.map(|left| left.checked_sub(payload.len() as u64));
        if announced == Some(None)
            || (is_end && announced.is_some_and(|left| left != Some(0)))
            || (side == Side::Upstream && !is_answered)
        {
            self.reset_by_fault(now, exchange, side, ErrorCode::ProtocolError);
            return;
        }
        leg.announced = announced.flatten();
        leg.is_received = is_end;
        leg.uncredited += payload.len() as u32;
        if side == Side::Upstream && ex.events.is_some() {
            self.count_events(exchange, payload);
        }
        if side == Side::Client && !self.admit_body(now, exchange, payload.len()) {
            return;
        }
        if payload.is_empty() && !is_end {
            // An empty frame means nothing to the other side, which might count it as an attack.
            self.credit(now, exchange, side, 0);
        } else if is_websocket {
            self.websocket_bytes(now, exchange, side, payload, is_end);
        } else if self.exchanges[exchange].web.is_some() {
            self.forward_web(now, exchange, side, payload, is_end);
        } else {
            self.forward(now, exchange, side, payload, is_end);
        }
        self.hold_back(exchange, side);
        if is_end && side == Side::Upstream {
            self.free_upstream_if_ended(now, exchange);
        }
    }

    /// Whether a request's body stays within its route's limit; if not, the client is told so.
    fn admit_body(&mut self, now: Moment, exchange: ExchangeKey, bytes: usize) -> bool {
        let ex = &mut self.exchanges[exchange];
        let Some(left) = ex.body_left else { return true };
        ex.body_left = left.checked_sub(bytes as u64);
        if ex.body_left.is_none() {
            self.stats.refused(Limit::RequestBodyBytes);
            self.fail(now, exchange, ExchangeOutcome::BodyTooLarge);
            return false;
        }
        true
    }

    /// Where there is no window, a peer is held back by not reading from it.
    fn hold_back(&mut self, exchange: ExchangeKey, side: Side) {
        let Some(ex) = self.exchanges.get_mut(exchange) else { return };
        let is_kept = side == Side::Client && (ex.upstream.at.is_none() || ex.awaits_tunnel());
        let leg = ex.leg_mut(side);
        let Some((key, _)) = leg.at else { return };
        let waits = leg.uncredited as usize;
        if waits == 0 || leg.is_received || !(is_kept || waits > self.limits.tunnel_bytes) {
            return;
        }
        let conn = &mut self.conns[key];
        if conn.http2().is_none() && conn.input == Input::Open {
            leg.is_held_back = true;
            conn.input = Input::Paused;
        }
    }

    /// An upstream stream that has ended both ways makes room, even while the client is still reading.
    pub(super) fn free_upstream_if_ended(&mut self, now: Moment, exchange: ExchangeKey) {
        let Some(ex) = self.exchanges.get(exchange) else { return };
        if ex.upstream.is_sent && ex.upstream.is_received && ex.upstream.at.is_some() {
            self.leave_upstream(now, exchange, None);
            self.settle(now);
        }
    }

    /// The upstream stream is gone, but the whole answer is here: the client gets it, and the rest of the request is
    /// dropped (RFC 9113 §8.1). False if the answer is not whole.
    pub(super) fn keep_answer(&mut self, now: Moment, exchange: ExchangeKey) -> bool {
        let leg = &mut self.exchanges[exchange].upstream;
        if !leg.is_received {
            return false;
        }
        leg.at = None;
        leg.is_sent = true;
        self.leave_upstream(now, exchange, None);
        if self.exchanges[exchange].is_tunnel {
            // The client may have its whole answer, and what it still sends has nowhere to go.
            self.end_if_answered(now, exchange);
        }
        true
    }

    /// DATA of a stream that has ended, or never began.
    fn data_of_no_stream(&mut self, now: Moment, key: ConnKey, stream: u32, is_end: bool) {
        let conn = &self.conns[key];
        if conn.is_unopened(stream) {
            let (code, reason) = (ErrorCode::ProtocolError, CloseReason::ProtocolError);
            self.refuse_peer(now, key, code, reason, "data on a stream that was not opened");
        } else if conn.is_client()
            && conn.http2().is_some_and(|h| !h.reset_lately.contains(&stream))
            && !conn.is_past_goaway(stream)
        {
            self.refuse_stream(now, key, stream, ErrorCode::StreamClosed);
        } else if is_end {
            self.unheard_stream_ended(now, key, stream, false);
        }
    }

    /// Passes a part of a body on to the other peer.
    pub(super) fn forward(
        &mut self,
        now: Moment,
        exchange: ExchangeKey,
        from: Side,
        payload: &[u8],
        is_end: bool,
    ) {
        let ex = &mut self.exchanges[exchange];
        if from == Side::Client && ex.is_replayable {
            // A tunnel's client is not read again before its endpoint has what came so far.
            if ex.replay.len() + payload.len() <= self.limits.replay_bytes || ex.kind == Kind::Tunnel {
                if ex.replay.capacity() == 0 {
                    ex.replay = self.spares.take_body();
                    self.replay_bytes += ex.replay.capacity();
                }
                let before = ex.replay.capacity();
                ex.replay.extend_from_slice(payload);
                self.replay_bytes += ex.replay.capacity() - before;
            } else if ex.upstream.at.is_some() && !ex.awaits_tunnel() {
                self.stay(exchange);
            } else {
                self.stats.refused(Limit::BufferedBytes);
                self.fail(now, exchange, ExchangeOutcome::Shed);
                return;
            }
        }
        let to = from.other();
        let ex = &mut self.exchanges[exchange];
        let awaits_tunnel = ex.awaits_tunnel();
        let leg = ex.leg_mut(to);
        let Some((key, stream)) = leg.at.filter(|_| !awaits_tunnel) else {
            // It waits for a connection; what came is in `replay`.
            return;
        };
        let mut sent = 0;
        if leg.backlog.is_empty() {
            let conn = &mut self.conns[key];
            let mut window = leg.send_window.min(conn.send_window).max(0) as usize;
            window = window.min(self.limits.output_high.saturating_sub(conn.output.len()));
            if payload.len() <= window {
                conn.put_body(stream, payload, is_end, &mut self.buffers);
                leg.send_window -= payload.len() as i64;
                leg.is_sent = is_end;
                self.mark_dirty(key);
                self.credit(now, exchange, from, payload.len() as u32);
                if is_end {
                    self.sent_end(now, exchange, to);
                }
                return;
            }
            if window > 0 {
                conn.put_body(stream, &payload[..window], false, &mut self.buffers);
                leg.send_window -= window as i64;
                sent = window;
                self.mark_dirty(key);
            }
        }
        let rest = &payload[sent..];
        let leg = self.exchanges[exchange].leg_mut(to);
        self.backlog_bytes += leg.backlog.push(rest);
        leg.ends_after_backlog = is_end;
        self.credit(now, exchange, from, sent as u32);
        self.flush_leg(now, exchange, to);
    }

    /// Passes trailers on, behind what still waits.
    pub(super) fn forward_trailers(
        &mut self,
        now: Moment,
        exchange: ExchangeKey,
        from: Side,
        list: HeaderList,
    ) {
        let to = from.other();
        let list = match to {
            Side::Client if self.exchanges[exchange].web.is_some() => {
                match self.end_web_body(now, exchange, list) {
                    Some(list) => list,
                    None => return,
                }
            }
            _ => list,
        };
        let ex = &mut self.exchanges[exchange];
        if ex.leg(to).at.is_none() {
            ex.request_trailers = Some(Box::new(list));
            return;
        }
        if to == Side::Upstream {
            // Trailers are not kept.
            self.stay(exchange);
        }
        let leg = self.exchanges[exchange].leg_mut(to);
        if leg.backlog.is_empty() {
            self.put_trailers(now, exchange, to, list);
        } else {
            leg.trailers = Some(Box::new(list));
            leg.ends_after_backlog = true;
        }
    }

    fn put_trailers(&mut self, now: Moment, exchange: ExchangeKey, to: Side, list: HeaderList) {
        let leg = self.exchanges[exchange].leg_mut(to);
        leg.is_sent = true;
        if let Some((key, stream)) = leg.at {
            self.conns[key].put_trailers(stream, &list, &mut self.store, &mut self.buffers);
            self.mark_dirty(key);
        }
        self.give_list(list);
        self.sent_end(now, exchange, to);
    }

    /// One of our sides has just ended.
    fn sent_end(&mut self, now: Moment, exchange: ExchangeKey, to: Side) {
        match to {
            Side::Client => self.end_if_answered(now, exchange),
            Side::Upstream => {
                self.free_upstream_if_ended(now, exchange);
                if self.exchanges.get(exchange).is_some_and(|ex| ex.is_tunnel) {
                    self.end_if_answered(now, exchange);
                }
            }
        }
    }

    /// Sends what it may of a leg's backlog, then its trailers or end.
    pub(super) fn flush_leg(&mut self, now: Moment, exchange: ExchangeKey, side: Side) {
        let (stop, sent) = self.drain_backlog(exchange, side, usize::MAX);
        self.after_flush(now, exchange, side, stop, sent);
    }

    /// Moves up to `most` bytes of a backlog to its connection's output.
    fn drain_backlog(&mut self, exchange: ExchangeKey, side: Side, most: usize) -> (Stop, usize) {
        let leg = self.exchanges[exchange].leg_mut(side);
        let Some((key, stream)) = leg.at else { return (Stop::Done, 0) };
        let conn = &mut self.conns[key];
        let room = self.limits.output_high.saturating_sub(conn.output.len());
        let window = leg.send_window.min(conn.send_window).max(0) as usize;
        let n = leg.backlog.len().min(window).min(room).min(most);
        let ends_here =
            n == leg.backlog.len() && leg.ends_after_backlog && leg.trailers.is_none() && !leg.is_sent;
        if n > 0 || (ends_here && leg.backlog.is_empty()) {
            conn.put_body(stream, leg.backlog.front(n), ends_here, &mut self.buffers);
            leg.send_window -= n as i64;
            self.backlog_bytes -= leg.backlog.drop_front(n);
            leg.is_sent |= ends_here;
        }
        let stop = if leg.backlog.is_empty() {
            Stop::Done
        } else if leg.send_window <= 0 {
            Stop::Stream
        } else {
            Stop::Connection
        };
        if n > 0 || ends_here {
            self.mark_dirty(key);
        }
        (stop, n)
    }

    fn after_flush(&mut self, now: Moment, exchange: ExchangeKey, side: Side, stop: Stop, sent: usize) {
        self.credit(now, exchange, side.other(), sent as u32);
        self.watch_stall(now, exchange, side, sent);
        let leg = self.exchanges[exchange].leg_mut(side);
        match stop {
            Stop::Done => {
                if let Some(list) = leg.trailers.take() {
                    self.put_trailers(now, exchange, side, *list);
                } else if leg.is_sent {
                    self.sent_end(now, exchange, side);
                }
            }
            Stop::Stream => {}
            Stop::Connection => {
                if let Some((key, _)) = leg.at
                    && !leg.is_blocked
                {
                    leg.is_blocked = true;
                    let conn = &mut self.conns[key];
                    conn.blocked.push_back(exchange);
                    // Exchanges that ended while they stood here are passed over; they must not pile up.
                    if conn.blocked.len() > 2 * conn.streams.len() + LEAST_BLOCKED {
                        conn.blocked.retain(|&e| self.exchanges.has(e));
                    }
                }
            }
        }
    }

    /// Lets the exchanges that wait for this connection go on, a frame each in turn.
    pub(super) fn pump(&mut self, now: Moment, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        let side = conn.side();
        // Each goes at most to the end of the queue, and the queue is left when nothing leaves any more.
        loop {
            let Some(conn) = self.conns.get_mut(key) else { return };
            if conn.is_closing() || conn.send_window <= 0 || conn.output.len() >= self.limits.output_high {
                return;
            }
            let Some(exchange) = conn.blocked.pop_front() else { return };
            let most = conn.http2().map_or(usize::MAX, |http2| http2.peer.max_frame_size as usize);
            let Some(ex) = self.exchanges.get_mut(exchange) else { continue };
            let leg = ex.leg_mut(side);
            if leg.at.is_none_or(|(at, _)| at != key) {
                continue;
            }
            leg.is_blocked = false;
            let (stop, sent) = self.drain_backlog(exchange, side, most);
            self.after_flush(now, exchange, side, stop, sent);
        }
    }
}

/// Places in a queue of blocked exchanges that are not worth looking through.
const LEAST_BLOCKED: usize = 16;
