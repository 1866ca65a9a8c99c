//! Endpoints and the sets that discovery publishes.
//!
//! A set is an immutable snapshot; [`EndpointSetWriter`] makes each from the one before it, so that identity, counts
//! and health outlive it. Nothing here knows where endpoints come from or how one is chosen.

mod writer;

pub use writer::{EndpointIds, EndpointSetWriter};

use crate::health::{EjectionLedger, EndpointHealth};
use crate::id::EndpointId;
use crate::stats::EndpointStats;
use crate::time::Moment;
use std::net::SocketAddr;
use std::sync::Arc;

/// The EndpointSlice conditions of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndpointState {
    /// Takes new work.
    Ready,
    /// Ends soon and still serves: no new work unless nobody else serves.
    Terminating,
    /// Takes no work at all.
    NotReady,
}

impl EndpointState {
    /// Every state, the most serving first.
    pub const ALL: &'static [Self] = &[Self::Ready, Self::Terminating, Self::NotReady];

    /// The stable name: in endpoint files, the admin API and the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Terminating => "terminating",
            Self::NotReady => "not_ready",
        }
    }

    /// Whether an exchange may be sent to it at all.
    #[must_use]
    pub const fn is_serving(self) -> bool {
        !matches!(self, Self::NotReady)
    }
}

impl std::fmt::Display for EndpointState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What discovery knows of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSpec {
    /// Where it listens.
    pub address: SocketAddr,
    /// Topology zone.
    pub zone: Option<Arc<str>>,
    /// Share of the load relative to the others; 0 takes none.
    pub weight: u32,
    /// Number of a StatefulSet's pod.
    pub ordinal: Option<u32>,
    /// Conditions.
    pub state: EndpointState,
    /// The pod's name, where it is known.
    pub pod: Option<Arc<str>>,
}

impl EndpointSpec {
    /// A ready endpoint of weight 1 and nothing else known.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self { address, zone: None, weight: 1, ordinal: None, state: EndpointState::Ready, pod: None }
    }
}

/// An endpoint in a set.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Stays the same while the address is in the service.
    pub id: EndpointId,
    /// What discovery knows.
    pub spec: EndpointSpec,
    /// When it last became ready, for slow start; while it is not ready, when it was last published as new or ready.
    pub ready_since: Moment,
    /// Whether it was ready when the service was first published and has been since: such endpoints do not start
    /// slowly.
    pub is_original: bool,
    /// Counts, shared by every set that holds this id.
    pub stats: Arc<EndpointStats>,
    /// Failures and ejection, shared by every set that holds this id.
    pub health: Arc<EndpointHealth>,
}

/// A snapshot of a service's endpoints, sorted by address, no address twice.
#[derive(Clone, Debug, Default)]
pub struct EndpointSet {
    /// Grows by one with every set of the service.
    pub version: u64,
    /// The endpoints.
    pub endpoints: Box<[Endpoint]>,
    /// Where the workers write down ejections; shared by every set of the service.
    pub ejections: Arc<EjectionLedger>,
}

/// What a new set changed against the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointChange {
    /// Came.
    pub added: Vec<EndpointId>,
    /// Went.
    pub removed: Vec<EndpointId>,
    /// Stayed, with another state, weight, zone, ordinal or pod.
    pub changed: Vec<EndpointId>,
}
