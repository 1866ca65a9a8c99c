//! Connections from Evenkeel to endpoints. Read by the engine's pools.

use super::Transport;
use std::time::Duration;

/// What endpoints speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// Under TLS what ALPN agrees (RFC 7301). In cleartext what the client speaks, which falls back once and is remembered.
    #[default]
    Auto,
    /// HTTP/1.1.
    H1,
    /// HTTP/2; in cleartext by prior knowledge.
    H2,
}

/// The PROXY protocol's header at the beginning of a connection to an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SendProxyProtocol {
    /// There is none.
    #[default]
    None,
    /// Version 1, a line of text.
    V1,
    /// Version 2, binary.
    V2,
}

/// `upstream` of a service: connections from Evenkeel to an endpoint. Counts are per worker and endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// What endpoints speak.
    pub protocol: UpstreamProtocol,
    /// Whether connections are TLS; certificates and what is verified are the data plane's.
    pub transport: Transport,
    /// Header that names the client, before anything else; only for services whose upstreams each have one client.
    pub proxy_protocol: SendProxyProtocol,
    /// Most connections to one endpoint that exchanges share; `None` goes by what is spoken on them.
    pub max_connections: Option<u32>,
    /// Most exchanges at once on one connection; the peer's own limit holds too.
    pub max_streams: u32,
    /// Exchanges after which a connection is replaced by a new one; `None` is no limit.
    pub max_requests_per_connection: Option<u64>,
    /// Most exchanges that wait for a connection or a stream to one endpoint.
    pub pending: u32,
    /// Longest time that an exchange waits for a connection or a stream.
    pub pending_timeout: Duration,
}

/// Most connections that share an endpoint's exchanges over HTTP/2, unless it is written.
const HTTP2_CONNECTIONS: u32 = 64;

/// The same over HTTP/1, where each connection carries one exchange at a time.
const HTTP1_CONNECTIONS: u32 = 1024;

impl Upstream {
    /// Most connections to one endpoint that exchanges share. Those of tunnels and WebSockets are not among them.
    #[must_use]
    pub fn most_connections(&self, is_http1: bool) -> u32 {
        self.max_connections.unwrap_or(if is_http1 { HTTP1_CONNECTIONS } else { HTTP2_CONNECTIONS })
    }
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            protocol: UpstreamProtocol::default(),
            transport: Transport::default(),
            proxy_protocol: SendProxyProtocol::default(),
            max_connections: None,
            max_streams: 100,
            max_requests_per_connection: None,
            pending: 1024,
            pending_timeout: Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_1_has_more_connections_unless_their_number_is_written() {
        let unwritten = Upstream::default();
        assert_eq!((unwritten.most_connections(false), unwritten.most_connections(true)), (64, 1024));
        let written = Upstream { max_connections: Some(3), ..unwritten };
        assert_eq!((written.most_connections(false), written.most_connections(true)), (3, 3));
    }
}
