//! One HTTP/2 connection as a simulated peer keeps it: what belongs to the connection and not to a stream.
//!
//! It writes frames, and holds what Evenkeel writes to RFC 9113 and to the settings in force. Every rule that Evenkeel
//! breaks is an `Err` with a sentence. Streams are kept by `client` and `endpoint`.

mod intake;

pub(super) use intake::MOST_STREAM_WINDOW;

use super::field_writer::FieldWriter;
use super::frames::{self, names};
use crate::simulation::ledger::Fields;
use crate::simulation::prng::Prng;
use evenkeel_wire::detect::PREFACE;
use evenkeel_wire::hpack::{Decoder, HeaderStore};
use std::collections::VecDeque;

/// Which side of HTTP/2 the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends requests to Evenkeel.
    Client,
    /// Gets requests from Evenkeel.
    Server,
}

/// Settings that the peer announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnSettings {
    /// SETTINGS_HEADER_TABLE_SIZE.
    pub table: u32,
    /// SETTINGS_MAX_CONCURRENT_STREAMS.
    pub streams: u32,
    /// SETTINGS_INITIAL_WINDOW_SIZE.
    pub window: u32,
    /// SETTINGS_MAX_FRAME_SIZE.
    pub frame: u32,
}

impl Default for OwnSettings {
    /// What holds before the first SETTINGS are acknowledged.
    fn default() -> Self {
        Self { table: 4096, streams: u32::MAX, window: 65_535, frame: 16_384 }
    }
}

/// What Evenkeel did, as far as it concerns streams.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the frames")]
pub enum Happening {
    /// A header list.
    Headers { stream: u32, fields: Fields, is_end: bool },
    /// DATA.
    Data { stream: u32, bytes: Vec<u8>, is_end: bool },
    /// RST_STREAM.
    Reset { stream: u32, code: u32 },
    /// WINDOW_UPDATE of a stream.
    StreamWindow { stream: u32, increment: u32 },
    /// Evenkeel's initial window changed: what may be sent on every stream moves.
    TheirWindow { delta: i64 },
    /// Our settings are in force: what Evenkeel may send on every stream moves.
    OwnInForce { settings: OwnSettings, delta: i64 },
    /// GOAWAY.
    GoAway { last: u32, code: u32 },
    /// Every PING that was sent so far is answered.
    Pong,
}

/// One simulated connection.
#[derive(Debug)]
pub struct Session {
    role: Role,
    input: Vec<u8>,
    has_preface: bool,
    is_first: bool,
    decoder: Decoder,
    store: HeaderStore,
    writer: FieldWriter,
    block: Option<(u32, bool, Vec<u8>)>,
    unacked: VecDeque<OwnSettings>,
    pings: VecDeque<[u8; 8]>,
    /// Table size that Evenkeel's encoder uses, and the smallest that was asked of it since its last block.
    table_now: u32,
    table_asked: Option<(u32, u32)>,
    goaway: Option<u32>,
    /// Our settings in force.
    pub own: OwnSettings,
    /// What Evenkeel may send on the whole connection.
    pub receive_window: i64,
    /// What we may send on the whole connection.
    pub send_window: i64,
    /// Evenkeel's window for new streams.
    pub their_window: u32,
    /// Bytes that wait to be written.
    pub out: Vec<u8>,
    /// Of a thousand frames, how many are padded or cut where that is allowed.
    pub oddity: u32,
    /// Pings, settings and frames without meaning that it still sends: more would be a flood.
    pub noise_left: u32,
    /// It acknowledges no SETTINGS.
    pub never_acks: bool,
}

impl Session {
    /// A new connection; its greeting waits in `out`.
    #[must_use]
    pub fn new(role: Role, settings: OwnSettings, oddity: u32) -> Self {
        let mut session = Self {
            role,
            input: Vec::new(),
            has_preface: role == Role::Client,
            is_first: true,
            decoder: Decoder::default(),
            store: HeaderStore::new((3, 9), 64 << 20),
            writer: FieldWriter::default(),
            block: None,
            unacked: VecDeque::new(),
            pings: VecDeque::new(),
            table_now: 4096,
            table_asked: None,
            goaway: None,
            own: OwnSettings::default(),
            receive_window: 65_535,
            send_window: 65_535,
            their_window: 65_535,
            out: Vec::new(),
            oddity,
            noise_left: 500,
            never_acks: false,
        };
        if role == Role::Client {
            session.out.extend_from_slice(PREFACE);
        }
        session.put_settings(settings);
        session
    }

    /// Announces settings; they are in force when Evenkeel has acknowledged them.
    pub fn put_settings(&mut self, settings: OwnSettings) {
        self.noise_left = self.noise_left.saturating_sub(1);
        let mut payload = Vec::new();
        let mut pair = |id: u16, value: u32| {
            payload.extend_from_slice(&id.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        };
        pair(1, settings.table);
        pair(4, settings.window);
        pair(5, settings.frame);
        if settings.streams != u32::MAX {
            pair(3, settings.streams);
        }
        // An unknown setting is passed over (RFC 9113 §6.5.2).
        pair(0xfe0, 7);
        frames::put(&mut self.out, names::SETTINGS, 0, 0, &payload);
        self.unacked.push_back(settings);
    }

    /// The settings that were announced last, in force or not.
    #[must_use]
    pub fn announced(&self) -> OwnSettings {
        self.unacked.back().copied().unwrap_or(self.own)
    }

    /// Changes the table of our own encoder.
    pub fn resize_table(&mut self, size: usize) {
        self.writer.resize(size);
    }

    /// Appends a header list, sometimes padded, with priority, or over several frames.
    pub fn put_headers(&mut self, stream: u32, fields: &Fields, is_end: bool, prng: &mut Prng) {
        let mut block = Vec::new();
        self.writer.write(fields, prng, &mut block);
        let mut flags = if is_end { names::END_STREAM } else { 0 };
        let mut first = Vec::new();
        let mut rest = block.split_off(block.len().min(15_000));
        if !rest.is_empty() || (prng.chance(self.oddity) && block.len() > 1) {
            let mut tail = block.split_off(prng.between(1, block.len()));
            tail.append(&mut rest);
            rest = tail;
        }
        let padding = if prng.chance(self.oddity) { Some(prng.below(200)) } else { None };
        if let Some(padding) = padding {
            flags |= names::PADDED;
            first.push(padding as u8);
        }
        if prng.chance(self.oddity) {
            flags |= names::WITH_PRIORITY;
            first.extend_from_slice(&[0x80, 0, 0, 0, 9]);
        }
        first.extend_from_slice(&block);
        first.resize(first.len() + padding.unwrap_or(0), 0);
        let end = |is_last: bool| if is_last { names::END_HEADERS } else { 0 };
        frames::put(&mut self.out, names::HEADERS, flags | end(rest.is_empty()), stream, &first);
        let mut parts = rest.chunks(16_384).peekable();
        while let Some(part) = parts.next() {
            frames::put(&mut self.out, names::CONTINUATION, end(parts.peek().is_none()), stream, part);
        }
    }

    /// Appends DATA and says what it takes from the windows. The caller has made sure that `bytes` fit them.
    pub fn put_data(
        &mut self,
        stream: u32,
        bytes: &[u8],
        is_end: bool,
        room: usize,
        prng: &mut Prng,
    ) -> usize {
        let end = if is_end { names::END_STREAM } else { 0 };
        let spare = room.saturating_sub(bytes.len() + 1).min(16_384_usize.saturating_sub(bytes.len() + 1));
        let flow = if spare > 0 && prng.chance(self.oddity) {
            let padding = prng.below(spare.min(255));
            let mut payload = vec![padding as u8];
            payload.extend_from_slice(bytes);
            payload.resize(payload.len() + padding, 0);
            frames::put(&mut self.out, names::DATA, end | names::PADDED, stream, &payload);
            payload.len()
        } else {
            frames::put(&mut self.out, names::DATA, end, stream, bytes);
            bytes.len()
        };
        self.send_window -= flow as i64;
        flow
    }

    /// Appends RST_STREAM.
    pub fn put_reset(&mut self, stream: u32, code: u32) {
        frames::put(&mut self.out, names::RST_STREAM, 0, stream, &code.to_be_bytes());
    }

    /// Appends WINDOW_UPDATE; stream 0 is the connection, whose account is kept here.
    pub fn put_window(&mut self, stream: u32, increment: u32) {
        if stream == 0 {
            self.receive_window += i64::from(increment);
        }
        frames::put(&mut self.out, names::WINDOW_UPDATE, 0, stream, &increment.to_be_bytes());
    }

    /// Appends PING; Evenkeel owes the same octets, in order.
    pub fn put_ping(&mut self, prng: &mut Prng) {
        self.noise_left = self.noise_left.saturating_sub(1);
        let octets = prng.bits().to_be_bytes();
        self.pings.push_back(octets);
        frames::put(&mut self.out, names::PING, 0, 0, &octets);
    }

    /// Appends GOAWAY.
    pub fn put_goaway(&mut self, last: u32, code: u32) {
        let mut payload = last.to_be_bytes().to_vec();
        payload.extend_from_slice(&code.to_be_bytes());
        frames::put(&mut self.out, names::GOAWAY, 0, 0, &payload);
    }

    /// Appends a frame that means nothing: PRIORITY, or one of an unknown type.
    pub fn put_noise(&mut self, stream: u32, prng: &mut Prng) {
        self.noise_left = self.noise_left.saturating_sub(1);
        if prng.chance(500) {
            frames::put(&mut self.out, names::PRIORITY, 0, stream, &[0, 0, 0, 0, 7]);
        } else {
            frames::put(&mut self.out, 0xee, 0xff, stream, &[1; 30]);
        }
    }

    /// Appends any frame, right or wrong.
    pub fn put_raw(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        frames::put(&mut self.out, kind, flags, stream, payload);
    }

    /// Appends DATA, right or wrong, and takes it from the connection's window, as the other side does.
    pub fn put_raw_data(&mut self, stream: u32, flags: u8, payload: &[u8]) {
        self.send_window -= payload.len() as i64;
        self.put_raw(names::DATA, flags, stream, payload);
    }

    /// Whether Evenkeel owes an acknowledgement.
    #[must_use]
    pub fn is_owed(&self) -> bool {
        !self.unacked.is_empty() || !self.pings.is_empty()
    }
}
