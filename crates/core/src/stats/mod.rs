//! Counts that workers write and the control side reads.
//!
//! Each worker writes cells of its own and readers sum them: no lock and no shared cache line on the data path.
//! They belong to ids and outlive snapshots, so that a new snapshot never forgets what is in flight.

mod counter;
mod departures;
mod endpoint;
mod listener;
mod service;
mod worker;

pub use counter::{Counter, DURATION_BOUNDS_US, Gauge, Histogram, MESSAGE_BOUNDS, TURN_BOUNDS_US, Tally};
pub use departures::{ClientName, MOST_DEPARTED, RETURN_WINDOW};
pub use endpoint::{EndpointCell, EndpointStats};
pub use listener::{ListenerCell, ListenerStats};
pub use service::{MessageDirection, ServiceCell, ServiceStats};
pub use worker::{MemoryPart, WorkerStats};

use crate::id::WorkerIndex;

/// One cell a worker; a worker beyond the number given at the start shares the last one's.
#[derive(Debug)]
struct Cells<T>(Box<[T]>);

impl<T: Default> Cells<T> {
    fn new(workers: u16) -> Self {
        Self((0..workers.max(1)).map(|_| T::default()).collect())
    }

    fn of(&self, worker: WorkerIndex) -> &T {
        &self.0[usize::from(worker.0).min(self.0.len() - 1)]
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}
