//! Whose TLS configuration is whose: made by the control side, immutable, swapped whole with the snapshot.

use evenkeel_core::id::{ListenerId, ServiceId};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use std::collections::HashMap;
use std::sync::Arc;

/// How a listener speaks TLS to its clients.
#[derive(Clone, Debug)]
pub struct ListenerContext {
    /// Certificates, versions, ALPN, client certificates, tickets.
    pub config: Arc<ServerConfig>,
    /// Clients that speak no TLS are served too (`protocol: auto`).
    pub is_optional: bool,
}

/// How a service's endpoints are spoken to.
#[derive(Clone, Debug)]
pub struct UpstreamContext {
    /// Authorities, own certificate, ALPN.
    pub config: Arc<ClientConfig>,
    /// The name that endpoints are asked for and must have; `None`: each endpoint's own address.
    pub server_name: Option<ServerName<'static>>,
}

/// The TLS of all listeners and services; what is absent speaks cleartext.
#[derive(Clone, Debug, Default)]
pub struct TlsContexts {
    /// Listeners that terminate TLS.
    pub listeners: HashMap<ListenerId, ListenerContext>,
    /// Services whose endpoints speak TLS.
    pub services: HashMap<ServiceId, UpstreamContext>,
}
