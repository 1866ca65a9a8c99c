//! One HTTP/2 connection as a simulated peer keeps it: what belongs to the connection and not to a stream.
//!
//! It writes frames, and holds what Evenkeel writes to RFC 9113 and to the settings in force. Every rule that Evenkeel
//! breaks is an `Err` with a sentence. Streams are kept by `client` and `endpoint`.

use super::field_writer::FieldWriter;
use super::frames::{self, RawFrame, names};
use crate::simulation::ledger::Fields;
use crate::simulation::prng::Prng;
use evenkeel_wire::detect::PREFACE;
use evenkeel_wire::hpack::{Decoder, FieldForm, HeaderLimits, HeaderList, HeaderStore};
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
}

/// Most that Evenkeel ever lets a peer send ahead on a connection.
const MOST_WINDOW: i64 = 1 << 20;

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

    /// Whether Evenkeel owes an acknowledgement.
    #[must_use]
    pub fn is_owed(&self) -> bool {
        !self.unacked.is_empty() || !self.pings.is_empty()
    }

    /// Takes what Evenkeel wrote.
    ///
    /// # Errors
    /// What Evenkeel did wrong.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<Happening>, String> {
        self.input.extend_from_slice(bytes);
        let mut happened = Vec::new();
        let mut at = 0;
        if !self.has_preface {
            if self.input.len() < PREFACE.len() {
                return Ok(happened);
            }
            if !self.input.starts_with(PREFACE) {
                return Err("the connection does not begin with the preface".to_owned());
            }
            (self.has_preface, at) = (true, PREFACE.len());
        }
        while let Some(frame) = frames::take(&mut self.input, &mut at, self.own.frame as usize)? {
            if std::mem::take(&mut self.is_first) && (frame.kind != names::SETTINGS || frame.has(names::ACK))
            {
                return Err(format!("the first frame is of type {}, not SETTINGS", frame.kind));
            }
            if self.block.is_some() != (frame.kind == names::CONTINUATION) {
                return Err(format!("a frame of type {} in or out of a header block", frame.kind));
            }
            self.frame(frame, &mut happened)?;
        }
        self.input.drain(..at);
        Ok(happened)
    }

    fn frame(&mut self, frame: RawFrame, happened: &mut Vec<Happening>) -> Result<(), String> {
        let stream = frame.stream;
        let is_of_connection =
            matches!(frame.kind, names::SETTINGS | names::PING | names::GOAWAY) || frame.kind > 9;
        if is_of_connection != (stream == 0) && frame.kind != names::WINDOW_UPDATE {
            return Err(format!("a frame of type {} on stream {stream}", frame.kind));
        }
        match frame.kind {
            names::DATA => {
                if frame.has(names::PADDED) {
                    return Err("padding, which Evenkeel never writes".to_owned());
                }
                self.receive_window -= frame.payload.len() as i64;
                if self.receive_window < 0 && !frame.payload.is_empty() {
                    return Err(format!("the connection's window is overrun by {}", -self.receive_window));
                }
                let is_end = frame.has(names::END_STREAM);
                happened.push(Happening::Data { stream, bytes: frame.payload, is_end });
            }
            names::HEADERS => {
                if frame.has(names::PADDED) || frame.has(names::WITH_PRIORITY) {
                    return Err("padding or priority, which Evenkeel never writes".to_owned());
                }
                let (is_end, is_whole) = (frame.has(names::END_STREAM), frame.has(names::END_HEADERS));
                self.block = Some((stream, is_end, frame.payload));
                self.end_block(is_whole, happened)?;
            }
            names::CONTINUATION => {
                let is_whole = frame.has(names::END_HEADERS);
                match &mut self.block {
                    Some((of, _, bytes)) if *of == stream => bytes.extend_from_slice(&frame.payload),
                    _ => return Err("CONTINUATION of another stream".to_owned()),
                }
                self.end_block(is_whole, happened)?;
            }
            names::RST_STREAM => happened.push(Happening::Reset { stream, code: frame.word(0)? }),
            names::SETTINGS if frame.has(names::ACK) => {
                let now = self.unacked.pop_front().ok_or("an acknowledgement of no SETTINGS")?;
                let delta = i64::from(now.window) - i64::from(self.own.window);
                let size = now.table.min(4096);
                let smallest = self.table_asked.map_or(size, |(smallest, _)| smallest.min(size));
                self.table_asked = Some((smallest, size));
                self.own = now;
                happened.push(Happening::OwnInForce { settings: now, delta });
            }
            names::SETTINGS => {
                for pair in frame.payload.chunks(6) {
                    let &[a, b, c, d, e, f] = pair else { return Err("half a setting".to_owned()) };
                    if u16::from_be_bytes([a, b]) == 4 {
                        let window = u32::from_be_bytes([c, d, e, f]);
                        let delta = i64::from(window) - i64::from(self.their_window);
                        self.their_window = window;
                        happened.push(Happening::TheirWindow { delta });
                    }
                }
                frames::put(&mut self.out, names::SETTINGS, names::ACK, 0, &[]);
            }
            names::PING if frame.has(names::ACK) => {
                if self.pings.pop_front().is_none_or(|sent| sent[..] != frame.payload) {
                    return Err("PING is answered with other octets, or twice".to_owned());
                }
                if self.pings.is_empty() {
                    happened.push(Happening::Pong);
                }
            }
            names::PING => frames::put(&mut self.out, names::PING, names::ACK, 0, &frame.payload),
            names::GOAWAY => {
                let (last, code) = (frame.word(0)?, frame.word(4)?);
                if self.goaway.is_some_and(|before| last > before) {
                    return Err("a later GOAWAY with a higher last stream".to_owned());
                }
                self.goaway = Some(last);
                happened.push(Happening::GoAway { last, code });
            }
            names::WINDOW_UPDATE => {
                let increment = frame.word(0)?;
                if increment == 0 || increment >> 31 != 0 {
                    return Err(format!("a window update of {increment}"));
                }
                if stream > 0 {
                    happened.push(Happening::StreamWindow { stream, increment });
                } else {
                    self.send_window += i64::from(increment);
                    if self.send_window > MOST_WINDOW {
                        return Err(format!("the connection's credit of {} is too much", self.send_window));
                    }
                }
            }
            other => return Err(format!("a frame of type {other}, which Evenkeel never writes")),
        }
        Ok(())
    }

    fn end_block(&mut self, is_whole: bool, happened: &mut Vec<Happening>) -> Result<(), String> {
        if !is_whole {
            return Ok(());
        }
        let Some((stream, is_end, block)) = self.block.take() else { return Ok(()) };
        self.check_table_size(&block)?;
        let mut list = HeaderList::default();
        self.decoder
            .decode(&block, &HeaderLimits::default(), &mut self.store, &mut Vec::new(), &mut list)
            .map_err(|e| format!("a header block that does not decode: {e}"))?;
        let mut fields = Fields::new();
        for field in list.fields() {
            let name = list.name_bytes(field, &self.store).to_vec();
            let is_indexed = matches!(field.form(), FieldForm::Stored(id) if !id.is_static());
            let is_private = name.starts_with(b"x-") || field.name.is_secret();
            if is_indexed && self.role == Role::Server && is_private {
                let name = String::from_utf8_lossy(&name);
                return Err(format!("{name} entered a table that clients share"));
            }
            if is_indexed && self.table_now == 0 {
                return Err("an entry in a table of size 0".to_owned());
            }
            fields.push((name, list.value(field, &self.store).to_vec()));
        }
        list.clear(&mut self.store);
        happened.push(Happening::Headers { stream, fields, is_end });
        Ok(())
    }

    /// A table that was made smaller is announced at the next block's start (RFC 7541 §4.2).
    fn check_table_size(&mut self, block: &[u8]) -> Result<(), String> {
        let mut rest = block;
        let mut announced = Vec::new();
        while let Some(first) = rest.first().filter(|b| **b & 0xe0 == 0x20) {
            let mut size = u32::from(first & 0x1f);
            rest = &rest[1..];
            if size == 31 {
                for shift in [0, 7, 14, 21] {
                    let (&b, after) = rest.split_first().ok_or("a size update that ends early")?;
                    rest = after;
                    size += u32::from(b & 0x7f) << shift;
                    if b & 0x80 == 0 {
                        break;
                    }
                }
            }
            announced.push(size);
        }
        if let Some((smallest, last)) = self.table_asked.take() {
            let lowest = announced.iter().min().copied().unwrap_or(self.table_now);
            if smallest < self.table_now && lowest > smallest {
                return Err(format!("the table was to shrink to {smallest}, and is {lowest}"));
            }
            if announced.last().copied().unwrap_or(self.table_now) > last {
                return Err(format!("a table larger than the {last} that were allowed"));
            }
        }
        self.table_now = announced.last().copied().unwrap_or(self.table_now);
        Ok(())
    }
}
