//! What a service, a listener and the process are asked to do: plain values, filled in by `config`.
//!
//! Defaults are those of the table of settings; `Default` here is their only other place and a test in `config` holds both together.

use crate::reason::RetryReason;
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

/// `timeouts` of connections, by listener and by service; that of an exchange is in [`RoutePolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection to an endpoint.
    pub connect: Duration,
    /// For a whole header block (and the preface) to arrive once it began.
    pub header: Duration,
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
            idle: Duration::from_secs(3600),
            send: Duration::from_secs(60),
        }
    }
}

/// `retry.on`: what may be sent again beside what was not processed, which always may. Only a call whose request is
/// whole and kept, and of whose answer nothing was passed on, is sent again; that it may be repeated is for the
/// configuration to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryOn {
    /// The endpoint reset the stream, or its connection was lost.
    pub reset: bool,
    /// No answer within `per_try_timeout`.
    pub timeout: bool,
    /// The answer was 502, 503 or 504.
    pub gateway_error: bool,
    /// The answer was `grpc-status` UNAVAILABLE, without a message before it.
    pub unavailable: bool,
    /// The answer was `grpc-status` RESOURCE_EXHAUSTED, without a message before it.
    pub resource_exhausted: bool,
}

impl RetryOn {
    /// Whether an exchange may be sent again for this reason.
    #[must_use]
    pub const fn allows(self, reason: RetryReason) -> bool {
        match reason {
            RetryReason::Unprocessed => true,
            RetryReason::Reset => self.reset,
            RetryReason::Timeout => self.timeout,
            RetryReason::GatewayError => self.gateway_error,
            RetryReason::Unavailable => self.unavailable,
            RetryReason::ResourceExhausted => self.resource_exhausted,
        }
    }
}

/// `retry` of a route, else of its service: an exchange is sent to another endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// What may be sent again.
    pub on: RetryOn,
    /// Most times an exchange is sent again.
    pub attempts: u32,
    /// Longest time from sending to the response headers of one try; `None` is none.
    pub per_try_timeout: Option<Duration>,
    /// Exchanges that may be under way again, as a share of all that are open at the service on the worker, 0 to 1;
    /// three may always. What was not processed does not count.
    pub budget: f64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { on: RetryOn::default(), attempts: 2, per_try_timeout: None, budget: 0.2 }
    }
}

/// What is done with a header that says where a request came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderRule {
    /// What came is passed on.
    #[default]
    Pass,
    /// It is added to a request that has none.
    Add,
    /// What came is replaced.
    Set,
}

/// What is done with `x-forwarded-for`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedFor {
    /// What came is passed on.
    #[default]
    Pass,
    /// The client's address goes behind what came.
    Append,
    /// The client's address replaces what came.
    Set,
}

/// `headers` of a route, else of its listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderRules {
    /// `x-forwarded-for`: the client's IP address.
    pub forwarded_for: ForwardedFor,
    /// `x-forwarded-proto`: `http`, or `https` if the client spoke TLS.
    pub forwarded_proto: HeaderRule,
    /// `x-forwarded-host`: the request's authority.
    pub forwarded_host: HeaderRule,
    /// `x-request-id`: a random UUID (RFC 9562, version 4).
    pub request_id: HeaderRule,
}

/// What holds for the exchanges of a route: the nearest of route, service and listener, key by key.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RoutePolicy {
    /// For a whole exchange; `None` is none. A gRPC call's own `grpc-timeout` holds too.
    pub request_timeout: Option<Duration>,
    /// Sending again.
    pub retry: Retry,
    /// Headers that say where a request came from.
    pub headers: HeaderRules,
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
