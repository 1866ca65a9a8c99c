//! Counts of one listener. The engine and the acceptor write them, the control side reads them.

use super::departures::{ClientName, Departures, MOST_DEPARTED};
use super::{Cells, Counter, DURATION_BOUNDS_US, Gauge, Histogram, MESSAGE_BOUNDS, Tally};
use crate::id::WorkerIndex;
use crate::reason::{CloseReason, ExchangeOutcome};
use crate::session::{LongLived, SessionProtocol};
use crate::time::Moment;
use std::time::Duration;

/// Counts of the sessions that speak one protocol.
#[derive(Debug, Default)]
struct Spoken {
    sessions: Gauge,
    closed: Tally<{ CloseReason::ALL.len() }>,
    durations: Histogram,
    messages: Histogram,
    failed: Counter,
}

/// One worker's counts of one listener.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct ListenerCell {
    spoken: [Spoken; SessionProtocol::ALL.len()],
    unrouted: Tally<{ ExchangeOutcome::ALL.len() }>,
    came_back: Tally<{ LongLived::ALL.len() }>,
}

impl ListenerCell {
    /// A session began; what it speaks is to be seen.
    pub fn session_began(&self) {
        self.of(SessionProtocol::Unknown).sessions.rise();
    }

    /// A session speaks something else from now on.
    pub fn session_changed(&self, from: SessionProtocol, to: SessionProtocol) {
        self.of(from).sessions.fall();
        self.of(to).sessions.rise();
    }

    /// A session ended after this long.
    pub fn session_ended(&self, protocol: SessionProtocol, reason: CloseReason, age: Duration) {
        let spoken = self.of(protocol);
        spoken.sessions.fall();
        spoken.closed.add(reason as usize);
        spoken.durations.record(&DURATION_BOUNDS_US, age);
    }

    /// A session of messages (of WebSockets, or events) ended: so many both ways.
    pub fn session_had_messages(&self, protocol: SessionProtocol, messages: u64) {
        self.of(protocol).messages.count(&MESSAGE_BOUNDS, messages);
    }

    /// A connection was refused before it was a session.
    pub fn session_refused(&self, reason: CloseReason) {
        self.of(SessionProtocol::Unknown).closed.add(reason as usize);
    }

    /// An exchange of a session that speaks this failed.
    pub fn exchange_failed(&self, protocol: SessionProtocol) {
        self.of(protocol).failed.add(1);
    }

    /// An exchange ended before it had a service.
    pub fn exchange_ended_unrouted(&self, outcome: ExchangeOutcome) {
        self.unrouted.add(outcome as usize);
    }

    /// A client that had lost this a short while ago has it again.
    pub fn client_came_back(&self, what: LongLived) {
        self.came_back.add(what as usize);
    }

    fn of(&self, protocol: SessionProtocol) -> &Spoken {
        &self.spoken[protocol as usize]
    }
}

/// The counts of one listener over all workers.
#[derive(Debug)]
pub struct ListenerStats {
    cells: Cells<ListenerCell>,
    departures: Departures,
}

impl ListenerStats {
    /// Counts for this many workers and, as the last cell, the acceptor.
    #[must_use]
    pub fn new(workers: u16) -> Self {
        Self { cells: Cells::new(workers.saturating_add(1)), departures: Departures::new(MOST_DEPARTED) }
    }

    /// The cell that this worker writes; the acceptor's index is the number of workers.
    #[must_use]
    pub fn cell(&self, worker: WorkerIndex) -> &ListenerCell {
        self.cells.of(worker)
    }

    /// Something that lasts has ended for a client. False if another client, who was awaited, was forgotten for it.
    pub fn client_went(&self, now: Moment, what: LongLived, client: ClientName<'_>) -> bool {
        self.departures.went(now, what, client)
    }

    /// Something that lasts begins for a client: whether it had lost the like a short while ago
    /// ([`RETURN_WINDOW`](super::RETURN_WINDOW)).
    pub fn client_came(&self, now: Moment, what: LongLived, client: ClientName<'_>) -> bool {
        self.departures.came(now, what, client)
    }

    /// Sessions that are open.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        self.cells.iter().flat_map(|c| &c.spoken).map(|s| s.sessions.get()).sum()
    }

    /// Sessions that are open and speak this.
    #[must_use]
    pub fn sessions_of(&self, protocol: SessionProtocol) -> u64 {
        self.each(protocol).map(|s| s.sessions.get()).sum()
    }

    /// Sessions that spoke this, or connections that spoke nothing yet, and ended so.
    #[must_use]
    pub fn closed_total(&self, protocol: SessionProtocol, reason: CloseReason) -> u64 {
        self.each(protocol).map(|s| s.closed.get(reason as usize)).sum()
    }

    /// Each worker's histogram of the durations of sessions that spoke this, over [`DURATION_BOUNDS_US`].
    pub fn durations(&self, protocol: SessionProtocol) -> impl Iterator<Item = &Histogram> {
        self.each(protocol).map(|s| &s.durations)
    }

    /// Each worker's histogram of the messages of sessions that had any, over [`MESSAGE_BOUNDS`].
    pub fn messages(&self, protocol: SessionProtocol) -> impl Iterator<Item = &Histogram> {
        self.each(protocol).map(|s| &s.messages)
    }

    /// Exchanges that failed on sessions that speak this.
    #[must_use]
    pub fn failed_total(&self, protocol: SessionProtocol) -> u64 {
        self.each(protocol).map(|s| s.failed.get()).sum()
    }

    /// Exchanges that ended so before they had a service.
    #[must_use]
    pub fn unrouted_total(&self, outcome: ExchangeOutcome) -> u64 {
        self.cells.iter().map(|c| c.unrouted.get(outcome as usize)).sum()
    }

    /// Clients that had this again a short while after they had lost it.
    #[must_use]
    pub fn came_back_total(&self, what: LongLived) -> u64 {
        self.cells.iter().map(|c| c.came_back.get(what as usize)).sum()
    }

    fn each(&self, protocol: SessionProtocol) -> impl Iterator<Item = &Spoken> {
        self.cells.iter().map(move |c| c.of(protocol))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_counts_where_it_speaks_and_once() {
        let stats = ListenerStats::new(1);
        let cell = stats.cell(WorkerIndex(0));
        cell.session_began();
        cell.session_changed(SessionProtocol::Unknown, SessionProtocol::Http1);
        cell.session_changed(SessionProtocol::Http1, SessionProtocol::WebSocket);
        let open = |p| stats.sessions_of(p);
        assert_eq!((stats.sessions(), open(SessionProtocol::WebSocket)), (1, 1));
        assert_eq!((open(SessionProtocol::Unknown), open(SessionProtocol::Http1)), (0, 0));
        cell.session_ended(SessionProtocol::WebSocket, CloseReason::ClientClosed, Duration::from_secs(1));
        assert_eq!(stats.sessions(), 0);
        assert_eq!(stats.closed_total(SessionProtocol::WebSocket, CloseReason::ClientClosed), 1);
        assert_eq!(stats.closed_total(SessionProtocol::Http1, CloseReason::ClientClosed), 0);
    }
}
