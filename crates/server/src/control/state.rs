//! What the control loop writes and the admin API and the metrics read.
//!
//! No decision is made here. The loop is the only writer.

use super::discovery::{DiscoveryFailure, FailureReason};
use super::load_window::LoadWindows;
use crate::clock::Clock;
use crate::dataplane::DataPlane;
use arc_swap::ArcSwap;
use evenkeel_core::reason::EjectReason;
use evenkeel_core::snapshot::Snapshot;
use evenkeel_core::time::Moment;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tokio::sync::broadcast;

/// Events that wait for a slow subscriber of the event stream; one that is slower loses the oldest and is told so.
pub const EVENTS_QUEUED: usize = 1024;

/// One event of the stream.
#[derive(Clone, Debug)]
pub struct StreamEvent {
    /// The stable name.
    pub event: &'static str,
    /// The record as JSON.
    pub data: Arc<str>,
}

/// What is known of a service's source.
#[derive(Clone, Debug, Default)]
pub struct DiscoveryStatus {
    /// `static`, `dns`, `srv` or `file`; empty before the first answer.
    pub source: &'static str,
    /// Whether the source was asked at least once, whatever it said.
    pub was_asked: bool,
    /// When it last answered well.
    pub last_good: Option<Moment>,
    /// Why it has no answer now.
    pub failure: Option<DiscoveryFailure>,
}

/// What became of the configurations that were read.
#[derive(Debug, Default)]
pub struct ReloadCounts {
    /// Ran afterwards.
    pub applied: AtomicU64,
    /// Said the same as the running one.
    pub unchanged: AtomicU64,
    /// Refused; the running one stayed.
    pub rejected: AtomicU64,
}

/// Why the process takes no traffic now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unready {
    /// The listeners are not bound yet.
    NotListening,
    /// A service's source was not asked yet.
    NotDiscovered(Arc<str>),
    /// The process ends.
    Draining,
}

impl Unready {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotListening => "not_listening",
            Self::NotDiscovered(_) => "not_discovered",
            Self::Draining => "draining",
        }
    }
}

/// What is counted by service and reason.
pub type CountsByReason = BTreeMap<(Arc<str>, &'static str), u64>;

/// Shared by the control side's parts.
pub struct State {
    /// The process's clock.
    pub clock: Clock,
    /// The running threads.
    pub data_plane: DataPlane,
    /// What the data plane acts on.
    pub snapshot: ArcSwap<Snapshot>,
    /// Data plane threads that serve sessions.
    pub workers: AtomicU16,
    /// Whether the listeners are bound.
    pub is_listening: AtomicBool,
    /// Whether the process ends.
    pub is_draining: AtomicBool,
    /// Configurations that were read.
    pub reloads: ReloadCounts,
    /// The event stream.
    pub events: broadcast::Sender<StreamEvent>,
    addresses: Mutex<Vec<(Arc<str>, SocketAddr)>>,
    discovery: Mutex<HashMap<Arc<str>, DiscoveryStatus>>,
    certificate_ends: Mutex<Vec<(Arc<str>, SystemTime)>>,
    ejections: Mutex<CountsByReason>,
    discovery_failures: Mutex<CountsByReason>,
    windows: Mutex<LoadWindows>,
}

impl State {
    /// The state of a process that listens on nothing yet.
    #[must_use]
    pub fn new(clock: Clock, data_plane: DataPlane) -> Self {
        Self {
            clock,
            data_plane,
            snapshot: ArcSwap::default(),
            workers: AtomicU16::new(0),
            is_listening: AtomicBool::new(false),
            is_draining: AtomicBool::new(false),
            reloads: ReloadCounts::default(),
            events: broadcast::Sender::new(EVENTS_QUEUED),
            addresses: Mutex::default(),
            discovery: Mutex::default(),
            certificate_ends: Mutex::default(),
            ejections: Mutex::default(),
            discovery_failures: Mutex::default(),
            windows: Mutex::default(),
        }
    }

    /// Each listener's name and the real address on which it accepts.
    pub fn addresses(&self) -> MutexGuard<'_, Vec<(Arc<str>, SocketAddr)>> {
        locked(&self.addresses)
    }

    /// What is known of each service's source.
    pub fn discovery(&self) -> MutexGuard<'_, HashMap<Arc<str>, DiscoveryStatus>> {
        locked(&self.discovery)
    }

    /// When the first certificate of each listener with TLS ends.
    pub fn certificate_ends(&self) -> MutexGuard<'_, Vec<(Arc<str>, SystemTime)>> {
        locked(&self.certificate_ends)
    }

    /// The recent load of each service.
    pub fn windows(&self) -> MutexGuard<'_, LoadWindows> {
        locked(&self.windows)
    }

    /// One ejection more of a service.
    pub fn count_ejection(&self, service: &str, reason: EjectReason) {
        *locked(&self.ejections).entry((service.into(), reason.code())).or_default() += 1;
    }

    /// Ejections of each configured service by reason. Those of services that are gone are forgotten.
    #[must_use]
    pub fn ejections(&self) -> CountsByReason {
        self.of_configured(&self.ejections)
    }

    /// One attempt more of a service's discovery that failed.
    pub fn count_discovery_failure(&self, service: &str, reason: FailureReason) {
        *locked(&self.discovery_failures).entry((service.into(), reason.code())).or_default() += 1;
    }

    /// Attempts of discovery that failed, of each configured service by reason. Those of services that are gone are
    /// forgotten.
    #[must_use]
    pub fn discovery_failures(&self) -> CountsByReason {
        self.of_configured(&self.discovery_failures)
    }

    fn of_configured(&self, counts: &Mutex<CountsByReason>) -> CountsByReason {
        let snapshot = self.snapshot.load();
        let mut counts = locked(counts);
        counts.retain(|(service, _), _| snapshot.services.iter().any(|s| s.name == *service));
        counts.clone()
    }

    /// Why the process takes no traffic; empty if it does.
    #[must_use]
    pub fn unready(&self) -> Vec<Unready> {
        let mut reasons = Vec::new();
        if self.is_draining.load(Relaxed) {
            reasons.push(Unready::Draining);
        }
        if !self.is_listening.load(Relaxed) {
            reasons.push(Unready::NotListening);
        }
        let discovery = self.discovery();
        for service in &self.snapshot.load().services {
            if !discovery.get(&service.name).is_some_and(|status| status.was_asked) {
                reasons.push(Unready::NotDiscovered(service.name.clone()));
            }
        }
        reasons
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
