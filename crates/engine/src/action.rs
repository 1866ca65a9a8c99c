//! What the engine wants done: values, applied by the event loop after the call returns.

use crate::keys::ConnKey;
use evenkeel_core::event::EventKind;
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
    },
    /// Close the socket; the key is gone. What was to be sent has been written.
    Close {
        /// The key it had.
        conn: ConnKey,
        /// Whether the peer may still be reading: end our side first, then drop what comes.
        is_polite: bool,
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
}

/// How a peer ended its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerEnd {
    /// FIN.
    Closed,
    /// RST or another error of the socket.
    Reset,
}
