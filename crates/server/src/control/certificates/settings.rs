//! What a configuration says of TLS, and of whom.

use evenkeel_config::model::{Alpn, Config, ListenerTls, UpstreamTls};
use evenkeel_core::policy::{ListenerProtocol, UpstreamProtocol};
use std::sync::Arc;

/// All that a configuration says of TLS.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// Its listeners with TLS.
    pub listeners: Vec<NamedListener>,
    /// Its services with TLS.
    pub services: Vec<NamedUpstream>,
}

impl TlsSettings {
    /// What a configuration says.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let listeners = config.listeners.iter().filter_map(|listener| {
            let is_optional = listener.policy.protocol == ListenerProtocol::Auto;
            Some(NamedListener { name: listener.name.clone(), is_optional, tls: listener.tls.clone()? })
        });
        let services = config.services.iter().filter_map(|service| {
            let alpn = match service.policy.upstream.protocol {
                UpstreamProtocol::Auto => vec![Alpn::H2, Alpn::Http11],
                UpstreamProtocol::H2 => vec![Alpn::H2],
                UpstreamProtocol::H1 => vec![Alpn::Http11],
            };
            Some(NamedUpstream { name: service.name.clone(), alpn, tls: service.tls.clone()? })
        });
        Self { listeners: listeners.collect(), services: services.collect() }
    }
}

/// A listener that speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedListener {
    /// Its name.
    pub name: Arc<str>,
    /// Clients that speak no TLS are served too.
    pub is_optional: bool,
    /// How.
    pub tls: ListenerTls,
}

/// A service whose endpoints speak TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedUpstream {
    /// Its name.
    pub name: Arc<str>,
    /// What is offered to endpoints, the best first.
    pub alpn: Vec<Alpn>,
    /// How.
    pub tls: UpstreamTls,
}
