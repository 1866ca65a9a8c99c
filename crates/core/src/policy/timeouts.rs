//! Timeouts of connections, of listeners and of services alike. Read by the engine, and by the data plane for handshakes.

use std::time::Duration;

/// `timeouts` of connections, by listener and by service; those of an exchange are in
/// [`super::RoutePolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection to an endpoint.
    pub connect: Duration,
    /// For a TLS handshake, from the open connection to its end.
    pub tls_handshake: Duration,
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
            tls_handshake: Duration::from_secs(10),
            header: Duration::from_secs(10),
            idle: Duration::from_secs(3600),
            send: Duration::from_secs(60),
        }
    }
}
