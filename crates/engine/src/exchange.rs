//! One request and its response: two streams and what is known of them.

use crate::grpc_web::WebCall;
use crate::keys::{ConnKey, PoolKey};
use crate::output::Backlog;
use crate::side::Side;
use crate::websocket::WebSocket;
use crate::window::Window;
use evenkeel_core::id::EndpointId;
use evenkeel_core::policy::Retry;
use evenkeel_core::time::Moment;
use evenkeel_wire::hpack::HeaderList;
use evenkeel_wire::sse::EventTracker;
use std::time::Duration;

/// One of an exchange's two streams, and the data that waits to be sent on it.
#[derive(Debug)]
pub(crate) struct Leg {
    /// The connection and the stream on it; `None` before there is one, and after the stream has ended there.
    pub(crate) at: Option<(ConnKey, u32)>,
    /// What we may send.
    pub(crate) send_window: i64,
    /// What the peer may send.
    pub(crate) receive_window: i64,
    /// The size of that window, used or not.
    pub(crate) window: Window,
    /// Received and not yet sent on.
    pub(crate) uncredited: u32,
    /// Received, sent on, and not yet given back as credit.
    pub(crate) owed_credit: u32,
    /// The peer ended its side.
    pub(crate) is_received: bool,
    /// We ended our side.
    pub(crate) is_sent: bool,
    /// Body bytes that the peer announced and has not sent.
    pub(crate) announced: Option<u64>,
    /// Data for the peer that waits for a window or for room.
    pub(crate) backlog: Backlog,
    /// The other side has ended: our side ends when the backlog has left.
    pub(crate) ends_after_backlog: bool,
    /// Trailers that leave after the backlog.
    pub(crate) trailers: Option<Box<HeaderList>>,
    /// Its connection is not read before more of what came has gone on; only where there are no windows.
    pub(crate) is_held_back: bool,
    /// Whether the exchange stands in the connection's `blocked` queue.
    pub(crate) is_blocked: bool,
    /// Since when the peer has taken nothing of the backlog; `NEVER` without one.
    pub(crate) stalled_since: Moment,
}

impl Leg {
    pub(crate) fn new(at: Option<(ConnKey, u32)>, send_window: i64, receive_window: i64) -> Self {
        Self {
            at,
            send_window,
            receive_window,
            window: Window::new(receive_window as u32),
            uncredited: 0,
            owed_credit: 0,
            is_received: false,
            is_sent: false,
            announced: None,
            backlog: Backlog::default(),
            ends_after_backlog: false,
            trailers: None,
            is_held_back: false,
            is_blocked: false,
            stalled_since: Moment::NEVER,
        }
    }
}

/// What an exchange carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request and its answer.
    Message,
    /// A WebSocket that is asked for, or stands.
    WebSocket,
    /// Bytes both ways until both sides have ended.
    Tunnel,
}

impl Kind {
    /// Whether it stays with its endpoint for as long as it lasts, so that it is a session of that endpoint.
    pub(crate) const fn is_session(self) -> bool {
        !matches!(self, Self::Message)
    }
}

/// An exchange.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) client: Leg,
    pub(crate) upstream: Leg,
    /// Index of the service in the engine's list.
    pub(crate) service: usize,
    /// The endpoint that it was given to, and its connections.
    pub(crate) pool: Option<PoolKey>,
    /// It waits for a connection or a stream since then.
    pub(crate) waits_since: Option<Moment>,
    pub(crate) began: Moment,
    /// When it is over at the latest.
    pub(crate) deadline: Moment,
    /// When it was given to the endpoint.
    pub(crate) sent: Moment,
    /// When the endpoint's answer must have begun.
    pub(crate) try_deadline: Moment,
    /// Whether and when it may be sent again.
    pub(crate) retry: Retry,
    /// The request, kept until a part of an answer went to the client; owned fields.
    pub(crate) request: HeaderList,
    /// The request's body from its start, kept as long or until it grows too large.
    pub(crate) replay: Vec<u8>,
    /// All that came of the request is kept, and nothing of an answer went to the client: it may be given to another
    /// endpoint, if the failure says that it was not processed.
    pub(crate) is_replayable: bool,
    /// It was sent again by its route's leave and has a place of the service's budget.
    pub(crate) is_retrying: bool,
    /// Trailers of a request that came before it was sent.
    pub(crate) request_trailers: Option<Box<HeaderList>>,
    /// Endpoints that it was given to before.
    pub(crate) tried: Vec<EndpointId>,
    /// Those of them that went away without having processed it: they may well take it on another connection.
    pub(crate) went_away: Vec<EndpointId>,
    /// How often it was put on a wire.
    pub(crate) sent_times: u32,
    /// Interim answers that came.
    pub(crate) interim_answers: u32,
    /// Body bytes that its route still takes from the client; `None` is no limit.
    pub(crate) body_left: Option<u64>,
    pub(crate) kind: Kind,
    /// It is bytes both ways by now.
    pub(crate) is_tunnel: bool,
    /// Longest time without a byte, once it is that; `None` is no limit.
    pub(crate) upgraded_idle: Option<Duration>,
    /// When bytes last came of either peer, once it is that.
    pub(crate) heard: Moment,
    /// The WebSocket that it is, once it stands.
    pub(crate) websocket: Option<Box<WebSocket>>,
    pub(crate) is_grpc: bool,
    pub(crate) is_head: bool,
    /// Its method may be repeated (RFC 9110 §9.2.2).
    pub(crate) is_idempotent: bool,
    /// It is translated from gRPC-Web.
    pub(crate) web: Option<Box<WebCall>>,
    /// Follows the answer's events, if it is a stream of them.
    pub(crate) events: Option<Box<EventTracker>>,
    /// Final response headers were forwarded.
    pub(crate) is_answered: bool,
}

impl Exchange {
    pub(crate) fn leg(&self, side: Side) -> &Leg {
        match side {
            Side::Client => &self.client,
            Side::Upstream => &self.upstream,
        }
    }

    pub(crate) fn leg_mut(&mut self, side: Side) -> &mut Leg {
        match side {
            Side::Client => &mut self.client,
            Side::Upstream => &mut self.upstream,
        }
    }

    /// It may be sent again though its endpoint may have processed it: whoever repeats it does no harm.
    pub(crate) fn may_be_repeated(&self) -> bool {
        self.is_idempotent && self.is_repeatable()
    }

    /// The request is whole and could be sent again from its start.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.is_replayable && self.client.is_received
    }

    /// Every endpoint was tried: those that went away may be asked once more, each over a fresh connection, while the
    /// route's attempts last. False if that changes nothing.
    pub(crate) fn may_ask_again(&mut self) -> bool {
        if self.went_away.is_empty() || self.sent_times > self.retry.attempts {
            return false;
        }
        self.tried.retain(|endpoint| !self.went_away.contains(endpoint));
        self.went_away.clear();
        true
    }

    /// It will be bytes both ways, and is not yet: what the client sends waits.
    pub(crate) fn awaits_tunnel(&self) -> bool {
        self.kind.is_session() && !self.is_tunnel && !self.is_answered
    }

    /// Whether it is over, or its try is, at this moment.
    pub(crate) fn has_deadline(&self, at: Moment) -> bool {
        at == self.deadline || at == self.try_deadline
    }
}
