//! Over a memory budget: who holds most goes first, and not who happens to ask next.
//!
//! Counters are kept where memory changes hands; who holds how much is found out by a walk, and only when a budget is
//! over. Each walk frees a share of the budget, so walks are rare however the memory came to be used.

use super::Engine;
use crate::conn::Conn;
use crate::exchange::Exchange;
use crate::keys::{ConnKey, ExchangeKey};
use crate::side::Side;
use evenkeel_core::reason::{CloseReason, ExchangeOutcome, Limit};
use evenkeel_core::time::Moment;
use evenkeel_wire::http2::ErrorCode;
use std::cmp::Reverse;

/// A walk ends when this share of a budget (one in so many) is free again.
const SHARE: usize = 8;

/// Who holds memory.
#[derive(Clone, Copy, Debug)]
enum Holder {
    Exchange(ExchangeKey),
    Conn(ConnKey),
}

impl Engine {
    /// Memory of all that waits: for receivers, and for its own end.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.backlog_bytes + self.replay_bytes + self.output_bytes + self.reader_bytes
    }

    /// Whether the tables of new connections would be of more harm than use.
    pub(super) fn is_short_of_tables(&self) -> bool {
        self.store.charged_bytes() > self.limits.interned_bytes / 2
    }

    /// Called after whatever takes memory, or cancels streams.
    pub(super) fn relieve(&mut self, now: Moment) {
        if !self.cancels.is_empty() {
            self.settle(now);
        }
        if self.buffered_bytes() > self.limits.buffered_bytes {
            self.shed_largest(now);
        }
        if self.store.charged_bytes() > self.limits.interned_bytes - self.limits.interned_bytes / SHARE {
            self.end_largest_owners(now);
        }
    }

    /// Resets the largest slow streams, and ends connections that hold as much in outputs or unfinished frames.
    #[cold]
    fn shed_largest(&mut self, now: Moment) {
        let budget = self.limits.buffered_bytes;
        if self.shed_in_vain == Some(now) {
            return;
        }
        self.stats.refused(Limit::BufferedBytes);
        let goal = budget - budget / SHARE;
        let streams = self.exchanges.iter().map(|(key, ex)| (waiting_bytes(ex), Holder::Exchange(key)));
        let conns = self.conns.iter().map(|(key, conn)| (slow_bytes(conn), Holder::Conn(key)));
        let mut holders: Vec<_> = streams.chain(conns).filter(|(bytes, _)| *bytes > 0).collect();
        holders.sort_by_key(|(bytes, _)| Reverse(*bytes));
        for (_, holder) in holders {
            if self.buffered_bytes() <= goal {
                break;
            }
            match holder {
                Holder::Exchange(key) => self.shed_exchange(now, key),
                Holder::Conn(key) => self.cut_conn(now, key, CloseReason::Shed),
            }
        }
        // What is left then is on its way: at the end of the turn it has left, or is slow.
        self.shed_in_vain = (self.buffered_bytes() > goal).then_some(now);
    }

    fn shed_exchange(&mut self, now: Moment, key: ExchangeKey) {
        let Some(ex) = self.exchanges.get_mut(key) else { return };
        let is_slow = [Side::Client, Side::Upstream].iter().any(|&side| !ex.leg(side).backlog.is_empty());
        if !is_slow && ex.upstream.at.is_some() && !ex.awaits_tunnel() {
            // Nothing waits but what is kept to be sent again, and it can do without that.
            ex.is_replayable = false;
            let replay = std::mem::take(&mut ex.replay);
            self.drop_replay(replay);
        } else {
            self.fail(now, key, ExchangeOutcome::Shed);
        }
    }

    /// Ends the connections that own most header fields.
    #[cold]
    fn end_largest_owners(&mut self, now: Moment) {
        let budget = self.limits.interned_bytes;
        if self.owners_in_vain == Some(now) {
            return;
        }
        self.stats.refused(Limit::InternedBytes);
        let goal = budget - 2 * (budget / SHARE);
        let owners = self.conns.iter().filter(|(_, c)| !c.is_closing());
        let mut owners: Vec<_> = owners.map(|(key, _)| (self.owned_bytes(key), key)).collect();
        owners.sort_by_key(|(bytes, _)| Reverse(*bytes));
        for (bytes, key) in owners {
            if self.store.charged_bytes() <= goal || bytes == 0 {
                break;
            }
            if self.conns.get(key).is_some_and(|c| !c.is_closing()) {
                let detail = "its header fields took the most of a full store";
                self.refuse_peer(now, key, ErrorCode::EnhanceYourCalm, CloseReason::Shed, detail);
            }
        }
        self.owners_in_vain = (self.store.charged_bytes() > goal).then_some(now);
    }

    /// Header fields of a connection's tables, and of what was asked on it.
    fn owned_bytes(&self, key: ConnKey) -> usize {
        let conn = &self.conns[key];
        let tables = conn.http2().map_or(0, |http2| {
            http2.decoder.owned_bytes(&self.store) + http2.encoder.owned_bytes(&self.store)
        });
        let side = conn.side();
        let lists = conn.streams.iter().filter_map(|(_, e)| self.exchanges.get(e)).map(|ex| {
            // A request, and what its client has not taken of the answer, is the client's; what an endpoint has not
            // taken is the endpoint's.
            let own = if side == Side::Client { Some(&ex.request) } else { None };
            let kept = ex.request_trailers.as_deref().filter(|_| side == Side::Client);
            let waiting = ex.leg(side).trailers.as_deref();
            let lists = [own, kept, waiting];
            lists.into_iter().flatten().map(|list| list.owned_bytes(&self.store)).sum::<usize>()
        });
        tables + lists.sum::<usize>()
    }
}

/// Memory that a connection holds for a peer that does not take it, or has not said all.
pub(super) fn slow_bytes(conn: &Conn) -> usize {
    let output = if conn.stalled_since.is_some() { conn.output.held_bytes() } else { 0 };
    output + conn.unread_bytes()
}

/// Memory that an exchange holds for its receivers.
fn waiting_bytes(ex: &Exchange) -> usize {
    ex.client.backlog.held_bytes() + ex.upstream.backlog.held_bytes() + ex.replay.capacity()
}
