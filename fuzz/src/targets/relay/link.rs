//! One connection of the engine: what its peer has said and not yet delivered, the peer's model, and the exchanges on it.

use super::watch::{Role, Watch};
use crate::grammar::blocks::BlockWriter;
use evenkeel_engine::ConnKey;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A header list.
pub(super) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// What a peer sends on one of its streams, and what it got there.
#[derive(Debug, Default)]
pub(super) struct Saying {
    /// Number of the exchange (of a client) or of the attempt (of an endpoint): says what is in the body.
    pub(super) number: u64,
    /// Headers were queued.
    pub(super) has_begun: bool,
    /// Body bytes that it means to send.
    pub(super) plan: usize,
    pub(super) queued: usize,
    pub(super) queued_flow: i64,
    pub(super) has_queued_end: bool,
    pub(super) delivered: usize,
    pub(super) has_delivered_end: bool,
    /// Headers that it sent.
    pub(super) fields: Fields,
    pub(super) is_head: bool,
    /// The attempt that answers it, once that is known.
    pub(super) heard_attempt: Option<u64>,
    /// Body bytes that came for it.
    pub(super) heard: usize,
    /// The stream is over for both: nothing more is said on it.
    pub(super) is_over: bool,
    /// The endpoint said, or is about to, that it did not process it.
    pub(super) is_refused: bool,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) key: ConnKey,
    /// Where it leads, if the engine opened it.
    pub(super) address: Option<SocketAddr>,
    pub(super) role: Role,
    pub(super) watch: Watch,
    /// Said by the peer and not yet delivered.
    pub(super) queue: Vec<u8>,
    /// Bytes of the queue that are the preface or no HTTP/2 at all.
    pub(super) unframed: usize,
    /// Bytes of the engine's output that were looked at.
    pub(super) looked_at: usize,
    pub(super) blocks: BlockWriter,
    pub(super) sayings: BTreeMap<u32, Saying>,
    pub(super) next_stream: u32,
    pub(super) queued_flow: i64,
    /// The last stream that its peer said, or is about to, that it processes.
    pub(super) goaway: Option<u32>,
    /// Its socket takes bytes only when the scene says so.
    pub(super) is_slow: bool,
}

impl Link {
    pub(super) fn new(key: ConnKey, role: Role, watch: Watch) -> Self {
        Self {
            key,
            address: None,
            role,
            watch,
            queue: Vec::new(),
            unframed: 0,
            looked_at: 0,
            blocks: BlockWriter::default(),
            sayings: BTreeMap::new(),
            next_stream: 1,
            queued_flow: 0,
            goaway: None,
            is_slow: false,
        }
    }

    /// Flow-controlled bytes that the peer may still queue on a stream.
    pub(super) fn room(&self, stream: u32, stream_window: i64) -> i64 {
        let conn = self.watch.conn_granted - self.queued_flow;
        let queued = self.sayings.get(&stream).map_or(0, |s| s.queued_flow);
        let granted = self.watch.streams.get(&stream).map_or(0, |s| s.granted);
        conn.min(stream_window + granted - queued).max(0)
    }

    /// Whether the peer says, or is about to, that it does not process this stream.
    pub(super) fn is_refused(&self, stream: u32) -> bool {
        let is_past_goaway = self.goaway.is_some_and(|last| stream > last);
        is_past_goaway || self.sayings.get(&stream).is_some_and(|s| s.is_refused)
    }

    /// The streams on which the peer may still say something that `holds`.
    pub(super) fn streams(&self, holds: impl Fn(&Saying) -> bool) -> Vec<u32> {
        self.sayings.iter().filter(|(_, s)| !s.is_over && holds(s)).map(|(&id, _)| id).collect()
    }
}

/// The byte of a body at a place; `number` is the exchange's or the attempt's.
pub(super) fn body_byte(number: u64, at: usize) -> u8 {
    (number as usize).wrapping_mul(31).wrapping_add(at * 7 + (at >> 8) * 13) as u8
}
