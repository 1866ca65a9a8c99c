//! What happened, as the control side tells it: the data plane's events and its own.
//!
//! Made by every part of the control side, turned into log lines and the event stream by `telemetry`. Knows neither.

use crate::dataplane::DrainReport;
use evenkeel_core::endpoint::EndpointSpec;
use evenkeel_core::event::EventKind;
use evenkeel_core::time::Moment;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// What happened, and when.
#[derive(Clone, Debug)]
pub struct Happening {
    /// On the process's clock.
    pub at: Moment,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    /// The data plane says so.
    DataPlane(EventKind),
    /// The process is up: every listener is bound.
    Started {
        /// Data plane threads.
        workers: usize,
    },
    /// A listener accepts here.
    ListenerBound {
        /// Its name.
        listener: Arc<str>,
        /// The real address.
        address: SocketAddr,
    },
    /// The admin API answers here.
    AdminBound {
        /// `full` or `public`.
        scope: &'static str,
        /// The real address.
        address: SocketAddr,
    },
    /// An endpoint came into a service.
    EndpointAdded {
        /// The service's name.
        service: Arc<str>,
        /// The endpoint.
        endpoint: EndpointSpec,
    },
    /// An endpoint went out of a service.
    EndpointRemoved {
        /// The service's name.
        service: Arc<str>,
        /// The endpoint as it was.
        endpoint: EndpointSpec,
    },
    /// An endpoint stayed, with another state, weight or zone.
    EndpointChanged {
        /// The service's name.
        service: Arc<str>,
        /// The endpoint as it was.
        was: EndpointSpec,
        /// The endpoint as it is.
        is: EndpointSpec,
    },
    /// Discovery has no new answer; the last good one stays.
    DiscoveryFailed {
        /// The service's name.
        service: Arc<str>,
        /// `dns`, `srv` or `file`.
        source: &'static str,
        /// The reason's stable code.
        reason: &'static str,
        /// What exactly went wrong.
        detail: String,
        /// Endpoints of the last good answer that stay.
        kept: usize,
    },
    /// Discovery answers again after failures.
    DiscoveryRecovered {
        /// The service's name.
        service: Arc<str>,
    },
    /// A new configuration runs.
    ConfigurationApplied {
        /// What it changed, for people.
        summary: String,
    },
    /// A configuration was read that says the same as the running one.
    ConfigurationUnchanged,
    /// A configuration was refused; the running one stays.
    ConfigurationRejected {
        /// Every mistake.
        mistakes: Vec<String>,
    },
    /// A setting changed that only a restart applies.
    RestartNeeded {
        /// The key.
        setting: &'static str,
    },
    /// Certificates were read again, and new connections get them.
    CertificatesRenewed {
        /// The listener's or service's name.
        of: Arc<str>,
        /// When the first of them ends.
        valid_until: Option<SystemTime>,
    },
    /// Certificates were read again and cannot be used; those before stay.
    CertificatesRefused {
        /// The listener's or service's name.
        of: Arc<str>,
        /// What is wrong, with the path.
        why: String,
        /// When the first of those in use ends.
        valid_until: Option<SystemTime>,
    },
    /// The endpoints of a service are believed whoever they are.
    UpstreamsUnverified {
        /// The service's name.
        service: Arc<str>,
    },
    /// A worker has not begun a turn for too long while it had work.
    WorkerStalled {
        /// Its index.
        worker: u16,
    },
    /// A worker that had stalled goes on.
    WorkerGoesOn {
        /// Its index.
        worker: u16,
    },
    /// The process ends: readiness is off.
    DrainBegan {
        /// What asked for it.
        trigger: &'static str,
        /// How long it goes on accepting.
        propagation_delay: Duration,
        /// When what is left is cut.
        deadline: Duration,
    },
    /// The process has ended its work.
    DrainEnded {
        /// What was cut.
        report: DrainReport,
    },
    /// The data plane did not end in time; what is left is cut with the process.
    DrainGivenUp,
    /// Records were left out because there were too many.
    RecordsLeftOut {
        /// How many in the last second that had any.
        count: u64,
    },
    /// Events were lost because the control side was too slow.
    EventsDropped {
        /// How many since the last such record.
        count: u64,
    },
}

impl What {
    /// Whether there may be one for each session, upstream or exchange: such records are bounded by rate.
    #[must_use]
    pub fn is_per_connection(&self) -> bool {
        matches!(
            self,
            Self::DataPlane(
                EventKind::SessionStarted { .. }
                    | EventKind::SessionRefused { .. }
                    | EventKind::SessionGoesOn { .. }
                    | EventKind::SessionEnded { .. }
                    | EventKind::UpstreamOpened { .. }
                    | EventKind::UpstreamClosed { .. }
                    | EventKind::ExchangeFailed { .. }
            )
        )
    }
}
