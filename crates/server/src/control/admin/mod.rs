//! The admin API: health, metrics, services, connections and the event stream, over HTTP/1.
//!
//! Reads [`State`] and changes nothing. The full API is for loopback only and refuses requests whose `Host` is not a
//! loopback name, so that no web page can reach it by rebinding a DNS name; the public one serves health and metrics.

mod answer;
mod connections;
mod context;
mod events;
mod health;
mod host;
mod serve;
mod services;

pub use context::MAX_SUBSCRIBERS;
pub(super) use health::STALL_LIMIT;
pub use serve::{AdminBindError, AdminListener, Scope};

use super::state::State;
use super::telemetry::metrics::CONTENT_TYPE;
use answer::error;
use axum::Router;
use axum::extract::State as Extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use context::Admin;
use std::sync::Arc;

/// The routes of a scope.
fn router(state: Arc<State>, scope: Scope) -> Router {
    let admin = Admin::new(state);
    let public = Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics_text));
    let routes = match scope {
        Scope::Public => public,
        Scope::Full => public
            .route("/api/v1/services", get(services::services))
            .route("/api/v1/connections", get(connections::connections))
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

/// Serves an address for as long as the task lives.
pub async fn serve(listener: AdminListener, state: Arc<State>) {
    let router = router(state, listener.scope());
    listener.serve(router).await;
}

#[cfg(test)]
mod tests;
