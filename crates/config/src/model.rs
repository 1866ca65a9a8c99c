//! The one valid model. Only [`crate`]'s parser makes it, so whoever holds one need not check again.

use evenkeel_core::endpoint::EndpointSpec;
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::{Drain, ListenerPolicy, RoutePolicy, ServicePolicy};
use evenkeel_core::route::RouteMatch;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Data plane threads; `None` is one a core.
    pub workers: Option<u16>,
    /// Logs.
    pub log: Log,
    /// Admin API.
    pub admin: Admin,
    /// How the process ends.
    pub drain: Drain,
    /// Bounds of each worker.
    pub limits: Limits,
    /// At least one; no name twice.
    pub listeners: Vec<Listener>,
    /// At least one; no name twice.
    pub services: Vec<Service>,
}

/// `log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// `None`: text on a terminal, JSON else.
    pub format: Option<LogFormat>,
    /// What is written.
    pub level: LogLevel,
    /// Time between two records of a session that goes on.
    pub interval: Duration,
}

/// `log.format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// `log.level`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Errors only.
    Error,
    /// And warnings.
    Warn,
    /// And what happens to sessions, upstreams and endpoints.
    #[default]
    Info,
    /// And more.
    Debug,
}

/// `admin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// The whole API; loopback only. `None`: off.
    pub bind: Option<SocketAddr>,
    /// Health and metrics only; any address.
    pub public: Option<SocketAddr>,
}

/// One of `listeners`.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// Its name.
    pub name: Arc<str>,
    /// Where it accepts.
    pub bind: SocketAddr,
    /// Limits and timeouts.
    pub policy: ListenerPolicy,
    /// In order; a listener with a `service` and no `routes` has one that matches everything.
    pub routes: Vec<Route>,
}

/// One of a listener's `routes`.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// When it applies.
    pub matches: RouteMatch,
    /// Name of a configured service.
    pub service: Arc<str>,
    /// What holds for its exchanges: the nearest of route, service and listener, key by key.
    pub policy: RoutePolicy,
}

/// One of `services`.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Its name.
    pub name: Arc<str>,
    /// Where its endpoints come from.
    pub endpoints: EndpointSource,
    /// All its policies, defaults filled in.
    pub policy: ServicePolicy,
}

/// `endpoints` of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointSource {
    /// A list that is written here; at least one.
    Static(Vec<EndpointSpec>),
    /// Every A and AAAA record of a name, with this port.
    Dns {
        /// The name.
        name: Arc<str>,
        /// The port of every endpoint.
        port: u16,
    },
    /// Every target of an SRV record.
    Srv {
        /// The name, `_service._proto.name` or what else holds SRV records.
        name: Arc<str>,
    },
    /// A YAML or JSON list of endpoints, read again when it changes.
    File {
        /// The file.
        path: PathBuf,
    },
}
