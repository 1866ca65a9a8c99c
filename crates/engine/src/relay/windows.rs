//! Windows of streams: what peers grant us, and what we grant them.
//!
//! A stream's credit is given back when its bytes have left on the other side; the connection's at once. So a slow
//! receiver holds back its own stream and nobody else's.

use super::Engine;
use crate::keys::{ConnKey, ExchangeKey};
use crate::side::Side;
use crate::window::Change;
use evenkeel_core::reason::{CloseReason, Limit};
use evenkeel_core::time::Moment;
use evenkeel_wire::http2::{self, ErrorCode, MAX_WINDOW};

impl Engine {
    /// WINDOW_UPDATE of a stream.
    pub(super) fn stream_window(&mut self, now: Moment, key: ConnKey, stream: u32, increment: u32) {
        let conn = &self.conns[key];
        let side = conn.side();
        let Some(exchange) = conn.streams.get(stream) else {
            if conn.is_unopened(stream) {
                let (code, reason) = (ErrorCode::ProtocolError, CloseReason::ProtocolError);
                self.refuse_peer(now, key, code, reason, "a window of a stream that was not opened");
            }
            return;
        };
        let leg = self.exchanges[exchange].leg_mut(side);
        leg.send_window += i64::from(increment);
        if leg.send_window > i64::from(MAX_WINDOW) {
            self.reset_by_fault(now, exchange, side, ErrorCode::FlowControlError);
        } else if !leg.backlog.is_empty() && !leg.is_blocked {
            self.flush_leg(now, exchange, side);
        }
    }

    /// The peer changed the window that its streams begin with: all open ones move by as much (RFC 9113 §6.9.2).
    /// False if one overflows and the connection was ended.
    pub(super) fn shift_windows(&mut self, now: Moment, key: ConnKey, delta: i64) -> bool {
        let conn = &self.conns[key];
        let side = conn.side();
        let open: Vec<_> = conn.streams.iter().map(|(_, exchange)| exchange).collect();
        for &exchange in &open {
            let leg = self.exchanges[exchange].leg_mut(side);
            leg.send_window += delta;
            if leg.send_window > i64::from(MAX_WINDOW) {
                let reason = CloseReason::FlowControlError;
                self.refuse_peer(now, key, ErrorCode::FlowControlError, reason, "a window beyond 2^31-1");
                return false;
            }
        }
        for exchange in open {
            if let Some(ex) = self.exchanges.get(exchange)
                && !ex.leg(side).backlog.is_empty()
                && !ex.leg(side).is_blocked
            {
                self.flush_leg(now, exchange, side);
            }
        }
        true
    }

    /// Bytes from this side have left on the other: gives the stream's credit back in halves of its window, which
    /// grows for bulk while the budget lasts.
    pub(super) fn credit(&mut self, now: Moment, exchange: ExchangeKey, side: Side, sent: u32) {
        let leg = self.exchanges[exchange].leg_mut(side);
        // What is sent again to another endpoint was credited the first time.
        let fresh = sent.min(leg.uncredited);
        leg.uncredited -= fresh;
        leg.owed_credit += fresh;
        if leg.is_received || (!leg.window.is_due(leg.owed_credit) && !leg.is_held_back) {
            return;
        }
        let Some((key, stream)) = leg.at else { return };
        if self.conns[key].http2().is_none() {
            leg.owed_credit = 0;
            if leg.uncredited as usize <= self.limits.tunnel_bytes / 2
                && std::mem::take(&mut leg.is_held_back)
            {
                self.resume(key);
            }
            return;
        }
        let most = self.limits.most_stream_window.max(self.limits.stream_window);
        let mut change = leg.window.wish(now, self.limits.stream_window, most);
        let mut credit = std::mem::take(&mut leg.owed_credit);
        match &mut change {
            Change::None => {}
            Change::Grow(more) if self.granted_credit + *more as usize > self.limits.granted_credit => {
                self.stats.refused(Limit::GrantedCredit);
                change = Change::None;
            }
            Change::Grow(more) => {
                credit += *more;
                self.granted_credit += *more as usize;
            }
            Change::Settle(less) => {
                *less = (*less).min(credit);
                credit -= *less;
                self.granted_credit -= *less as usize;
            }
        }
        leg.window.apply(change);
        leg.receive_window += i64::from(credit);
        if credit > 0 {
            http2::put_window_update(self.conns[key].output.buffer(&mut self.buffers), stream, credit);
            self.mark_dirty(key);
        }
    }
}
