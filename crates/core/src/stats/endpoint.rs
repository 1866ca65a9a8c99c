//! Counts of one endpoint.
//!
//! The engine writes them as exchanges come and go; the balancers of all workers and the control side read the sums.

use super::{Cells, Counter, Gauge, Tally};
use crate::id::WorkerIndex;
use crate::reason::ExchangeOutcome;

/// One worker's counts of one endpoint; only that worker writes them.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct EndpointCell {
    active: Gauge,
    sessions: Gauge,
    upstreams: Gauge,
    requests: Counter,
    outcomes: Tally<{ ExchangeOutcome::ALL.len() }>,
    latency_ewma_ns: Gauge,
}

impl EndpointCell {
    /// An exchange was given to the endpoint.
    pub fn exchange_began(&self) {
        self.active.rise();
        self.requests.add(1);
    }

    /// An exchange ended on the endpoint.
    pub fn exchange_ended(&self, outcome: ExchangeOutcome) {
        self.active.fall();
        self.outcomes.add(outcome as usize);
    }

    /// An exchange left the endpoint and goes on elsewhere.
    pub fn exchange_left(&self) {
        self.active.fall();
    }

    /// A session that does not pick again (WebSocket, tunnel) was given to the endpoint; it counts beside its exchange.
    pub fn session_began(&self) {
        self.sessions.rise();
    }

    /// Such a session left the endpoint.
    pub fn session_ended(&self) {
        self.sessions.fall();
    }

    /// A connection to the endpoint stands.
    pub fn upstream_opened(&self) {
        self.upstreams.rise();
    }

    /// A connection to the endpoint ended.
    pub fn upstream_closed(&self) {
        self.upstreams.fall();
    }

    /// This worker's peak-EWMA of the endpoint's latency, in nanoseconds.
    pub fn set_latency_ewma_ns(&self, ns: u64) {
        self.latency_ewma_ns.set(ns);
    }
}

/// The counts of one endpoint over all workers.
#[derive(Debug)]
pub struct EndpointStats(Cells<EndpointCell>);

impl EndpointStats {
    /// Counts for this many workers, at least one.
    #[must_use]
    pub fn new(workers: u16) -> Self {
        Self(Cells::new(workers))
    }

    /// The cell that this worker writes.
    #[must_use]
    pub fn cell(&self, worker: WorkerIndex) -> &EndpointCell {
        self.0.of(worker)
    }

    /// Exchanges in flight.
    #[must_use]
    pub fn active_exchanges(&self) -> u64 {
        self.0.iter().map(|c| c.active.get()).sum()
    }

    /// Sessions that do not pick again (WebSockets, tunnels).
    #[must_use]
    pub fn sessions(&self) -> u64 {
        self.0.iter().map(|c| c.sessions.get()).sum()
    }

    /// Open connections to the endpoint.
    #[must_use]
    pub fn upstreams(&self) -> u64 {
        self.0.iter().map(|c| c.upstreams.get()).sum()
    }

    /// Exchanges ever given to the endpoint, those sent again elsewhere included.
    #[must_use]
    pub fn requests_total(&self) -> u64 {
        self.0.iter().map(|c| c.requests.get()).sum()
    }

    /// Exchanges that ended so.
    #[must_use]
    pub fn outcome_total(&self, outcome: ExchangeOutcome) -> u64 {
        self.0.iter().map(|c| c.outcomes.get(outcome as usize)).sum()
    }

    /// The highest latency average that any worker sees, in nanoseconds; zero if none was measured.
    #[must_use]
    pub fn latency_ewma_ns(&self) -> u64 {
        self.0.iter().map(|c| c.latency_ewma_ns.get()).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_see_the_sum_of_what_each_worker_wrote() {
        let stats = EndpointStats::new(2);
        let (a, b) = (stats.cell(WorkerIndex(0)), stats.cell(WorkerIndex(1)));
        (0..3).for_each(|_| a.exchange_began());
        b.exchange_began();
        a.exchange_ended(ExchangeOutcome::Completed);
        a.exchange_left();
        a.set_latency_ewma_ns(5);
        b.set_latency_ewma_ns(9);
        assert_eq!((stats.active_exchanges(), stats.requests_total(), stats.latency_ewma_ns()), (2, 4, 9));
        assert_eq!(stats.outcome_total(ExchangeOutcome::Completed), 1);
        assert_eq!(stats.outcome_total(ExchangeOutcome::ClientReset), 0);
    }

    #[test]
    fn sessions_are_counted_beside_exchanges() {
        let stats = EndpointStats::new(2);
        let (a, b) = (stats.cell(WorkerIndex(0)), stats.cell(WorkerIndex(1)));
        a.exchange_began();
        a.session_began();
        b.session_began();
        b.session_began();
        b.session_ended();
        assert_eq!((stats.sessions(), stats.active_exchanges()), (2, 1));
        a.session_ended();
        b.session_ended();
        b.session_ended();
        assert_eq!(stats.sessions(), 0);
    }

    #[test]
    fn a_worker_beyond_the_number_given_shares_the_last_cell() {
        let stats = EndpointStats::new(0);
        stats.cell(WorkerIndex(7)).upstream_opened();
        assert_eq!(stats.upstreams(), 1);
    }
}
