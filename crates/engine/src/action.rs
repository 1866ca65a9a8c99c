//! What the engine wants done: values, applied by the event loop after the call returns.

use crate::keys::ConnKey;
use evenkeel_core::event::EventKind;
use evenkeel_core::id::ServiceId;
use std::net::SocketAddr;

/// Something for the event loop to do.
#[derive(Debug)]
pub enum Action {
    /// Open a connection; answer with `connected` or `connect_failed`.
    Connect {
        /// Its key from now on.
        conn: ConnKey,
        /// Where to.
        address: SocketAddr,
        /// Whose endpoint that is: the service's TLS, if it has any, comes first.
        service: ServiceId,
    },
    /// Read a connection again that was not read because [`Engine::takes_input`](crate::Engine::takes_input) said so.
    Resume {
        /// Its key.
        conn: ConnKey,
    },
    /// End our side of a connection (FIN); what was to be sent before has been written.
    EndOutput {
        /// Its key.
        conn: ConnKey,
    },
    /// Close the socket; the key is gone. What was to be sent has been written.
    Close {
        /// The key it had.
        conn: ConnKey,
        /// Whether the peer may still be reading: end our side first, then drop what comes.
        is_polite: bool,
        /// Whether the peer must hear that it did not end well (RST): what was under way has no other way to say so.
        is_abort: bool,
    },
    /// Tell what happened.
    Event(EventKind),
}

/// Why a connection could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectFailure {
    /// Nobody listens there.
    Refused,
    /// No way there.
    Unreachable,
    /// The process has no descriptor left.
    NoDescriptors,
    /// The TLS handshake came to nothing, for this reason.
    Handshake(&'static str),
}

/// How a peer ended its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerEnd {
    /// FIN.
    Closed,
    /// RST or another error of the socket.
    Reset,
    /// The end came without the `close_notify` of TLS (RFC 8446 §6.1): what came last may be missing.
    Truncated,
    /// TLS goes no further, for this reason.
    TlsFailed(&'static str),
}
