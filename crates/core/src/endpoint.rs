//! Endpoints and the sets that discovery publishes.

use crate::health::EndpointHealth;
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
    /// When it became ready, for slow start.
    pub ready_since: Moment,
    /// Whether it was there when the service was first published: such endpoints do not start slowly.
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
}

/// What a new set changed against the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointChange {
    /// Came.
    pub added: Vec<EndpointId>,
    /// Went.
    pub removed: Vec<EndpointId>,
    /// Stayed, with another state, weight or zone.
    pub changed: Vec<EndpointId>,
}
