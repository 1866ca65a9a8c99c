//! Counts of one service that belong to no single endpoint. The engine writes them, the control side reads them.

use super::{Cells, Counter, DURATION_BOUNDS_US, Gauge, Histogram, Tally};
use crate::id::WorkerIndex;
use crate::reason::{ExchangeOutcome, PickReason, RetryReason};
use std::time::Duration;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageDirection {
    /// From a client to an endpoint.
    Up,
    /// From an endpoint to a client.
    Down,
}

impl MessageDirection {
    /// Both, in the order of their numbers.
    pub const ALL: &'static [Self] = &[Self::Up, Self::Down];

    /// The metric's label.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// One worker's counts of one service.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct ServiceCell {
    durations: Histogram,
    unpicked: Tally<{ ExchangeOutcome::ALL.len() }>,
    picks: Tally<{ PickReason::ALL.len() }>,
    retries: Tally<{ RetryReason::ALL.len() }>,
    messages: [Counter; MessageDirection::ALL.len()],
    websockets: Gauge,
    websocket_durations: Histogram,
    websockets_come_back: Counter,
}

impl ServiceCell {
    /// An exchange ended after this long.
    pub fn exchange_took(&self, d: Duration) {
        self.durations.record(&DURATION_BOUNDS_US, d);
    }

    /// An exchange ended without an endpoint.
    pub fn exchange_ended_unpicked(&self, outcome: ExchangeOutcome) {
        self.unpicked.add(outcome as usize);
    }

    /// An endpoint was picked for this reason.
    pub fn picked(&self, reason: PickReason) {
        self.picks.add(reason as usize);
    }

    /// So many messages (of a WebSocket) or events (server-sent) went this way.
    pub fn messages(&self, direction: MessageDirection, n: u64) {
        self.messages[direction as usize].add(n);
    }

    /// A WebSocket stands.
    pub fn websocket_began(&self) {
        self.websockets.rise();
    }

    /// A WebSocket that stood ended after this long.
    pub fn websocket_ended(&self, age: Duration) {
        self.websockets.fall();
        self.websocket_durations.record(&DURATION_BOUNDS_US, age);
    }

    /// A client has a WebSocket that had lost one a short while ago.
    pub fn websocket_came_back(&self) {
        self.websockets_come_back.add(1);
    }

    /// An exchange was sent to another endpoint for this reason.
    pub fn retried(&self, reason: RetryReason) {
        self.retries.add(reason as usize);
    }
}

/// The counts of one service over all workers.
#[derive(Debug)]
pub struct ServiceStats(Cells<ServiceCell>);

impl ServiceStats {
    /// Counts for this many workers, at least one.
    #[must_use]
    pub fn new(workers: u16) -> Self {
        Self(Cells::new(workers))
    }

    /// The cell that this worker writes.
    #[must_use]
    pub fn cell(&self, worker: WorkerIndex) -> &ServiceCell {
        self.0.of(worker)
    }

    /// Each worker's histogram of exchange durations, over [`DURATION_BOUNDS_US`].
    pub fn durations(&self) -> impl Iterator<Item = &Histogram> {
        self.0.iter().map(|c| &c.durations)
    }

    /// WebSockets that stand.
    #[must_use]
    pub fn websockets(&self) -> u64 {
        self.0.iter().map(|c| c.websockets.get()).sum()
    }

    /// Each worker's histogram of the durations of WebSockets, over [`DURATION_BOUNDS_US`].
    pub fn websocket_durations(&self) -> impl Iterator<Item = &Histogram> {
        self.0.iter().map(|c| &c.websocket_durations)
    }

    /// WebSockets of clients that had lost one a short while before.
    #[must_use]
    pub fn websockets_come_back_total(&self) -> u64 {
        self.0.iter().map(|c| c.websockets_come_back.get()).sum()
    }

    /// Exchanges that ended so without an endpoint.
    #[must_use]
    pub fn unpicked_total(&self, outcome: ExchangeOutcome) -> u64 {
        self.0.iter().map(|c| c.unpicked.get(outcome as usize)).sum()
    }

    /// Picks for this reason.
    #[must_use]
    pub fn picks_total(&self, reason: PickReason) -> u64 {
        self.0.iter().map(|c| c.picks.get(reason as usize)).sum()
    }

    /// Exchanges that were sent to another endpoint for this reason.
    #[must_use]
    pub fn retries_total(&self, reason: RetryReason) -> u64 {
        self.0.iter().map(|c| c.retries.get(reason as usize)).sum()
    }

    /// Messages and events that went this way.
    #[must_use]
    pub fn messages_total(&self, direction: MessageDirection) -> u64 {
        self.0.iter().map(|c| c.messages[direction as usize].get()).sum()
    }
}
