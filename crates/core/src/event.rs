//! What happened, for the log and the event stream. Never one an exchange: sessions, upstreams, endpoints.

use crate::id::{EndpointId, ListenerId, ServiceId};
use crate::reason::{CloseReason, EjectReason};
use crate::time::Moment;
use std::net::SocketAddr;
use std::time::Duration;

/// What happened, and when.
#[derive(Clone, Debug)]
pub struct Event {
    /// On the driver's clock.
    pub at: Moment,
    /// What.
    pub kind: EventKind,
}

/// Figures of a session or an upstream since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionFigures {
    /// How long it has been open.
    pub age: Duration,
    /// Exchanges that began on it.
    pub exchanges: u64,
    /// Exchanges on it that failed.
    pub failed: u64,
    /// Bytes read from the peer.
    pub bytes_in: u64,
    /// Bytes written to the peer.
    pub bytes_out: u64,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// A client's connection was accepted and spoke its protocol.
    SessionStarted { listener: ListenerId, peer: SocketAddr, session: u64 },
    /// A client's connection goes on (the record of the log's interval).
    SessionGoesOn { listener: ListenerId, peer: SocketAddr, session: u64, figures: ConnectionFigures },
    /// A client's connection ended.
    SessionEnded {
        listener: ListenerId,
        peer: SocketAddr,
        session: u64,
        reason: CloseReason,
        /// The parser's word for what was wrong, where the protocol was broken.
        detail: Option<&'static str>,
        figures: ConnectionFigures,
    },
    /// A connection to an endpoint stands.
    UpstreamOpened { service: ServiceId, endpoint: EndpointId, address: SocketAddr },
    /// A connection to an endpoint ended or never stood.
    UpstreamClosed {
        service: ServiceId,
        endpoint: EndpointId,
        address: SocketAddr,
        reason: CloseReason,
        detail: Option<&'static str>,
        figures: ConnectionFigures,
    },
    /// An endpoint left the picks because it fails.
    Ejected {
        service: ServiceId,
        endpoint: EndpointId,
        address: SocketAddr,
        reason: EjectReason,
        duration: Duration,
    },
    /// An ejected endpoint answered well again.
    Readmitted { service: ServiceId, endpoint: EndpointId, address: SocketAddr },
}
