//! Picks: which endpoint an exchange goes to.

use crate::endpoint::EndpointSet;
use crate::event::EventKind;
use crate::id::{EndpointId, ServiceId, WorkerIndex};
use crate::policy::{Balance, Ejection};
use crate::reason::{NoPickReason, PickReason};
use crate::time::Moment;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Who.
    pub endpoint: EndpointId,
    /// Where it listens.
    pub address: SocketAddr,
    /// Why.
    pub reason: PickReason,
}

/// What became of an exchange, for latency and ejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Response headers came after this long.
    Answered(Duration),
    /// The endpoint failed the exchange: connection refused or lost, reset, 5xx, gRPC UNAVAILABLE.
    Failed,
}

/// One worker's balancer of one service.
#[derive(Debug)]
pub struct Balancer {
    _balance: Balance,
}

impl Balancer {
    /// A balancer over no endpoints yet. `seed` makes its random choices repeatable.
    #[must_use]
    pub fn new(
        _service: ServiceId,
        _worker: WorkerIndex,
        _seed: u64,
        balance: Balance,
        _ejection: Ejection,
    ) -> Self {
        Self { _balance: balance }
    }
    /// Takes the policies of now.
    pub fn set_policy(&mut self, _balance: Balance, _ejection: Ejection) {}
    /// Takes a new set; what it knows of endpoints that stay is kept.
    pub fn set_endpoints(&mut self, _set: Arc<EndpointSet>, _now: Moment) {}
    /// Chooses. `tried` are endpoints that this exchange was already sent to.
    pub fn pick(&mut self, _now: Moment, _tried: &[EndpointId]) -> Result<Pick, NoPickReason> {
        Err(NoPickReason::NoEndpoints)
    }
    /// Learns what became of an exchange; an event when the endpoint's standing changes.
    pub fn report(&mut self, _now: Moment, _endpoint: EndpointId, _report: Report) -> Option<EventKind> {
        None
    }
}
