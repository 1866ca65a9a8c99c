//! Counts of one endpoint, written by each worker in a cell of its own and summed by readers.
//!
//! They belong to the endpoint's id and outlive endpoint sets, so that a new set never forgets what is in flight.

use crate::id::WorkerIndex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// One worker's counts; only that worker writes them, so a plain load and store is enough.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct WorkerCell {
    active_exchanges: AtomicU32,
    upstreams: AtomicU32,
    requests: AtomicU64,
    failures: AtomicU64,
    latency_ewma_ns: AtomicU64,
}

impl WorkerCell {
    /// An exchange was sent to the endpoint.
    pub fn exchange_began(&self) {
        self.active_exchanges.store(self.active_exchanges.load(Relaxed) + 1, Relaxed);
        self.requests.store(self.requests.load(Relaxed) + 1, Relaxed);
    }

    /// An exchange on the endpoint ended, well or not.
    pub fn exchange_ended(&self, failed: bool) {
        self.active_exchanges.store(self.active_exchanges.load(Relaxed).saturating_sub(1), Relaxed);
        if failed {
            self.failures.store(self.failures.load(Relaxed) + 1, Relaxed);
        }
    }

    /// A connection to the endpoint was opened.
    pub fn upstream_opened(&self) {
        self.upstreams.store(self.upstreams.load(Relaxed) + 1, Relaxed);
    }

    /// A connection to the endpoint was closed.
    pub fn upstream_closed(&self) {
        self.upstreams.store(self.upstreams.load(Relaxed).saturating_sub(1), Relaxed);
    }

    /// This worker's view of the endpoint's latency, in nanoseconds.
    pub fn set_latency_ewma_ns(&self, ns: u64) {
        self.latency_ewma_ns.store(ns, Relaxed);
    }

    /// Exchanges of this worker that are open on the endpoint.
    #[must_use]
    pub fn active_exchanges(&self) -> u32 {
        self.active_exchanges.load(Relaxed)
    }
}

/// The counts of one endpoint over all workers.
#[derive(Debug)]
pub struct EndpointStats {
    cells: Box<[WorkerCell]>,
}

impl EndpointStats {
    /// Counts for this many workers, at least one.
    #[must_use]
    pub fn new(workers: u16) -> Self {
        Self { cells: (0..workers.max(1)).map(|_| WorkerCell::default()).collect() }
    }

    /// The cell that this worker writes. A worker beyond the number given at the start shares the last one's.
    #[must_use]
    pub fn cell(&self, worker: WorkerIndex) -> &WorkerCell {
        &self.cells[usize::from(worker.0).min(self.cells.len() - 1)]
    }

    /// Exchanges in flight.
    #[must_use]
    pub fn active_exchanges(&self) -> u32 {
        self.cells.iter().map(WorkerCell::active_exchanges).sum()
    }

    /// Open connections to the endpoint.
    #[must_use]
    pub fn upstreams(&self) -> u32 {
        self.cells.iter().map(|c| c.upstreams.load(Relaxed)).sum()
    }

    /// Exchanges ever sent.
    #[must_use]
    pub fn requests_total(&self) -> u64 {
        self.cells.iter().map(|c| c.requests.load(Relaxed)).sum()
    }

    /// Exchanges that failed.
    #[must_use]
    pub fn failures_total(&self) -> u64 {
        self.cells.iter().map(|c| c.failures.load(Relaxed)).sum()
    }

    /// The highest latency average that any worker sees, in nanoseconds; zero if none was measured.
    #[must_use]
    pub fn latency_ewma_ns(&self) -> u64 {
        self.cells.iter().map(|c| c.latency_ewma_ns.load(Relaxed)).max().unwrap_or(0)
    }
}
