//! The admin API: health, metrics, services and the event stream, over HTTP/1.
//!
//! Reads [`State`] and changes nothing. The full API is for loopback only and refuses requests whose `Host` is not a
//! loopback name, so that no web page can reach it by rebinding a DNS name; the public one serves health and metrics.

mod events;
mod health;
mod host;
mod serve;
mod services;

pub use events::MAX_SUBSCRIBERS;
pub(super) use health::STALL_LIMIT;
pub use serve::{AdminBindError, AdminListener, Scope};

use super::state::State;
use super::telemetry::metrics::{CONTENT_TYPE, Metrics};
use axum::Router;
use axum::extract::State as Extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::json;
use std::sync::Arc;

/// What the handlers share.
#[derive(Clone)]
struct Admin {
    state: Arc<State>,
    metrics: Arc<Metrics>,
    subscribers: Arc<tokio::sync::Semaphore>,
}

/// The routes of a scope.
pub(super) fn router(state: Arc<State>, scope: Scope) -> Router {
    let metrics = Arc::new(Metrics::new(state.clone()));
    let admin = Admin { state, metrics, subscribers: events::places() };
    let public = Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics_text));
    let routes = match scope {
        Scope::Public => public,
        Scope::Full => public
            .route("/api/v1/services", get(services::services))
            .route("/api/v1/events", get(events::events)),
    };
    let routes = routes.fallback(not_found).method_not_allowed_fallback(method_not_allowed).with_state(admin);
    match scope {
        Scope::Public => routes,
        Scope::Full => routes.layer(axum::middleware::from_fn(host::only_loopback)),
    }
}

async fn metrics_text(Extract(admin): Extract<Admin>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], admin.metrics.text()).into_response()
}

async fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
}

async fn method_not_allowed() -> Response {
    error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path takes another method")
}

/// An error as JSON: a stable code, and a sentence for people.
fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "error": code, "message": message }))).into_response()
}

#[cfg(test)]
mod tests;
