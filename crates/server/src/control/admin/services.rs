//! `/api/v1/services`: every service with its endpoints and their load. Field names are stable.

use super::context::Admin;
use crate::control::telemetry::record::state_code;
use axum::extract::State as Extract;
use axum::response::Json;
use evenkeel_core::endpoint::Endpoint;
use evenkeel_core::reason::ExchangeOutcome;
use evenkeel_core::time::Moment;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
pub(super) struct ServicesPage {
    services: Vec<ServiceView>,
}

#[derive(Serialize)]
struct ServiceView {
    name: Arc<str>,
    /// Over the last 10 s; 1.0 is level.
    skew: f64,
    discovery: DiscoveryView,
    endpoints: Vec<EndpointView>,
}

#[derive(Serialize)]
struct DiscoveryView {
    source: &'static str,
    /// Since the last good answer; null if there was none.
    age_seconds: Option<f64>,
    /// Why there is no answer now; null if there is one.
    failure: Option<FailureView>,
}

#[derive(Serialize)]
struct FailureView {
    reason: &'static str,
    detail: String,
}

#[derive(Serialize)]
struct EndpointView {
    address: String,
    zone: Option<Arc<str>>,
    weight: u32,
    ordinal: Option<u32>,
    pod: Option<Arc<str>>,
    state: &'static str,
    ejected: bool,
    /// Until the endpoint may be picked again; null if it is not ejected.
    ejected_for_ms: Option<u64>,
    /// WebSockets and tunnels, which stay with the endpoint.
    sessions: u64,
    upstreams: u64,
    active_exchanges: u64,
    requests_total: u64,
    failures_total: u64,
    failures_in_row: u32,
    latency_ewma_us: u64,
}

pub(super) async fn services(Extract(admin): Extract<Admin>) -> Json<ServicesPage> {
    let state = &admin.state;
    let now = state.clock.now();
    let snapshot = state.snapshot.load();
    let discovery = state.discovery();
    let windows = state.windows();
    let services = snapshot.services.iter().map(|service| {
        let status = discovery.get(&service.name).cloned().unwrap_or_default();
        ServiceView {
            name: service.name.clone(),
            skew: windows.skew(service.id, &service.endpoints),
            discovery: DiscoveryView {
                source: status.source,
                age_seconds: status.last_good.map(|at| now.since(at).as_secs_f64()),
                failure: status.failure.map(|f| FailureView { reason: f.reason.code(), detail: f.detail }),
            },
            endpoints: service.endpoints.endpoints.iter().map(|e| endpoint(e, now)).collect(),
        }
    });
    Json(ServicesPage { services: services.collect() })
}

fn endpoint(endpoint: &Endpoint, now: Moment) -> EndpointView {
    let Endpoint { spec, stats, health, .. } = endpoint;
    let ejected = health.is_ejected(now);
    let left = health.ejected_until().since(now);
    EndpointView {
        address: spec.address.to_string(),
        zone: spec.zone.clone(),
        weight: spec.weight,
        ordinal: spec.ordinal,
        pod: spec.pod.clone(),
        state: state_code(spec.state),
        ejected,
        ejected_for_ms: ejected.then(|| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        sessions: stats.sessions(),
        upstreams: stats.upstreams(),
        active_exchanges: stats.active_exchanges(),
        requests_total: stats.requests_total(),
        failures_total: FAILURES.iter().map(|&outcome| stats.outcome_total(outcome)).sum(),
        failures_in_row: health.failures_in_row(),
        latency_ewma_us: stats.latency_ewma_ns() / 1000,
    }
}

/// Outcomes that the endpoint answers for; the others are the client's, the route's or our own doing.
const FAILURES: [ExchangeOutcome; 7] = [
    ExchangeOutcome::UpstreamReset,
    ExchangeOutcome::UpstreamGone,
    ExchangeOutcome::UpstreamProtocolError,
    ExchangeOutcome::ConnectFailed,
    ExchangeOutcome::PendingTimeout,
    ExchangeOutcome::TryTimeout,
    ExchangeOutcome::RequestTimeout,
];
