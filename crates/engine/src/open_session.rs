//! A session as it is shown to people: a value, taken at one moment.

use evenkeel_core::event::ConnectionFigures;
use evenkeel_core::id::{ListenerId, ServiceId};
use evenkeel_core::session::{SessionProtocol, SessionTls};
use std::net::SocketAddr;

/// A session that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// Its number within the process.
    pub session: u64,
    /// The client.
    pub peer: SocketAddr,
    /// Where it was accepted.
    pub listener: ListenerId,
    /// What it speaks by now.
    pub protocol: SessionProtocol,
    /// What its TLS handshake ended with, where TLS ends here.
    pub tls: Option<Box<SessionTls>>,
    /// Where its exchange goes, if one is open and no other.
    pub service: Option<ServiceId>,
    /// The endpoint that has this exchange.
    pub endpoint: Option<SocketAddr>,
    /// Exchanges that are open.
    pub open_exchanges: usize,
    /// It is ending, and its last bytes wait to leave.
    pub is_ending: bool,
    /// So far.
    pub figures: ConnectionFigures,
}
