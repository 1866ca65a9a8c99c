//! The data plane's threads: one acceptor and the workers.
//!
//! The control side holds a [`DataPlane`] and talks to them through it alone.

use crate::clock::Clock;
use evenkeel_core::event::Event;
use evenkeel_core::id::ListenerId;
use evenkeel_core::snapshot::Snapshot;
use evenkeel_core::stats::WorkerStats;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// An address to accept on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The listener in the snapshot.
    pub listener: ListenerId,
    /// Its name, for errors.
    pub name: Arc<str>,
    /// Where.
    pub address: SocketAddr,
}

/// An address that could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("listener {name}: cannot listen on {address}: {source}")]
pub struct BindError {
    /// Which listener.
    pub name: Arc<str>,
    /// Where.
    pub address: SocketAddr,
    /// What the kernel said.
    pub source: std::io::Error,
}

/// What was left when the drain ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainReport {
    /// Sessions that ended by themselves.
    pub finished: u64,
    /// Sessions that the deadline cut.
    pub cut_sessions: u64,
    /// Exchanges that the deadline cut.
    pub cut_exchanges: u64,
}

/// The running threads, as the control side sees them.
pub struct DataPlane {
    workers: Box<[Arc<WorkerStats>]>,
}

impl DataPlane {
    /// Starts the workers and the acceptor, with nothing to listen on yet. Events arrive in `events`; those that find
    /// it full are dropped and counted.
    ///
    /// # Errors
    /// What the kernel says when threads or epoll cannot be had.
    pub fn start(
        _workers: u16,
        _clock: Clock,
        _events: tokio::sync::mpsc::Sender<Event>,
    ) -> std::io::Result<Self> {
        Ok(Self { workers: Box::default() })
    }

    /// Each worker's counts.
    #[must_use]
    pub fn worker_stats(&self) -> &[Arc<WorkerStats>] {
        &self.workers
    }

    /// Gives every worker a new snapshot.
    pub fn apply(&self, _snapshot: &Arc<Snapshot>) {}

    /// Listens on exactly these: new ones are bound, those that are gone are closed, the others are not touched.
    /// All or nothing: on an error what was bound before stays as it was. Returns the addresses bound, in order (a
    /// port 0 comes back as the real one).
    ///
    /// # Errors
    /// Which address could not be had, and why.
    pub fn listen(&self, _bindings: &[Binding]) -> Result<Vec<SocketAddr>, BindError> {
        Ok(Vec::new())
    }

    /// Drains: goes on accepting for `propagation_delay`, then asks the sessions to end, and cuts what is left
    /// `deadline` after now. Returns at once; [`DataPlane::wait_drained`] waits.
    pub fn begin_drain(&self, _propagation_delay: Duration, _deadline: Duration) {}

    /// Blocks until the drain is over, and says what was cut.
    #[must_use]
    pub fn wait_drained(&self) -> DrainReport {
        DrainReport::default()
    }

    /// The first thread that has not begun a turn for longer than `limit` while it had work, if any.
    #[must_use]
    pub fn stalled(&self, _limit: Duration) -> Option<u16> {
        None
    }
}
