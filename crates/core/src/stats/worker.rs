//! Counts of one worker. Its event loop and engine write them, the control side reads them.

use super::{Counter, Gauge, Histogram, TURN_BOUNDS_US, Tally};
use crate::reason::{CloseReason, Limit};
use std::time::Duration;

/// What a worker's memory goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryPart {
    /// Bytes that wait for a slow receiver.
    Buffered,
    /// Header fields that dynamic tables own.
    Interned,
    /// Slabs of connections and exchanges.
    Slabs,
}

impl MemoryPart {
    /// Every part, in the order of their numbers.
    pub const ALL: &'static [Self] = &[Self::Buffered, Self::Interned, Self::Slabs];

    /// The metric's label.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Buffered => "buffered",
            Self::Interned => "interned",
            Self::Slabs => "slabs",
        }
    }
}

/// One worker's counts; the worker writes, the control side reads.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct WorkerStats {
    /// Sessions that are open on it.
    pub sessions: Gauge,
    /// Turns of its loop.
    pub turns: Counter,
    refused: Tally<{ Limit::ALL.len() }>,
    upstreams_closed: Tally<{ CloseReason::ALL.len() }>,
    turn: Histogram,
    memory: [Gauge; 3],
    /// Events that were dropped because their queue was full.
    pub events_dropped: Counter,
}

impl WorkerStats {
    /// A limit refused something.
    pub fn refused(&self, limit: Limit) {
        self.refused.add(limit as usize);
    }

    /// A connection to an endpoint ended or never stood.
    pub fn upstream_closed(&self, reason: CloseReason) {
        self.upstreams_closed.add(reason as usize);
    }

    /// A turn took this long.
    pub fn turn_took(&self, d: Duration) {
        self.turns.add(1);
        self.turn.record(&TURN_BOUNDS_US, d);
    }

    /// Bytes of a part of its memory.
    pub fn set_memory(&self, part: MemoryPart, bytes: u64) {
        self.memory[part as usize].set(bytes);
    }

    /// How often a limit refused something.
    #[must_use]
    pub fn refused_total(&self, limit: Limit) -> u64 {
        self.refused.get(limit as usize)
    }

    /// Connections to endpoints that ended so.
    #[must_use]
    pub fn upstreams_closed_total(&self, reason: CloseReason) -> u64 {
        self.upstreams_closed.get(reason as usize)
    }

    /// Turn lengths, over [`TURN_BOUNDS_US`].
    #[must_use]
    pub fn turn(&self) -> &Histogram {
        &self.turn
    }

    /// Bytes of a part of its memory.
    #[must_use]
    pub fn memory(&self, part: MemoryPart) -> u64 {
        self.memory[part as usize].get()
    }
}
