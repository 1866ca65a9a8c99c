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
    /// Where TLS ends here; there if and only if the policy's transport is TLS.
    pub tls: Option<ListenerTls>,
    /// In order; a listener with a `service` and no `routes` has one that matches everything.
    pub routes: Vec<Route>,
}

/// `tls` of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// At least one; a client gets the first whose names hold the one that it asked for, else the first.
    pub certificates: Vec<CertificateFiles>,
    /// Whether clients show a certificate; `None`: they are not asked.
    pub client_auth: Option<ClientAuth>,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
    /// What is agreed on, the most wanted first (RFC 7301); empty agrees on nothing.
    pub alpn: Vec<Alpn>,
}

/// A certificate chain and its key, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, the certificate itself first.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// `tls.client_auth` of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuth {
    /// Certificates that clients' certificates must come from, PEM.
    pub ca: PathBuf,
    /// Whether a client may show none.
    pub mode: ClientAuthMode,
}

/// `tls.client_auth.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuthMode {
    /// A client without a certificate is refused.
    #[default]
    Required,
    /// A client without one is served; a wrong one is refused.
    Optional,
}

/// `tls.min_version`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    #[default]
    V1_2,
    /// RFC 8446.
    V1_3,
}

/// One of `tls.alpn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// `h2`.
    H2,
    /// `http/1.1`.
    Http11,
}

impl Alpn {
    /// As it is registered and sent (RFC 7301 §6).
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::H2 => "h2",
            Self::Http11 => "http/1.1",
        }
    }
}

/// `upstream.tls` of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// The name that is asked for (SNI) and that the endpoint's certificate must hold. `None`: the endpoint's address, which
    /// is never asked for.
    pub server_name: Option<Arc<str>>,
    /// Certificates that the endpoint's certificate must come from, PEM. `None`: those of the system.
    pub ca: Option<PathBuf>,
    /// What we show to endpoints that ask; `None`: nothing.
    pub certificate: Option<CertificateFiles>,
    /// Whether the endpoint's certificate is verified.
    pub verification: Verification,
}

/// `upstream.tls.verify`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// Chain and name.
    #[default]
    Full,
    /// Nothing: anybody could be the endpoint.
    Off,
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
    /// TLS to its endpoints; there if and only if the upstream's transport is TLS.
    pub tls: Option<UpstreamTls>,
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
