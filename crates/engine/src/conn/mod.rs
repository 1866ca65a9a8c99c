//! One connection as a value: of a client (a session) or to an endpoint (an upstream), whatever it speaks.

mod http1;
mod http2;
mod streams;

use crate::cancelled::Cancelled;
use crate::deadlines::Deadlines;
use crate::indexing::names_of;
use crate::keys::{ExchangeKey, PoolKey};
use crate::output::{BufferPool, Output};
use crate::secured::Secured;
use crate::side::Side;
use evenkeel_core::event::ConnectionFigures;
use evenkeel_core::id::{EndpointId, ServiceId};
use evenkeel_core::limits::Limits;
use evenkeel_core::reason::CloseReason;
use evenkeel_core::session::SessionProtocol;
use evenkeel_core::snapshot::Listener;
use evenkeel_core::time::Moment;
use evenkeel_wire::hpack::{HeaderLimits, HeaderList, HeaderStore, IndexPolicy};
use evenkeel_wire::http1::{Scheme, Unwritable};
use evenkeel_wire::http2::{DEFAULT_WINDOW, ErrorCode, MAX_STREAM_ID};
pub(crate) use http1::{Http1, Reading, Writing};
pub(crate) use http2::Http2;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
pub(crate) use streams::{NumberMap, Streams};

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A client's TLS handshake is under way, or is to begin.
    Securing,
    /// A client's first bytes are awaited.
    Detecting,
    /// An upstream's socket is being opened.
    Connecting,
    /// An upstream's socket is open, and its TLS handshake under way.
    Handshaking,
    /// The peer's SETTINGS are awaited; nothing was asked of an upstream yet, and a client has to begin with them.
    Greeting,
    /// At work.
    Open,
    /// What waits in the output leaves, then it closes for this reason. Input is dropped.
    Closing(CloseReason),
}

impl Phase {
    /// Whether an upstream does not stand yet.
    pub(crate) fn is_connecting(self) -> bool {
        matches!(self, Self::Connecting | Self::Handshaking)
    }
}

/// How far the end of a connection was announced to its peer (RFC 9113 §6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GoAwaySent {
    /// Not at all.
    No,
    /// GOAWAY with the highest id and a PING went out then: no new streams, please.
    Announced(Moment),
    /// GOAWAY with the last id that is processed.
    Final(u32),
}

/// Whether a new connection's peer may use a dynamic table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableOffer {
    /// The protocol's default.
    Default,
    /// None: the worker is short of memory for them.
    None,
}

/// What is spoken on a connection, and what only that needs.
#[derive(Debug)]
pub(crate) enum Speech {
    /// Not known yet.
    Unknown,
    Http2(Box<Http2>),
    Http1(Box<Http1>),
    /// Bytes without a form of ours: a tunnel.
    Raw,
}

/// What only one kind of connection has.
#[derive(Debug)]
pub(crate) enum Role {
    Client(ClientSide),
    Upstream(UpstreamSide),
}

#[derive(Debug)]
pub(crate) struct ClientSide {
    pub(crate) listener: Arc<Listener>,
    /// Who it is: the socket's peer, or whom a PROXY protocol header names.
    pub(crate) peer: SocketAddr,
    /// What it connected to, if that was told.
    pub(crate) destination: Option<SocketAddr>,
    /// A PROXY protocol header has to come first.
    pub(crate) awaits_proxy_header: bool,
    /// Number of the session, unique in the process with the worker's index in its upper bits.
    pub(crate) session: u64,
    /// When the log last had a record of it.
    pub(crate) recorded: Moment,
    /// First bytes, until they tell the protocol.
    pub(crate) first_bytes: Vec<u8>,
    /// Streams that it cancelled and that endpoints may not have seen end: they count against its concurrency.
    pub(crate) places_held: u32,
    /// When its exchanges are over.
    pub(crate) deadlines: Deadlines,
    /// What the handshake ended with, where TLS ends here.
    pub(crate) secured: Option<Box<Secured>>,
    /// What it counts as.
    pub(crate) protocol: SessionProtocol,
    /// It sent GOAWAY: the session ends with its last exchange.
    pub(crate) is_leaving: bool,
}

#[derive(Debug)]
pub(crate) struct UpstreamSide {
    pub(crate) pool: PoolKey,
    pub(crate) service: ServiceId,
    pub(crate) endpoint: EndpointId,
    pub(crate) address: SocketAddr,
    pub(crate) next_stream: u32,
    /// The last stream that the endpoint says it processes, once it sent GOAWAY.
    pub(crate) goaway: Option<u32>,
    /// No new exchange goes here any more.
    pub(crate) is_retiring: bool,
    pub(crate) served: u64,
    /// Headers or data came since our last PING.
    pub(crate) has_spoken: bool,
    /// It carries one exchange, which it was opened for, and no other.
    pub(crate) is_own: bool,
    /// Its PROXY protocol header was taken to be sent.
    pub(crate) is_introduced: bool,
    /// Streams that we reset and that the endpoint may not have seen end: they count against its concurrency. Most
    /// upstreams never have any.
    pub(crate) cancelled: Option<Box<Cancelled>>,
}

/// What the codecs know of the limits.
pub(crate) fn header_limits(limits: &Limits) -> HeaderLimits {
    HeaderLimits {
        list_bytes: limits.header_list_bytes,
        block_bytes: limits.header_block_bytes,
        block_frames: limits.header_block_frames,
    }
}

/// How far a peer has ended its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// It may send, and is read.
    Open,
    /// It may send, and is not read until what it sent before has gone on.
    Paused,
    /// It sends no more.
    Ended,
    /// Its socket is closed already.
    Gone,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) role: Role,
    pub(crate) phase: Phase,
    pub(crate) speech: Speech,
    pub(crate) input: Input,
    pub(crate) output: Output,
    pub(crate) is_dirty: bool,
    /// A message ended before its time, which only the connection's end can tell.
    pub(crate) is_aborted: bool,
    /// Our side ends when the output has left.
    pub(crate) ends_output: bool,
    /// Why a tunnel's client is left, where the tunnel knows better than how the connection looks.
    pub(crate) ends_as: Option<CloseReason>,
    /// Streams that are open, by id. HTTP/1 counts its messages as HTTP/2 its streams.
    pub(crate) streams: Streams,
    /// Highest id that the client opened, or that we opened at the endpoint.
    pub(crate) highest_stream: u32,
    /// What we may send.
    pub(crate) send_window: i64,
    /// Exchanges whose data waits for this connection's window or room in its output.
    pub(crate) blocked: VecDeque<ExchangeKey>,
    /// The earliest deadline that was armed; later ones are armed when it fires.
    pub(crate) armed: Moment,
    pub(crate) opened: Moment,
    /// When the last exchange ended, or the connection began.
    pub(crate) idle_since: Moment,
    /// Since when a header block (or the preface) is unfinished.
    pub(crate) header_since: Option<Moment>,
    /// Since when the peer has not taken what waits.
    pub(crate) stalled_since: Option<Moment>,
    /// What came and was dropped since it is closing.
    pub(crate) unheard: usize,
    pub(crate) figures: ConnectionFigures,
    /// The parser's word for what was wrong.
    pub(crate) detail: Option<&'static str>,
}

/// What may be sent where nothing but the output is a bound: HTTP/1 and tunnels have no windows. Every byte that is sent
/// is taken off it, and nothing is ever added: it has to last for all that a connection can carry.
pub(crate) const NO_WINDOW: i64 = i64::MAX / 2;

impl Conn {
    pub(crate) fn new(role: Role, phase: Phase, speech: Speech, now: Moment) -> Self {
        Self {
            role,
            phase,
            speech: Speech::Unknown,
            input: Input::Open,
            output: Output::default(),
            is_dirty: false,
            is_aborted: false,
            ends_output: false,
            ends_as: None,
            streams: Streams::default(),
            highest_stream: 0,
            send_window: 0,
            blocked: VecDeque::new(),
            armed: Moment::NEVER,
            opened: now,
            idle_since: now,
            header_since: None,
            stalled_since: None,
            unheard: 0,
            figures: ConnectionFigures::default(),
            detail: None,
        }
        .speaking(speech)
    }

    fn speaking(mut self, speech: Speech) -> Self {
        self.speak(speech);
        self
    }

    /// From now on this is spoken.
    pub(crate) fn speak(&mut self, speech: Speech) {
        self.send_window = match speech {
            Speech::Http2(_) => i64::from(DEFAULT_WINDOW),
            Speech::Unknown | Speech::Http1(_) | Speech::Raw => NO_WINDOW,
        };
        self.speech = speech;
    }

    /// HTTP/2 with a peer of this kind, from its beginning.
    pub(crate) fn new_http2(is_client: bool, limits: &Limits) -> Speech {
        let policy = if is_client {
            IndexPolicy::Private
        } else {
            IndexPolicy::Shared(names_of(limits.indexed_headers))
        };
        Speech::Http2(Box::new(Http2::new(policy, limits)))
    }

    pub(crate) fn http2(&self) -> Option<&Http2> {
        match &self.speech {
            Speech::Http2(http2) => Some(http2),
            _ => None,
        }
    }

    pub(crate) fn http2_mut(&mut self) -> Option<&mut Http2> {
        match &mut self.speech {
            Speech::Http2(http2) => Some(http2),
            _ => None,
        }
    }

    pub(crate) fn http1(&self) -> Option<&Http1> {
        match &self.speech {
            Speech::Http1(http1) => Some(http1),
            _ => None,
        }
    }

    pub(crate) fn http1_mut(&mut self) -> Option<&mut Http1> {
        match &mut self.speech {
            Speech::Http1(http1) => Some(http1),
            _ => None,
        }
    }

    pub(crate) fn client(&self) -> Option<&ClientSide> {
        match &self.role {
            Role::Client(client) => Some(client),
            Role::Upstream(_) => None,
        }
    }

    pub(crate) fn client_mut(&mut self) -> Option<&mut ClientSide> {
        match &mut self.role {
            Role::Client(client) => Some(client),
            Role::Upstream(_) => None,
        }
    }

    pub(crate) fn upstream(&self) -> Option<&UpstreamSide> {
        match &self.role {
            Role::Upstream(upstream) => Some(upstream),
            Role::Client(_) => None,
        }
    }

    pub(crate) fn upstream_mut(&mut self) -> Option<&mut UpstreamSide> {
        match &mut self.role {
            Role::Upstream(upstream) => Some(upstream),
            Role::Client(_) => None,
        }
    }

    /// What its cancelled streams hold, if it ever had any.
    pub(crate) fn cancelled_mut(&mut self) -> Option<&mut Cancelled> {
        self.upstream_mut()?.cancelled.as_deref_mut()
    }

    /// Which of an exchange's peers it leads to.
    pub(crate) fn side(&self) -> Side {
        if self.is_client() { Side::Client } else { Side::Upstream }
    }

    pub(crate) fn is_client(&self) -> bool {
        matches!(self.role, Role::Client(_))
    }

    /// Whether no stream is open on it.
    pub(crate) fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    /// Whether nobody has opened this stream: all that is not opened lies above the highest, and even ones are pushes,
    /// which there are none of (RFC 9113 §5.1.1).
    pub(crate) fn is_unopened(&self, stream: u32) -> bool {
        stream > self.highest_stream || stream.is_multiple_of(2)
    }

    /// Whether the peer was told that this stream will not be processed: what comes on it is passed over.
    pub(crate) fn is_past_goaway(&self, stream: u32) -> bool {
        matches!(self.goaway_sent(), GoAwaySent::Final(last) if stream > last)
    }

    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing(_))
    }

    /// Streams that count against a client's concurrency.
    pub(crate) fn counted_streams(&self) -> usize {
        self.streams.len() + self.client().map_or(0, |c| c.places_held as usize)
    }

    /// Whether its peer takes WebSockets on streams (RFC 8441).
    pub(crate) fn takes_websockets(&self) -> bool {
        self.http2().is_some_and(|http2| http2.peer.enable_connect_protocol)
    }

    /// Exchanges that an upstream could take now.
    pub(crate) fn free_streams(&self, most: u32) -> u32 {
        match &self.role {
            Role::Upstream(u)
                if self.phase == Phase::Open
                    && !u.is_retiring
                    && !u.is_own
                    && u.next_stream <= MAX_STREAM_ID =>
            {
                let taken = self.streams.len() as u32 + u.cancelled.as_ref().map_or(0, |c| c.len());
                match &self.speech {
                    Speech::Http2(http2) => most.min(http2.peer.max_concurrent_streams).saturating_sub(taken),
                    // What came unasked would be taken for the beginning of an answer.
                    Speech::Http1(http1) if !http1.tail.is_empty() => 0,
                    _ => 1_u32.saturating_sub(taken),
                }
            }
            _ => 0,
        }
    }

    /// How its requests came.
    pub(crate) fn scheme(&self) -> Scheme {
        if self.client().is_some_and(|c| c.secured.is_some()) { Scheme::Https } else { Scheme::Http }
    }

    /// Whether it is an endpoint's that speaks HTTP/1, and nothing of the last request has left for it.
    pub(crate) fn is_unasked(&self) -> bool {
        !self.is_client() && self.http1().is_some_and(|http1| self.figures.bytes_out <= http1.asked_at)
    }

    /// HTTP/2's state, and the output beside it.
    pub(crate) fn http2_and_output(&mut self) -> (Option<&mut Http2>, &mut Output) {
        match &mut self.speech {
            Speech::Http2(http2) => (Some(http2), &mut self.output),
            _ => (None, &mut self.output),
        }
    }

    /// How far its end was announced to its peer; only HTTP/2 can.
    pub(crate) fn goaway_sent(&self) -> GoAwaySent {
        self.http2().map_or(GoAwaySent::No, |http2| http2.goaway_sent)
    }

    /// The window that a new stream's peer grants us.
    pub(crate) fn first_window(&self) -> i64 {
        self.http2().map_or(NO_WINDOW, |http2| i64::from(http2.peer.initial_window_size))
    }

    /// Appends a request, whose body follows unless it ends here.
    pub(crate) fn put_request(
        &mut self,
        stream: u32,
        is_end: bool,
        list: &HeaderList,
        store: &mut HeaderStore,
        pool: &mut BufferPool,
    ) -> Result<(), Unwritable> {
        let out = self.output.buffer(pool);
        match &mut self.speech {
            Speech::Http2(http2) => {
                http2.put_headers(out, stream, is_end, list, store);
                Ok(())
            }
            Speech::Http1(http1) => http1.put_request(out, is_end, list, store),
            Speech::Unknown | Speech::Raw => Ok(()),
        }
    }

    /// Appends an interim response's headers.
    pub(crate) fn put_interim(
        &mut self,
        stream: u32,
        list: &HeaderList,
        store: &mut HeaderStore,
        pool: &mut BufferPool,
    ) -> Result<(), Unwritable> {
        let out = self.output.buffer(pool);
        match &mut self.speech {
            Speech::Http2(http2) => {
                http2.put_headers(out, stream, false, list, store);
                Ok(())
            }
            Speech::Http1(http1) => http1.put_interim(out, list, store),
            Speech::Unknown | Speech::Raw => Ok(()),
        }
    }

    /// Appends a response's headers, which a body follows unless it ends here.
    pub(crate) fn put_response(
        &mut self,
        stream: u32,
        is_end: bool,
        list: &HeaderList,
        store: &mut HeaderStore,
        pool: &mut BufferPool,
    ) -> Result<(), Unwritable> {
        let out = self.output.buffer(pool);
        match &mut self.speech {
            Speech::Http2(http2) => {
                http2.put_headers(out, stream, is_end, list, store);
                Ok(())
            }
            Speech::Http1(http1) => http1.put_response(out, is_end, list, store),
            Speech::Unknown | Speech::Raw => Ok(()),
        }
    }

    /// Appends the answer to a request that asked for a change of protocol.
    pub(crate) fn put_upgraded(
        &mut self,
        stream: u32,
        list: &HeaderList,
        store: &mut HeaderStore,
        pool: &mut BufferPool,
    ) -> Result<(), Unwritable> {
        let out = self.output.buffer(pool);
        match &mut self.speech {
            Speech::Http2(http2) => {
                http2.put_headers(out, stream, false, list, store);
                Ok(())
            }
            Speech::Http1(http1) => http1.put_upgraded(out, list, store),
            Speech::Unknown | Speech::Raw => Ok(()),
        }
    }

    /// Appends the trailers that end a message.
    pub(crate) fn put_trailers(
        &mut self,
        stream: u32,
        list: &HeaderList,
        store: &mut HeaderStore,
        pool: &mut BufferPool,
    ) {
        let out = self.output.buffer(pool);
        match &mut self.speech {
            Speech::Http2(http2) => http2.put_headers(out, stream, true, list, store),
            Speech::Http1(http1) => http1.put_trailers(out, list, store),
            Speech::Unknown => {}
            Speech::Raw => self.ends_output = true,
        }
    }

    /// Appends a part of a body; the caller has checked the windows, and the connection's is charged here.
    pub(crate) fn put_body(&mut self, stream: u32, payload: &[u8], is_end: bool, pool: &mut BufferPool) {
        let out = self.output.buffer(pool);
        match &mut self.speech {
            Speech::Http2(http2) => {
                self.send_window -= payload.len() as i64;
                http2.put_data(out, stream, payload, is_end);
            }
            Speech::Http1(http1) => http1.put_body(out, payload, is_end),
            Speech::Unknown => {}
            Speech::Raw => {
                out.extend_from_slice(payload);
                self.ends_output |= is_end;
            }
        }
    }

    /// Says that a stream ends before its time. HTTP/1 can say so only by the connection's end.
    pub(crate) fn put_reset(&mut self, stream: u32, code: ErrorCode, pool: &mut BufferPool) {
        let is_client = self.is_client();
        match &mut self.speech {
            Speech::Http2(http2) => http2.put_reset(self.output.buffer(pool), stream, code, is_client),
            // Its answer is whole: what is left of the request need not end the connection.
            Speech::Http1(http1) if is_client && code == ErrorCode::NoError && !http1.is_writing() => {}
            Speech::Http1(http1) => self.is_aborted |= http1.abort(),
            Speech::Unknown | Speech::Raw => self.is_aborted = true,
        }
    }

    /// Whether the end of what is under way to the peer would be taken from the end of the connection.
    pub(crate) fn ends_by_closing(&self) -> bool {
        match &self.speech {
            Speech::Http1(http1) => {
                let may_be_tunnel = !self.is_client() && http1.to.asked_upgrade.is_some();
                http1.writing == Writing::UntilClose || may_be_tunnel
            }
            Speech::Raw => true,
            Speech::Http2(_) | Speech::Unknown => false,
        }
    }

    /// Gives back what only work needs, after a while without any.
    pub(crate) fn rest(&mut self, store: &mut HeaderStore) {
        self.streams.rest();
        self.blocked = VecDeque::new();
        match &mut self.speech {
            Speech::Http2(http2) => http2.rest(store),
            Speech::Http1(http1) => http1.rest(),
            Speech::Unknown | Speech::Raw => {}
        }
    }

    /// Memory of what came and is not whole.
    pub(crate) fn unread_bytes(&self) -> usize {
        match &self.speech {
            Speech::Http2(http2) => http2.reader.held_bytes(),
            Speech::Http1(http1) => http1.held_bytes(),
            Speech::Unknown | Speech::Raw => 0,
        }
    }

    /// Memory beside the struct itself.
    pub(crate) fn held_bytes(&self) -> usize {
        let speech = match &self.speech {
            Speech::Http2(http2) => http2.held_bytes(),
            Speech::Http1(_) => size_of::<Http1>(),
            Speech::Unknown | Speech::Raw => 0,
        };
        speech
            + self.streams.held_bytes()
            + self.blocked.capacity() * size_of::<ExchangeKey>()
            + self.client().map_or(0, |c| c.first_bytes.capacity() + c.deadlines.held_bytes())
            + self
                .upstream()
                .and_then(|u| u.cancelled.as_ref())
                .map_or(0, |c| size_of::<Cancelled>() + c.held_bytes())
    }
}
