//! Failures in a row and ejections of one endpoint, and the ledger that makes a service's workers agree on them.
//!
//! Owns the shared atomics and nothing else: who is ejected, and for how long, is decided in [`crate::ejection`].
//! Written by the balancers of all workers, read by them and by the control side.

use crate::time::Moment;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One endpoint's health, shared by all workers and by every set that holds the endpoint's id.
#[derive(Debug, Default)]
pub struct EndpointHealth {
    failures_in_row: AtomicU32,
    ejections_in_row: AtomicU32,
    ejected_until_ns: AtomicU64,
}

impl EndpointHealth {
    /// Whether it is out of the picks at this moment.
    #[must_use]
    pub fn is_ejected(&self, now: Moment) -> bool {
        self.ejected_until() > now
    }

    /// When its last ejection ends or ended; [`Moment::ZERO`] if it was never ejected.
    #[must_use]
    pub fn ejected_until(&self) -> Moment {
        Moment::from_nanos(self.ejected_until_ns.load(Ordering::Relaxed))
    }

    /// Failures since it last answered well, those that came while it was ejected not counted.
    #[must_use]
    pub fn failures_in_row(&self) -> u32 {
        self.failures_in_row.load(Ordering::Relaxed)
    }

    /// Ejections since it last answered well in the picks.
    #[must_use]
    pub fn ejections_in_row(&self) -> u32 {
        self.ejections_in_row.load(Ordering::Relaxed)
    }

    /// Counts a failure and returns how many there are in a row.
    pub(crate) fn count_failure(&self) -> u32 {
        self.failures_in_row.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// Ends the row of failures and returns how long it was. Only a read while there is none.
    pub(crate) fn end_failures(&self) -> u32 {
        if self.failures_in_row() == 0 { 0 } else { self.failures_in_row.swap(0, Ordering::Relaxed) }
    }

    /// Ends the row of ejections; true for the one caller who ended it. Only a read while there is none.
    pub(crate) fn end_ejections(&self) -> bool {
        self.ejections_in_row() > 0 && self.ejections_in_row.swap(0, Ordering::Relaxed) > 0
    }

    /// Takes it out of the picks from `now` for `duration`.
    fn eject(&self, now: Moment, duration: Duration) {
        self.failures_in_row.store(0, Ordering::Relaxed);
        self.ejections_in_row.store(self.ejections_in_row().saturating_add(1), Ordering::Relaxed);
        self.ejected_until_ns.store((now + duration).as_nanos(), Ordering::Relaxed);
    }
}

/// Where the ejections of one service are written down, one at a time, so that several workers together keep the
/// largest share that may be out, and each notices what the others ejected.
#[derive(Debug, Default)]
pub struct EjectionLedger {
    version: AtomicU64,
    writing: Mutex<()>,
}

impl EjectionLedger {
    /// Grows with every ejection. Whoever reads a version also sees the ejections that led to it.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The right to eject, for as long as the value lives. Asked for only when an endpoint is about to be ejected.
    pub(crate) fn open(&self) -> OpenLedger<'_> {
        OpenLedger { ledger: self, _writing: self.writing.lock().unwrap_or_else(PoisonError::into_inner) }
    }
}

/// The right to eject endpoints of one service.
#[derive(Debug)]
pub(crate) struct OpenLedger<'a> {
    ledger: &'a EjectionLedger,
    _writing: MutexGuard<'a, ()>,
}

impl OpenLedger<'_> {
    /// Takes the endpoint out of the picks from `now` for `duration`, and lets the other workers know.
    pub(crate) fn eject(&self, health: &EndpointHealth, now: Moment, duration: Duration) {
        health.eject(now, duration);
        self.ledger.version.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ejection_ends_by_time_and_begins_a_new_row_of_failures() {
        let (ledger, health) = (EjectionLedger::default(), EndpointHealth::default());
        assert_eq!((health.count_failure(), health.count_failure()), (1, 2));
        let now = Moment::from_nanos(7);
        ledger.open().eject(&health, now, Duration::from_nanos(10));
        assert_eq!((health.failures_in_row(), health.ejections_in_row(), ledger.version()), (0, 1, 1));
        assert!(health.is_ejected(Moment::from_nanos(16)));
        assert!(!health.is_ejected(Moment::from_nanos(17)));
    }

    #[test]
    fn only_one_caller_ends_a_row_of_ejections() {
        let (ledger, health) = (EjectionLedger::default(), EndpointHealth::default());
        assert!(!health.end_ejections());
        ledger.open().eject(&health, Moment::ZERO, Duration::from_secs(1));
        assert!(health.end_ejections());
        assert!(!health.end_ejections());
    }
}
