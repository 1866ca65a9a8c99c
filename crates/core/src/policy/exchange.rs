//! What holds for exchanges: the nearest of route, service and listener, key by key. Read by the engine for each exchange.

use crate::reason::RetryReason;
use std::time::Duration;

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

/// What is done with `x-forwarded-client-cert`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificateRule {
    /// What came is passed on.
    #[default]
    Pass,
    /// What came is removed, and if the client showed a certificate that was verified, it is named in its place.
    Set,
    /// What came is removed.
    Remove,
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
    /// `x-forwarded-client-cert`: who the client's verified certificate says it is.
    pub client_certificate: ClientCertificateRule,
}

/// What holds for the exchanges of a route: the nearest of route, service and listener, key by key.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RoutePolicy {
    /// For a whole exchange; `None` is none. A gRPC call's own `grpc-timeout` holds too.
    pub request_timeout: Option<Duration>,
    /// For a WebSocket or a tunnel through which nothing goes in either direction; `None` is none.
    pub upgraded_idle: Option<Duration>,
    /// Most bytes of a request's body; `None` is no limit. What was upgraded or is a tunnel has no body.
    pub request_body_bytes: Option<u64>,
    /// Sending again.
    pub retry: Retry,
    /// Headers that say where a request came from.
    pub headers: HeaderRules,
}
