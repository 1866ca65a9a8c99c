//! Streams whose peer takes nothing of what waits for it, though its connection may be alive and well.

use super::Engine;
use crate::keys::{ConnKey, ExchangeKey};
use crate::side::Side;
use evenkeel_core::reason::ExchangeOutcome;
use evenkeel_core::time::Moment;

impl Engine {
    /// Notes since when a peer has taken nothing of what waits for it on a stream.
    pub(super) fn watch_stall(&mut self, now: Moment, exchange: ExchangeKey, side: Side, sent: usize) {
        let leg = self.exchanges[exchange].leg_mut(side);
        if leg.backlog.is_empty() {
            leg.stalled_since = Moment::NEVER;
            return;
        }
        let was_stalled = leg.stalled_since != Moment::NEVER;
        if sent > 0 || !was_stalled {
            leg.stalled_since = now;
        }
        if let Some((key, _)) = leg.at.filter(|_| !was_stalled) {
            let timeout = self.timeouts_of(key).send;
            self.arm_conn(key, now + timeout);
        }
    }

    /// Ends the exchanges of which a connection's peer has taken nothing for too long; when the next one's time is over.
    pub(super) fn check_stalls(&mut self, now: Moment, key: ConnKey) -> Moment {
        let Some(conn) = self.conns.get(key) else { return Moment::NEVER };
        let (side, timeout) = (conn.side(), self.timeouts_of(key).send);
        let (mut next, mut over) = (Moment::NEVER, Vec::new());
        for (_, exchange) in conn.streams.iter() {
            let end = self.exchanges[exchange].leg(side).stalled_since + timeout;
            if end <= now {
                over.push(exchange);
            } else {
                next = next.min(end);
            }
        }
        for exchange in over {
            // The end of one may have ended the connection, and with it the others.
            if self.exchanges.has(exchange) {
                self.fail(now, exchange, ExchangeOutcome::SendTimeout);
            }
        }
        next
    }
}
