//! What happened, for the log and the event stream: to sessions, upstreams and endpoints; of exchanges only a few of
//! those that fail.
//!
//! Plain values. Made by the balancers and the engine, written out by the control side; nothing here decides anything.

use crate::id::{EndpointId, ListenerId, ServiceId};
use crate::reason::{CloseReason, EjectReason, ExchangeOutcome, Limit};
use crate::session::{SessionProtocol, SessionTls};
use crate::time::Moment;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::Duration;

/// What happened, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Messages of WebSockets, and server-sent events, that came from the peer.
    pub messages_in: u64,
    /// Messages of WebSockets, and server-sent events, that went to the peer.
    pub messages_out: u64,
    /// Code of the close frame that came last from the peer of a WebSocket (RFC 6455 §7.4), as it was sent; 1005 is one
    /// without a code.
    pub close_code_in: Option<NonZeroU16>,
    /// Code of the close frame that went last to the peer, from the other side or from us.
    pub close_code_out: Option<NonZeroU16>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A client's connection was accepted and spoke its protocol.
    SessionStarted {
        /// Where it was accepted.
        listener: ListenerId,
        /// The client.
        peer: SocketAddr,
        /// Its number within the process.
        session: u64,
        /// What it speaks first.
        protocol: SessionProtocol,
        /// What its TLS handshake ended with, where TLS ends here.
        tls: Option<Box<SessionTls>>,
    },
    /// A client's connection goes on (the record of the log's interval).
    SessionGoesOn {
        /// Where it was accepted.
        listener: ListenerId,
        /// The client.
        peer: SocketAddr,
        /// Its number within the process.
        session: u64,
        /// What it speaks by now.
        protocol: SessionProtocol,
        /// So far.
        figures: ConnectionFigures,
    },
    /// A client's connection ended.
    SessionEnded {
        /// Where it was accepted.
        listener: ListenerId,
        /// The client.
        peer: SocketAddr,
        /// Its number within the process.
        session: u64,
        /// What it spoke at last.
        protocol: SessionProtocol,
        /// What its TLS handshake ended with, where TLS ends here.
        tls: Option<Box<SessionTls>>,
        /// Why it ended.
        reason: CloseReason,
        /// The parser's word for what was wrong, where the protocol was broken.
        detail: Option<&'static str>,
        /// In all.
        figures: ConnectionFigures,
    },
    /// A client's connection was closed as soon as it was accepted.
    SessionRefused {
        /// Where it was accepted.
        listener: ListenerId,
        /// The client.
        peer: SocketAddr,
        /// Why it was not taken.
        reason: CloseReason,
    },
    /// No connection is accepted for now: those that come wait in the kernel's backlog.
    AcceptPaused {
        /// Where one may wait.
        listener: ListenerId,
        /// What ran out.
        limit: Limit,
    },
    /// Connections are accepted again.
    AcceptResumed {
        /// What had run out.
        limit: Limit,
    },
    /// A connection to an endpoint stands.
    UpstreamOpened {
        /// Whose endpoint it is.
        service: ServiceId,
        /// The endpoint.
        endpoint: EndpointId,
        /// Where it listens.
        address: SocketAddr,
    },
    /// A connection to an endpoint ended or never stood.
    UpstreamClosed {
        /// Whose endpoint it is.
        service: ServiceId,
        /// The endpoint.
        endpoint: EndpointId,
        /// Where it listens.
        address: SocketAddr,
        /// Why it ended.
        reason: CloseReason,
        /// The parser's word for what was wrong, where the protocol was broken.
        detail: Option<&'static str>,
        /// In all.
        figures: ConnectionFigures,
    },
    /// An exchange failed, by no doing of its client's. Told of a few a second for each worker; all are counted.
    ExchangeFailed {
        /// Where its route led, if there was one.
        service: Option<ServiceId>,
        /// The endpoint that it ended on; `None` if it had left the last one, or never had one.
        address: Option<SocketAddr>,
        /// How it ended.
        outcome: ExchangeOutcome,
        /// How long it took.
        took: Duration,
        /// How often it was sent to an endpoint.
        tries: u32,
        /// Others that failed since the last such event of the worker, and were not told.
        left_out: u64,
    },
    /// An endpoint left the picks because it fails.
    Ejected {
        /// Whose endpoint it is.
        service: ServiceId,
        /// The endpoint.
        endpoint: EndpointId,
        /// Where it listens.
        address: SocketAddr,
        /// Why it left.
        reason: EjectReason,
        /// For how long.
        duration: Duration,
    },
    /// An ejected endpoint answered well again: its next ejection is the first of a row.
    Readmitted {
        /// Whose endpoint it is.
        service: ServiceId,
        /// The endpoint.
        endpoint: EndpointId,
        /// Where it listens.
        address: SocketAddr,
    },
}
