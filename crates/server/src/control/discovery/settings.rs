//! How sources are asked: a component's own small settings, not the whole configuration.

use super::pace::Pace;
use std::net::SocketAddr;

/// How sources are asked.
#[derive(Clone, Debug, Default)]
pub struct DiscoverySettings {
    /// Which name servers.
    pub name_servers: NameServers,
    /// How often.
    pub pace: Pace,
}

/// Which name servers are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameServers {
    /// Those of `/etc/resolv.conf`, read again after each failure; `/etc/hosts` is obeyed.
    #[default]
    System,
    /// This one alone, over UDP and TCP.
    Only(SocketAddr),
}
