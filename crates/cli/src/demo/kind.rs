//! The kinds of connection that the demo shows: what each is called, and how many clients have one. Knows no sockets.

/// What a connection carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Unary gRPC calls over HTTP/2, many at a time.
    Grpc,
    /// HTTP/1.1 with keep-alive, one request after the other.
    Http,
    /// A WebSocket whose messages are echoed.
    WebSocket,
    /// A stream of server-sent events.
    Events,
    /// A TCP connection whose bytes are echoed.
    Tcp,
}

impl Kind {
    /// All, as they are shown.
    pub(super) const ALL: [Self; 5] = [Self::Grpc, Self::Http, Self::WebSocket, Self::Events, Self::Tcp];

    /// The name of its service in the demo's Evenkeel.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
            Self::WebSocket => "websocket",
            Self::Events => "sse",
            Self::Tcp => "tcp",
        }
    }

    /// What is counted.
    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Grpc => "calls",
            Self::Http => "requests",
            Self::WebSocket | Self::Tcp => "messages",
            Self::Events => "events",
        }
    }

    /// Clients of each way at first, with one connection each.
    pub(super) const fn clients(self) -> usize {
        match self {
            Self::Grpc | Self::Http => 4,
            Self::WebSocket | Self::Events | Self::Tcp => 12,
        }
    }

    /// Clients of each way that come later.
    pub(super) const fn newcomers(self) -> usize {
        if self.is_picked_once() { 8 } else { 0 }
    }

    /// Whether a connection stays with the endpoint that it was given to when it opened.
    pub(super) const fn is_picked_once(self) -> bool {
        matches!(self, Self::WebSocket | Self::Events | Self::Tcp)
    }
}
