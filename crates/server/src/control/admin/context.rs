//! What the handlers share.

use crate::control::state::State;
use crate::control::telemetry::metrics::Metrics;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Most event streams that are open at once; one more is answered with 503.
pub const MAX_SUBSCRIBERS: usize = 16;

/// Shared by the handlers of one address.
#[derive(Clone)]
pub(super) struct Admin {
    pub(super) state: Arc<State>,
    pub(super) metrics: Arc<Metrics>,
    /// One permit for each event stream that may be open.
    pub(super) subscribers: Arc<Semaphore>,
}

impl Admin {
    pub(super) fn new(state: Arc<State>) -> Self {
        let metrics = Arc::new(Metrics::new(state.clone()));
        Self { state, metrics, subscribers: Arc::new(Semaphore::new(MAX_SUBSCRIBERS)) }
    }
}
