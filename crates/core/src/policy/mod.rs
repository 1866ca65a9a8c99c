//! What a service, a listener and the process are asked to do: plain values, filled in by `config`.
//!
//! Defaults are those of the table of settings; `Default` here is their only other place and a test in `config` holds both together.
//! Files, names and addresses stay in `config`: what is here says what holds, not where it comes from.

mod exchange;
mod listener;
mod service;
mod timeouts;
mod upstream;

pub use exchange::{
    ClientCertificateRule, ForwardedFor, HeaderRule, HeaderRules, Retry, RetryOn, RoutePolicy,
};
pub use listener::{AcceptProxyProtocol, Cors, CorsOrigins, GrpcWeb, ListenerPolicy, ListenerProtocol};
pub use service::{Balance, BalancePolicy, Ejection, ServicePolicy, WebSocketPolicy};
pub use timeouts::Timeouts;
pub use upstream::{SendProxyProtocol, Upstream, UpstreamProtocol};

use std::time::Duration;

/// What stands between a socket and its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Nothing: what the socket brings is the session's.
    #[default]
    Cleartext,
    /// TLS 1.2 or 1.3 (RFC 5246, RFC 8446) ends here.
    Tls,
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
