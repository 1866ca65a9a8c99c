//! Counts of one listener. The engine and the acceptor write them, the control side reads them.

use super::{Cells, DURATION_BOUNDS_US, Gauge, Histogram, Tally};
use crate::id::WorkerIndex;
use crate::reason::{CloseReason, ExchangeOutcome};
use std::time::Duration;

/// One worker's counts of one listener.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct ListenerCell {
    sessions: Gauge,
    closed: Tally<{ CloseReason::ALL.len() }>,
    durations: Histogram,
    unrouted: Tally<{ ExchangeOutcome::ALL.len() }>,
}

impl ListenerCell {
    /// A session began.
    pub fn session_began(&self) {
        self.sessions.rise();
    }

    /// A session ended after this long.
    pub fn session_ended(&self, reason: CloseReason, age: Duration) {
        self.sessions.fall();
        self.closed.add(reason as usize);
        self.durations.record(&DURATION_BOUNDS_US, age);
    }

    /// A connection was refused before it was a session.
    pub fn session_refused(&self, reason: CloseReason) {
        self.closed.add(reason as usize);
    }

    /// An exchange ended before it had a service.
    pub fn exchange_ended_unrouted(&self, outcome: ExchangeOutcome) {
        self.unrouted.add(outcome as usize);
    }
}

/// The counts of one listener over all workers.
#[derive(Debug)]
pub struct ListenerStats(Cells<ListenerCell>);

impl ListenerStats {
    /// Counts for this many workers and, as the last cell, the acceptor.
    #[must_use]
    pub fn new(workers: u16) -> Self {
        Self(Cells::new(workers.saturating_add(1)))
    }

    /// The cell that this worker writes; the acceptor's index is the number of workers.
    #[must_use]
    pub fn cell(&self, worker: WorkerIndex) -> &ListenerCell {
        self.0.of(worker)
    }

    /// Sessions that are open.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        self.0.iter().map(|c| c.sessions.get()).sum()
    }

    /// Connections that ended so.
    #[must_use]
    pub fn closed_total(&self, reason: CloseReason) -> u64 {
        self.0.iter().map(|c| c.closed.get(reason as usize)).sum()
    }

    /// Each worker's histogram of session durations, over [`DURATION_BOUNDS_US`].
    pub fn durations(&self) -> impl Iterator<Item = &Histogram> {
        self.0.iter().map(|c| &c.durations)
    }

    /// Exchanges that ended so before they had a service.
    #[must_use]
    pub fn unrouted_total(&self, outcome: ExchangeOutcome) -> u64 {
        self.0.iter().map(|c| c.unrouted.get(outcome as usize)).sum()
    }
}
