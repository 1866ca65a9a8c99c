//! `/livez` and `/readyz`.

use super::context::Admin;
use crate::control::state::Unready;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Json;
use serde_json::{Value, json};
use std::time::Duration;

/// A worker that has not begun a turn for longer than this while it had work is stalled, and the process not alive.
pub(in crate::control) const STALL_LIMIT: Duration = Duration::from_secs(5);

pub(super) async fn livez(Extract(admin): Extract<Admin>) -> (StatusCode, Json<Value>) {
    match admin.state.data_plane.stalled(STALL_LIMIT) {
        None => (StatusCode::OK, Json(json!({ "alive": true }))),
        Some(worker) => {
            let reasons = [json!({ "reason": "worker_stalled", "worker": worker })];
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "alive": false, "reasons": reasons })))
        }
    }
}

pub(super) async fn readyz(Extract(admin): Extract<Admin>) -> (StatusCode, Json<Value>) {
    let unready = admin.state.unready();
    let status = if unready.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let reasons: Vec<Value> = unready
        .iter()
        .map(|reason| match reason {
            Unready::NotDiscovered(service) => json!({ "reason": reason.code(), "service": **service }),
            Unready::NotListening | Unready::Draining => json!({ "reason": reason.code() }),
        })
        .collect();
    (status, Json(json!({ "ready": unready.is_empty(), "reasons": reasons })))
}
