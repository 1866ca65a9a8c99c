//! What the data plane acts on: one immutable value, swapped whole.
//!
//! Made by the control side from configuration and discovery, read by the workers. Knows nothing of how it travels.

use crate::endpoint::EndpointSet;
use crate::id::{ListenerId, ServiceId};
use crate::policy::{ListenerPolicy, ServicePolicy};
use crate::route::RouteTable;
use crate::stats::{ListenerStats, ServiceStats};
use std::sync::Arc;

/// One service as the data plane sees it.
#[derive(Clone, Debug)]
pub struct Service {
    /// Stays the same while the name is configured.
    pub id: ServiceId,
    /// As configured.
    pub name: Arc<str>,
    /// What it is asked to do.
    pub policy: ServicePolicy,
    /// Who serves it.
    pub endpoints: Arc<EndpointSet>,
    /// Counts that outlive the snapshot.
    pub stats: Arc<ServiceStats>,
}

/// One listener as the data plane sees it.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Stays the same while the name is configured.
    pub id: ListenerId,
    /// As configured.
    pub name: Arc<str>,
    /// What it is asked to do.
    pub policy: ListenerPolicy,
    /// Where its requests go.
    pub routes: RouteTable,
    /// Counts that outlive the snapshot.
    pub stats: Arc<ListenerStats>,
}

/// All services and listeners of now. Parts that did not change are the same `Arc` as in the last snapshot.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Sorted by id.
    pub services: Vec<Arc<Service>>,
    /// Sorted by id.
    pub listeners: Vec<Arc<Listener>>,
}

impl Snapshot {
    /// The service of this id, if it is still configured.
    #[must_use]
    pub fn service(&self, id: ServiceId) -> Option<&Arc<Service>> {
        self.services.binary_search_by_key(&id, |s| s.id).ok().map(|i| &self.services[i])
    }

    /// The listener of this id, if it is still configured.
    #[must_use]
    pub fn listener(&self, id: ListenerId) -> Option<&Arc<Listener>> {
        self.listeners.binary_search_by_key(&id, |l| l.id).ok().map(|i| &self.listeners[i])
    }
}
