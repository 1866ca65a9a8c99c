//! One HTTP/2 connection as a value: of a client (a session) or to an endpoint (an upstream).

use crate::cancelled::Cancelled;
use crate::deadlines::Deadlines;
use crate::exchange::Side;
use crate::indexing::names_of;
use crate::keys::{ExchangeKey, PoolKey};
use crate::output::{BufferPool, Output};
use crate::score::Score;
use crate::window::{Change, Window};
use evenkeel_core::event::ConnectionFigures;
use evenkeel_core::id::{EndpointId, ServiceId};
use evenkeel_core::limits::Limits;
use evenkeel_core::reason::CloseReason;
use evenkeel_core::snapshot::Listener;
use evenkeel_core::time::Moment;
use evenkeel_wire::hpack::{Decoder, Encoder, HeaderLimits, HeaderList, HeaderStore, IndexPolicy};
use evenkeel_wire::http2::{self, DEFAULT_WINDOW, ErrorCode, FrameReader, MAX_STREAM_ID, Settings};
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

/// Spreads small numbers that are handed out in order. Stream ids only rise and are bounded, so nobody gains by choosing.
#[derive(Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.write_u32(u32::from(b));
        }
    }

    fn write_u32(&mut self, n: u32) {
        self.0 = (self.0 ^ u64::from(n)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// A map by stream id or endpoint id.
pub(crate) type NumberMap<K, V> = HashMap<K, V, BuildHasherDefault<NumberHasher>>;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A client's first bytes are awaited.
    Detecting,
    /// An upstream's socket is being opened.
    Connecting,
    /// The peer's SETTINGS are awaited; nothing was asked of an upstream yet, and a client has to begin with them.
    Greeting,
    /// At work.
    Open,
    /// What waits in the output leaves, then it closes for this reason. Input is dropped.
    Closing(CloseReason),
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

/// What only one kind of connection has.
#[derive(Debug)]
pub(crate) enum Role {
    Client(ClientSide),
    Upstream(UpstreamSide),
}

#[derive(Debug)]
pub(crate) struct ClientSide {
    pub(crate) listener: Arc<Listener>,
    pub(crate) peer: SocketAddr,
    /// Number of the session, unique in the process with the worker's index in its upper bits.
    pub(crate) session: u64,
    /// When the log last had a record of it.
    pub(crate) recorded: Moment,
    /// First bytes, until they tell the protocol.
    pub(crate) first_bytes: Vec<u8>,
    /// Streams that we reset lately: what the client had sent before it knew is dropped without complaint.
    pub(crate) reset_lately: VecDeque<u32>,
    /// Streams that it cancelled and that endpoints may not have seen end: they count against its concurrency.
    pub(crate) places_held: u32,
    /// When its exchanges are over.
    pub(crate) deadlines: Deadlines,
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
    /// Streams that we reset and that the endpoint may not have seen end: they count against its concurrency.
    pub(crate) cancelled: Box<Cancelled>,
}

/// Streams reset by us that are remembered for each client: as many as it may have open, for they may end together.
pub(crate) const RESET_LATELY: usize = 1024;

/// Answers to DATA that a peer may save up.
const MOST_ANSWERS_DUE: u32 = 4096;

/// What the codecs know of the limits.
pub(crate) fn header_limits(limits: &Limits) -> HeaderLimits {
    HeaderLimits {
        list_bytes: limits.header_list_bytes,
        block_bytes: limits.header_block_bytes,
        block_frames: limits.header_block_frames,
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) role: Role,
    pub(crate) phase: Phase,
    pub(crate) goaway_sent: GoAwaySent,
    pub(crate) reader: FrameReader,
    pub(crate) decoder: Decoder,
    pub(crate) encoder: Encoder,
    pub(crate) peer: Settings,
    pub(crate) output: Output,
    pub(crate) is_dirty: bool,
    /// Streams that are open, by id.
    pub(crate) streams: NumberMap<u32, ExchangeKey>,
    /// Highest id that the client opened, or that we opened at the endpoint.
    pub(crate) highest_stream: u32,
    /// What we may send.
    pub(crate) send_window: i64,
    /// What came since credit was last given back.
    pub(crate) received: u32,
    /// The size of the window in which it came.
    pub(crate) window: Window,
    /// Exchanges whose data waits for this connection's window or room in its output.
    pub(crate) blocked: VecDeque<ExchangeKey>,
    pub(crate) resets: Score,
    pub(crate) control: Score,
    /// WINDOW_UPDATE and PING frames that DATA of ours gives its peer reason for: they are no flood.
    pub(crate) answers_due: u32,
    /// When our SETTINGS went out, until they are acknowledged.
    pub(crate) settings_sent: Option<Moment>,
    /// Those SETTINGS allow the peer no table.
    pub(crate) is_tableless: bool,
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

impl Conn {
    pub(crate) fn new(role: Role, phase: Phase, now: Moment, limits: &Limits) -> Self {
        let policy = match role {
            Role::Client(_) => IndexPolicy::Private,
            Role::Upstream(_) => IndexPolicy::Shared(names_of(limits.indexed_headers)),
        };
        Self {
            role,
            phase,
            goaway_sent: GoAwaySent::No,
            reader: FrameReader::new(header_limits(limits)),
            decoder: Decoder::default(),
            encoder: Encoder::new(policy),
            peer: Settings::default(),
            output: Output::default(),
            is_dirty: false,
            streams: NumberMap::default(),
            highest_stream: 0,
            send_window: i64::from(DEFAULT_WINDOW),
            received: 0,
            window: Window::new(limits.connection_window.max(DEFAULT_WINDOW)),
            blocked: VecDeque::new(),
            resets: Score::default(),
            control: Score::default(),
            answers_due: 0,
            settings_sent: None,
            is_tableless: false,
            armed: Moment::NEVER,
            opened: now,
            idle_since: now,
            header_since: None,
            stalled_since: None,
            unheard: 0,
            figures: ConnectionFigures::default(),
            detail: None,
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
        matches!(self.goaway_sent, GoAwaySent::Final(last) if stream > last)
    }

    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing(_))
    }

    /// Streams that count against a client's concurrency.
    pub(crate) fn counted_streams(&self) -> usize {
        self.streams.len() + self.client().map_or(0, |c| c.places_held as usize)
    }

    /// Exchanges that an upstream could take now.
    pub(crate) fn free_streams(&self, most: u32) -> u32 {
        match &self.role {
            Role::Upstream(u)
                if self.phase == Phase::Open && !u.is_retiring && u.next_stream <= MAX_STREAM_ID =>
            {
                let taken = self.streams.len() as u32 + u.cancelled.len();
                most.min(self.peer.max_concurrent_streams).saturating_sub(taken)
            }
            _ => 0,
        }
    }

    /// Appends what both sides send first: our settings and the connection's window.
    pub(crate) fn greet(&mut self, now: Moment, limits: &Limits, table: TableOffer, pool: &mut BufferPool) {
        let is_upstream = !self.is_client();
        self.settings_sent = Some(now);
        self.is_tableless = table == TableOffer::None;
        let default = Settings::default();
        let settings = Settings {
            max_concurrent_streams: if is_upstream {
                default.max_concurrent_streams
            } else {
                limits.concurrent_streams
            },
            header_table_size: if self.is_tableless { 0 } else { default.header_table_size },
            initial_window_size: limits.stream_window,
            max_header_list_size: limits.header_list_bytes as u32,
            ..default
        };
        let out = self.output.buffer(pool);
        if is_upstream {
            out.extend_from_slice(evenkeel_wire::detect::PREFACE);
        }
        http2::put_settings(out, &settings, is_upstream);
        if let Some(more) = limits.connection_window.checked_sub(DEFAULT_WINDOW).filter(|&more| more > 0) {
            http2::put_window_update(out, 0, more);
        }
    }

    pub(crate) fn put_headers(
        &mut self,
        stream: u32,
        is_end: bool,
        list: &HeaderList,
        store: &mut HeaderStore,
        pool: &mut BufferPool,
    ) {
        let out = self.output.buffer(pool);
        http2::put_headers(out, stream, is_end, self.peer.max_frame_size, list, &mut self.encoder, store);
    }

    pub(crate) fn put_reset(&mut self, stream: u32, code: ErrorCode, pool: &mut BufferPool) {
        if let Role::Client(client) = &mut self.role {
            if client.reset_lately.len() == RESET_LATELY {
                client.reset_lately.pop_front();
            }
            client.reset_lately.push_back(stream);
        }
        http2::put_rst_stream(self.output.buffer(pool), stream, code);
    }

    /// DATA frames go out: for each the peer may give credit back twice, and measure with a PING how fast it came.
    pub(crate) fn expect_answers(&mut self, frames: u32) {
        self.answers_due = (self.answers_due + 3 * frames).min(MOST_ANSWERS_DUE);
    }

    /// Counts received flow-controlled bytes and gives the credit back in halves of the window; it is never withheld.
    /// True if that is something to write.
    pub(crate) fn took(
        &mut self,
        now: Moment,
        flow_bytes: u32,
        limits: &Limits,
        pool: &mut BufferPool,
    ) -> bool {
        self.received += flow_bytes;
        if !self.window.is_due(self.received) {
            return false;
        }
        let first = limits.connection_window.max(DEFAULT_WINDOW);
        let mut change = self.window.wish(now, first, limits.most_connection_window.max(first));
        let given = match &mut change {
            Change::None => self.received,
            Change::Grow(more) => self.received + *more,
            Change::Settle(less) => {
                *less = (*less).min(self.received);
                self.received - *less
            }
        };
        self.window.apply(change);
        self.received = 0;
        if given > 0 {
            http2::put_window_update(self.output.buffer(pool), 0, given);
        }
        given > 0
    }

    /// Gives back what only work needs, after a while without any. What a client had sent before it knew of a reset has
    /// come by then.
    pub(crate) fn rest(&mut self, store: &mut HeaderStore) {
        self.streams = NumberMap::default();
        self.blocked = VecDeque::new();
        self.decoder.shrink(store);
        self.encoder.shrink();
        if let Some(client) = self.client_mut() {
            client.reset_lately = VecDeque::new();
        }
    }

    /// Memory beside the struct itself.
    pub(crate) fn held_bytes(&self) -> usize {
        self.encoder.held_bytes()
            + self.streams.capacity() * size_of::<(u32, ExchangeKey)>()
            + self.blocked.capacity() * size_of::<ExchangeKey>()
            + self.client().map_or(0, |c| c.first_bytes.capacity() + c.reset_lately.capacity() * 4)
            + self.upstream().map_or(0, |u| size_of::<Cancelled>() + u.cancelled.held_bytes())
            + self.client().map_or(0, |c| c.deadlines.held_bytes())
    }
}
