//! The end of the process: GOAWAY with the highest id, PING, GOAWAY with the last id (RFC 9113 §6.8), the streams' own
//! ends, and one deadline.

use super::clock::PING_WAIT;
use super::websocket::GOING_AWAY;
use super::{Engine, Wake};
use crate::conn::{GoAwaySent, Phase};
use crate::keys::ConnKey;
use evenkeel_core::reason::{CloseReason, ExchangeOutcome};
use evenkeel_core::time::Moment;
use evenkeel_wire::http2::{self, ErrorCode, MAX_STREAM_ID};

/// A drain that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drain {
    /// Its deadline has come.
    is_cut: bool,
}

/// What a drain has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainProgress {
    /// Sessions that ended by themselves since it began.
    pub finished: u64,
    /// Sessions that the deadline cut.
    pub cut_sessions: u64,
    /// Exchanges that the deadline cut.
    pub cut_exchanges: u64,
}

/// The octets of the PING that tells when a client has seen the first GOAWAY.
pub(super) const PING: [u8; 8] = *b"evenkeel";

impl Engine {
    /// Asks every session to end; what is left at `deadline` is cut.
    pub fn begin_drain(&mut self, now: Moment, deadline: Moment) {
        if self.drain.is_none() {
            self.drain = Some(Drain { is_cut: false });
            for key in self.conns.keys() {
                // A client whose first bytes are under way has its requests behind them: it is told when they came.
                if self.conns.get(key).is_some_and(|c| c.is_client() && c.phase == Phase::Open) {
                    self.announce_end(now, key);
                }
            }
        }
        self.wheel.arm(deadline, Wake::DrainDeadline);
    }

    /// What the drain has done; before it began, nothing.
    #[must_use]
    pub fn drain_progress(&self) -> DrainProgress {
        self.drain_progress
    }

    /// Whether the deadline of a drain has come.
    pub(super) fn is_drain_cut(&self) -> bool {
        self.drain.is_some_and(|d| d.is_cut)
    }

    /// Tells a client that no new streams are wanted.
    pub(super) fn announce_end(&mut self, now: Moment, key: ConnKey) {
        if self.conns[key].http1().is_some() {
            return self.end_after_answer(now, key);
        }
        let conn = &mut self.conns[key];
        let Some(http2) = conn.http2_mut() else { return };
        http2.goaway_sent = GoAwaySent::Announced(now);
        let out = conn.output.buffer(&mut self.buffers);
        http2::put_goaway(
            out,
            MAX_STREAM_ID,
            ErrorCode::NoError,
            CloseReason::DrainFinished.code().as_bytes(),
        );
        http2::put_ping(out, false, PING);
        self.mark_dirty(key);
        self.arm_conn(key, now + PING_WAIT);
    }

    /// An HTTP/1 client is told with its answer that there is none after it; one that waits for none is told by the end.
    fn end_after_answer(&mut self, now: Moment, key: ConnKey) {
        let conn = &mut self.conns[key];
        let is_idle = conn.is_idle();
        let Some(http1) = conn.http1_mut() else { return };
        if !is_idle {
            http1.is_last = true;
        } else if http1.is_at_rest() {
            self.drain_progress.finished += 1;
            self.end_conn(now, key, CloseReason::DrainFinished, None);
        }
    }

    /// The client has seen that, or had time to: streams that it opens from now on are not processed.
    pub(super) fn finish_announcement(&mut self, now: Moment, key: ConnKey) {
        let conn = &mut self.conns[key];
        let last = conn.highest_stream;
        let Some(http2) = conn.http2_mut() else { return };
        http2.goaway_sent = GoAwaySent::Final(last);
        let out = conn.output.buffer(&mut self.buffers);
        http2::put_goaway(out, last, ErrorCode::NoError, CloseReason::DrainFinished.code().as_bytes());
        self.mark_dirty(key);
        if self.conns[key].is_idle() {
            self.drain_progress.finished += 1;
            self.end_conn(now, key, CloseReason::DrainFinished, None);
        }
    }

    /// The deadline: whatever is open is told so in its protocol's way, and cut.
    pub(super) fn cut_drain(&mut self, now: Moment) {
        let Some(drain) = &mut self.drain else { return };
        drain.is_cut = true;
        for key in self.conns.keys() {
            let Some(conn) = self.conns.get(key) else { continue };
            if !conn.is_client() || conn.is_closing() {
                continue;
            }
            let open = conn.streams.in_order();
            self.drain_progress.cut_sessions += 1;
            self.drain_progress.cut_exchanges += open.len() as u64;
            for (_, exchange) in open {
                if self.exchanges.get(exchange).is_some_and(|ex| ex.websocket.is_some()) {
                    self.cut_websocket(now, exchange, GOING_AWAY, CloseReason::DrainDeadline);
                } else if self.exchanges.has(exchange) {
                    self.fail(now, exchange, ExchangeOutcome::Drained);
                }
            }
            self.end_conn(now, key, CloseReason::DrainDeadline, Some(ErrorCode::NoError));
        }
    }
}
