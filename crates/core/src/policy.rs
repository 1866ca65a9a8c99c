//! What a service, a listener and the process are asked to do: plain values, filled in by `config`.
//!
//! Defaults are those of the table of settings; `Default` here is their only other place and a test in `config` holds both together.

use std::time::Duration;

/// How an endpoint is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BalancePolicy {
    /// Two candidates drawn by weight, compared by (outstanding ÷ weight + 1) × peak-EWMA latency (after Finagle).
    #[default]
    PeakEwma,
    /// Two candidates drawn by weight, compared by outstanding ÷ weight (Mitzenmacher, power of two choices).
    LeastRequest,
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

/// `upstream` of a service: connections from Evenkeel to an endpoint. Counts are per worker and endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Most connections to one endpoint.
    pub max_connections: u32,
    /// Most exchanges at once on one connection; the peer's own limit holds too.
    pub max_streams: u32,
    /// Exchanges after which a connection is replaced by a new one; `None` is no limit.
    pub max_requests_per_connection: Option<u64>,
    /// Most exchanges that wait for a connection or a stream to one endpoint.
    pub pending: u32,
    /// Longest time that an exchange waits for a connection or a stream.
    pub pending_timeout: Duration,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            max_connections: 64,
            max_streams: 100,
            max_requests_per_connection: None,
            pending: 1024,
            pending_timeout: Duration::from_secs(5),
        }
    }
}

/// `timeouts`; the nearest of route, service and listener wins, key by key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection to an endpoint.
    pub connect: Duration,
    /// For a whole header block (and the preface) to arrive once it began.
    pub header: Duration,
    /// For a whole exchange; `None` is none.
    pub request: Option<Duration>,
    /// For a connection without an exchange.
    pub idle: Duration,
    /// For a peer that does not take what waits for it.
    pub send: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            header: Duration::from_secs(10),
            request: None,
            idle: Duration::from_secs(3600),
            send: Duration::from_secs(60),
        }
    }
}

/// `retry`: an exchange that the endpoint did not process is sent to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Most times an exchange is sent again.
    pub attempts: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 2 }
    }
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
    /// Sending again.
    pub retry: Retry,
    /// How long exchanges of a terminating endpoint may go on; `None`: as the process's.
    pub drain_deadline: Option<Duration>,
}

/// Policies of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerPolicy {
    /// Most sessions at once; one more is closed at once, with its reason.
    pub max_sessions: u32,
    /// Timeouts of the listener's sessions.
    pub timeouts: Timeouts,
}

impl Default for ListenerPolicy {
    fn default() -> Self {
        Self { max_sessions: 100_000, timeouts: Timeouts::default() }
    }
}

/// `drain` of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// From SIGTERM to the end, propagation delay included.
    pub deadline: Duration,
    /// How long it goes on taking new sessions after readiness went off, so that every client has heard.
    pub propagation_delay: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(30), propagation_delay: Duration::from_secs(5) }
    }
}
