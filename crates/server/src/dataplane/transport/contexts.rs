//! Whose TLS configuration is whose: made by the control side, immutable, swapped whole with the snapshot.

use evenkeel_core::id::{ListenerId, ServiceId};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use std::collections::HashMap;
use std::sync::Arc;

/// How a listener speaks TLS to its clients.
#[derive(Clone, Debug)]
pub(crate) struct ListenerContext {
    /// Certificates, versions, ALPN, client certificates, tickets.
    pub(crate) config: Arc<ServerConfig>,
    /// Clients that speak no TLS are served too (`protocol: auto`).
    pub(crate) is_optional: bool,
}

/// How a service's endpoints are spoken to.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamContext {
    /// Authorities, own certificate, ALPN.
    pub(crate) config: Arc<ClientConfig>,
    /// The name that endpoints are asked for and must have; `None`: each endpoint's own address.
    pub(crate) server_name: Option<ServerName<'static>>,
}

/// The TLS of all listeners and services; what is absent speaks cleartext.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsContexts {
    /// Listeners that terminate TLS.
    pub(crate) listeners: HashMap<ListenerId, ListenerContext>,
    /// Services whose endpoints speak TLS.
    pub(crate) services: HashMap<ServiceId, UpstreamContext>,
}
