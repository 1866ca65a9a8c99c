//! Tunnels whose bytes the event loop moves by itself, inside the kernel. What they are, and when they end, is still
//! decided here: the engine says who may, and is told how much.

use super::Engine;
use crate::conn::{Phase, Speech};
use crate::exchange::Kind;
use crate::keys::ConnKey;
use evenkeel_core::time::Moment;

impl Engine {
    /// Where the bytes that come from a connection go unchanged, if that is so and nothing before them waits: the event
    /// loop may move them there by itself. It asks again each time, says how much it moved with [`Engine::spliced`], and
    /// tells the end of the input only once all before it has been moved.
    #[must_use]
    pub fn may_splice(&self, key: ConnKey) -> Option<ConnKey> {
        let conn = self.conns.get(key).filter(|c| c.phase == Phase::Open)?;
        let ex = self.exchanges.get(conn.streams.get(conn.highest_stream)?)?;
        let (from, to) = (ex.leg(conn.side()), ex.leg(conn.side().other()));
        let (other, _) = to.at?;
        let receiver = self.conns.get(other).filter(|c| c.phase == Phase::Open)?;
        let is_raw = |speech: &Speech| matches!(speech, Speech::Raw);
        let goes_on = ex.kind == Kind::Tunnel
            && ex.is_tunnel
            && is_raw(&conn.speech)
            && is_raw(&receiver.speech)
            && !from.is_received
            && !to.is_sent;
        (goes_on && to.backlog.is_empty() && receiver.output.is_empty()).then_some(other)
    }

    /// So many bytes from a connection have left on the other side of its tunnel.
    pub fn spliced(&mut self, now: Moment, key: ConnKey, bytes: usize) {
        let Some(other) = self.may_splice(key) else { return };
        let conn = &mut self.conns[key];
        conn.figures.bytes_in += bytes as u64;
        if let Some(tunnel) = conn.streams.get(conn.highest_stream) {
            self.exchanges[tunnel].heard = now;
        }
        let receiver = &mut self.conns[other];
        receiver.figures.bytes_out += bytes as u64;
        receiver.stalled_since = None;
    }

    /// The other side of a connection's tunnel does not take what the event loop has for it.
    pub fn splice_stalled(&mut self, now: Moment, key: ConnKey) {
        let Some(other) = self.may_splice(key) else { return };
        let receiver = &mut self.conns[other];
        if receiver.stalled_since.is_none() {
            receiver.stalled_since = Some(now);
            let timeout = self.timeouts_of(other).send;
            self.arm_conn(other, now + timeout);
        }
    }
}
