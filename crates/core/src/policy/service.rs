//! Policies of a service: how its endpoints are picked and left, and what its sessions may do. Read by balancers and engine.

use super::{Timeouts, Upstream};
use std::time::Duration;

/// How an endpoint is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BalancePolicy {
    /// Two candidates drawn by weight, compared by (outstanding ÷ weight + 1) × peak-EWMA latency (after Finagle).
    #[default]
    PeakEwma,
    /// Two candidates drawn by weight, compared by outstanding ÷ weight (Mitzenmacher, power of two choices).
    LeastRequest,
    /// Of all candidates the one with the least outstanding ÷ weight, exactly. What suits few, long connections.
    LeastConnection,
    /// In turn, by weight.
    RoundRobin,
    /// At random, by weight.
    Random,
}

/// `balance` of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// How an endpoint is chosen.
    pub policy: BalancePolicy,
    /// How long a new endpoint's weight ramps up; zero is off.
    pub slow_start: Duration,
}

/// `ejection` of a service: endpoints that fail leave the picks for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ejection {
    /// Failures in a row that eject; at least 1.
    pub consecutive_failures: u32,
    /// First time out of the picks; doubles with each ejection in a row.
    pub base: Duration,
    /// Longest time out of the picks.
    pub max: Duration,
    /// Largest share of the endpoints that may be out at once, 0 to 1; one endpoint may always be ejected unless
    /// the share is 0 or it is the only one.
    pub max_share: f64,
    /// When less than this share of the endpoints is left to pick from, ejections are ignored (panic), 0 to 1.
    pub panic_threshold: f64,
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            base: Duration::from_secs(1),
            max: Duration::from_secs(30),
            max_share: 0.5,
            panic_threshold: 0.0,
        }
    }
}

/// `websocket` of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebSocketPolicy {
    /// Time without a message after which a peer is sent a ping (RFC 6455 §5.5.2), so that nobody between thinks the
    /// connection dead; `None` is never.
    pub ping_interval: Option<Duration>,
}

/// All policies of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ServicePolicy {
    /// How an endpoint is chosen.
    pub balance: Balance,
    /// When a failing endpoint leaves the picks.
    pub ejection: Ejection,
    /// Connections to the endpoints.
    pub upstream: Upstream,
    /// Timeouts of the service's exchanges and upstreams.
    pub timeouts: Timeouts,
    /// WebSockets to its endpoints.
    pub websocket: WebSocketPolicy,
    /// Most sessions (WebSockets, tunnels) that one endpoint may hold, over all workers; `None` is no limit.
    pub max_sessions: Option<u32>,
    /// How long exchanges of a terminating endpoint may go on; `None`: as the process's.
    pub drain_deadline: Option<Duration>,
}
