//! What the engine writes to one peer, held against the rules, byte for byte and as soon as it is written.
//!
//! A model of one connection from the peer's point of view: windows as the peer granted them, streams as it knows them.
//! It parses frames by itself. What both sides of an exchange should agree on is handed to the scene as [`Heard`].

use evenkeel_wire::hpack::{Decoder, HeaderLimits, HeaderList, HeaderStore};
use evenkeel_wire::http2::{Frame, FrameReader, Settings};
use std::collections::{BTreeMap, VecDeque};

/// Whose side of a connection the engine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The peer is a client.
    Server,
    /// The peer is an endpoint.
    Client,
}

/// A stream as its peer knows it.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Credit that the peer gave beside the initial window.
    credit: i64,
    /// DATA bytes that the engine sent.
    sent: i64,
    /// Credit that the engine gave beside its initial window.
    pub(super) granted: i64,
    /// Flow-controlled bytes that the peer sent.
    pub(super) received: i64,
    pub(super) has_final_headers: bool,
    /// The engine sent END_STREAM.
    pub(super) is_sent: bool,
    /// The peer sent END_STREAM.
    pub(super) is_received: bool,
    /// Either side reset it: the engine may send nothing more on it.
    pub(super) is_reset: bool,
    /// The peer reset it in the bytes that were just delivered.
    is_reset_now: bool,
}

impl Stream {
    fn is_open(&self) -> bool {
        !(self.is_reset || self.is_reset_now || (self.is_sent && self.is_received))
    }
}

/// What an engine's output said, for the scene.
#[derive(Debug)]
pub(super) enum Heard {
    /// Headers or trailers.
    Headers { stream: u32, fields: Vec<(Vec<u8>, Vec<u8>)>, is_end: bool },
    /// A body's next bytes.
    Data { stream: u32, payload: Vec<u8>, is_end: bool },
    /// The stream is over before its end.
    Reset { stream: u32 },
}

/// A connection from its peer's point of view.
#[derive(Debug)]
pub(super) struct Watch {
    role: Role,
    /// A connection whose peer never spoke HTTP/2: only the output's size matters.
    is_mute: bool,
    has_preface: bool,
    reader: FrameReader,
    decoder: Decoder,
    store: HeaderStore,
    /// What the peer sent, parsed as far as it came.
    tap: FrameReader,
    pub(super) is_tap_broken: bool,
    /// The peer's settings that the engine acknowledged, and those that wait for that.
    acked: Settings,
    has_acked: bool,
    unacked: VecDeque<Settings>,
    said: Settings,
    conn_credit: i64,
    conn_sent: i64,
    pub(super) conn_granted: i64,
    pub(super) conn_received: i64,
    pub(super) streams: BTreeMap<u32, Stream>,
    pub(super) highest: u32,
    has_large_frames: bool,
    /// The peer reset a stream that it did not know: which streams are open is not to be told any more.
    has_reset_unopened: bool,
    block: Option<(u32, bool, Vec<u8>)>,
    connection_window: i64,
}

const DEFAULT_WINDOW: i64 = 65_535;
/// To which windows that the engine grants may grow (`Limits`).
const MOST_STREAM_WINDOW: i64 = 1 << 20;
const MOST_CONNECTION_WINDOW: i64 = 8 << 20;

impl Watch {
    pub(super) fn new(role: Role, connection_window: u32) -> Self {
        Self {
            role,
            is_mute: false,
            has_preface: role == Role::Server,
            reader: FrameReader::new(HeaderLimits {
                block_frames: 1000,
                block_bytes: 1 << 20,
                list_bytes: 1 << 20,
            }),
            decoder: Decoder::default(),
            store: HeaderStore::new((7, 8), 1 << 24),
            tap: FrameReader::new(HeaderLimits {
                block_frames: 1000,
                block_bytes: 1 << 20,
                list_bytes: 1 << 20,
            }),
            is_tap_broken: false,
            acked: Settings::default(),
            has_acked: false,
            unacked: VecDeque::new(),
            said: Settings::default(),
            conn_credit: DEFAULT_WINDOW,
            conn_sent: 0,
            conn_granted: DEFAULT_WINDOW,
            conn_received: 0,
            streams: BTreeMap::new(),
            highest: 0,
            has_large_frames: false,
            has_reset_unopened: false,
            block: None,
            connection_window: i64::from(connection_window),
        }
    }

    /// The peer does not speak HTTP/2.
    pub(super) fn mute(&mut self) {
        self.is_mute = true;
    }

    /// These bytes of the peer are about to be given to the engine (without a preface).
    pub(super) fn deliver(&mut self, bytes: &[u8]) -> Vec<(u32, usize, bool)> {
        let (mut input, mut bodies) = (bytes, Vec::new());
        while !self.is_tap_broken {
            match self.tap.next(&mut input) {
                Ok(None) => break,
                Err(_) => self.is_tap_broken = true,
                Ok(Some(frame)) => match frame {
                    Frame::Settings(payload) => match self.said.apply(payload) {
                        Ok(_) => {
                            self.has_large_frames |= self.said.max_frame_size > 16_384;
                            self.unacked.push_back(self.said);
                        }
                        Err(_) => self.is_tap_broken = true,
                    },
                    Frame::WindowUpdate { stream: 0, increment } => self.conn_credit += i64::from(increment),
                    Frame::WindowUpdate { stream, increment } => {
                        if let Some(s) = self.streams.get_mut(&stream) {
                            s.credit += i64::from(increment);
                        }
                    }
                    Frame::Headers { stream, is_end, .. } => {
                        if self.role == Role::Server {
                            self.highest = self.highest.max(stream);
                            self.streams.entry(stream).or_default();
                        }
                        if let Some(s) = self.streams.get_mut(&stream) {
                            if is_end && !s.is_received {
                                bodies.push((stream, 0, true));
                            }
                            s.is_received |= is_end;
                        }
                    }
                    Frame::Data { stream, payload, flow_bytes, is_end, .. } => {
                        self.conn_received += i64::from(flow_bytes);
                        if let Some(s) = self.streams.get_mut(&stream) {
                            s.received += i64::from(flow_bytes);
                            if !s.is_received && !s.is_reset {
                                bodies.push((stream, payload.len(), is_end));
                            }
                            s.is_received |= is_end;
                        }
                    }
                    Frame::RstStream { stream, .. } => match self.streams.get_mut(&stream) {
                        Some(s) => s.is_reset_now = true,
                        None => self.has_reset_unopened = true,
                    },
                    _ => {}
                },
            }
        }
        bodies
    }

    /// Checks what the engine appended to its output since the last call.
    pub(super) fn check(&mut self, mut bytes: &[u8]) -> Result<Vec<Heard>, String> {
        let mut heard = Vec::new();
        if self.is_mute {
            return Ok(heard);
        }
        if !self.has_preface && !bytes.is_empty() {
            bytes = bytes.strip_prefix(evenkeel_wire::detect::PREFACE).ok_or("no preface")?;
            self.has_preface = true;
        }
        self.read_again(bytes)?;
        while !bytes.is_empty() {
            let (head, rest) = bytes.split_at_checked(9).ok_or("part of a frame's head")?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            if length > self.acked.max_frame_size {
                return Err(format!("a frame of {length} bytes"));
            }
            let (payload, after) = rest.split_at_checked(length as usize).ok_or("part of a frame")?;
            bytes = after;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            self.frame(head[3], head[4], stream, payload, &mut heard)
                .map_err(|what| format!("stream {stream}, frame type {}: {what}", head[3]))?;
        }
        for stream in self.streams.values_mut() {
            stream.is_reset |= std::mem::take(&mut stream.is_reset_now);
        }
        Ok(heard)
    }

    /// The reader of ours takes it too.
    fn read_again(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.has_large_frames {
            return Ok(());
        }
        let mut input = bytes;
        while let Some(frame) = self.reader.next(&mut input).map_err(|e| format!("our own reader: {e:?}"))? {
            if matches!(frame, Frame::Unknown | Frame::Priority | Frame::StreamFault { .. }) {
                return Err(format!("{frame:?} was written"));
            }
        }
        if self.reader.is_inside_frame() { Err("output ends inside a frame".to_owned()) } else { Ok(()) }
    }

    fn frame(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
        heard: &mut Vec<Heard>,
    ) -> Result<(), String> {
        if self.block.is_some() && kind != 9 {
            return Err("inside a header block".to_owned());
        }
        let is_end = flags & 1 != 0;
        let word = || payload.first_chunk().map_or(0, |word| u32::from_be_bytes(*word));
        match kind {
            0 => {
                self.data(stream, payload.len() as i64, is_end)?;
                heard.push(Heard::Data { stream, payload: payload.to_vec(), is_end });
            }
            1 => {
                self.block = Some((stream, is_end, payload.to_vec()));
                self.end_block(flags, heard)?;
            }
            9 => {
                let (of, _, block) = self.block.as_mut().ok_or("CONTINUATION of nothing")?;
                if *of != stream {
                    return Err("CONTINUATION of another stream".to_owned());
                }
                block.extend_from_slice(payload);
                self.end_block(flags, heard)?;
            }
            3 => {
                // Streams that a client jumped over are closed, not idle.
                if stream > self.highest || stream.is_multiple_of(2) {
                    return Err("a reset of a stream that was not opened".to_owned());
                }
                self.streams.entry(stream).or_default().is_reset = true;
                heard.push(Heard::Reset { stream });
            }
            4 if is_end => {
                self.acked = self.unacked.pop_front().ok_or("SETTINGS acknowledged that were not sent")?;
                self.has_acked = true;
            }
            4 | 6 | 7 => {}
            8 => self.window_update(stream, i64::from(word()))?,
            _ => return Err("a frame that the engine has no use for".to_owned()),
        }
        Ok(())
    }

    fn data(&mut self, stream: u32, length: i64, is_end: bool) -> Result<(), String> {
        let initial = i64::from(self.acked.initial_window_size);
        let s = self.streams.get_mut(&stream).ok_or("a stream that was not opened")?;
        if s.is_sent || s.is_reset || !s.has_final_headers {
            return Err(format!("data out of order: {s:?}"));
        }
        s.sent += length;
        s.is_sent |= is_end;
        self.conn_sent += length;
        if length > 0 && s.sent > initial + s.credit {
            return Err(format!("the stream's window is overrun: {} of {}", s.sent, initial + s.credit));
        }
        if length > 0 && self.conn_sent > self.conn_credit {
            return Err(format!(
                "the connection's window is overrun: {} of {}",
                self.conn_sent, self.conn_credit
            ));
        }
        Ok(())
    }

    fn window_update(&mut self, stream: u32, increment: i64) -> Result<(), String> {
        if stream == 0 {
            self.conn_granted += increment;
            let most = self.connection_window.max(MOST_CONNECTION_WINDOW);
            if self.conn_granted - self.conn_received > most {
                return Err(format!("{} granted, {} received", self.conn_granted, self.conn_received));
            }
            return Ok(());
        }
        let s = self.streams.get_mut(&stream).ok_or("a stream that was not opened")?;
        if s.is_reset {
            return Err("credit for a stream that was reset".to_owned());
        }
        s.granted += increment;
        if increment == 0 || s.granted > s.received + MOST_STREAM_WINDOW - DEFAULT_WINDOW {
            return Err(format!("{} granted, {} received", s.granted, s.received));
        }
        Ok(())
    }

    fn end_block(&mut self, flags: u8, heard: &mut Vec<Heard>) -> Result<(), String> {
        if flags & 4 == 0 {
            return Ok(());
        }
        let Some((stream, is_end, block)) = self.block.take() else { return Ok(()) };
        let (mut list, limits) =
            (HeaderList::default(), HeaderLimits { list_bytes: 1 << 24, ..HeaderLimits::default() });
        self.decoder
            .decode(&block, &limits, &mut self.store, &mut list)
            .map_err(|e| format!("header block: {e}"))?;
        let fields: Vec<_> = list
            .fields()
            .iter()
            .map(|f| (list.name_bytes(f, &self.store).to_vec(), list.value(f, &self.store).to_vec()))
            .collect();
        list.clear(&mut self.store);
        self.headers(stream, &fields, is_end)?;
        heard.push(Heard::Headers { stream, fields, is_end });
        Ok(())
    }

    fn headers(&mut self, stream: u32, fields: &[(Vec<u8>, Vec<u8>)], is_end: bool) -> Result<(), String> {
        let is_opening = self.role == Role::Client && !self.streams.contains_key(&stream);
        if is_opening {
            self.open(stream)?;
        }
        let s = self.streams.get_mut(&stream).ok_or("headers on a stream that was not opened")?;
        if s.is_sent || s.is_reset {
            return Err(format!("headers out of order: {s:?}"));
        }
        let has_pseudo = fields.iter().any(|(name, _)| name.starts_with(b":"));
        if s.has_final_headers {
            if has_pseudo || !is_end {
                return Err(format!("trailers that are none: {fields:?}"));
            }
        } else if self.role == Role::Client {
            s.has_final_headers = true;
        } else {
            let status = fields.first().filter(|(name, _)| name == b":status").ok_or("no :status")?;
            s.has_final_headers = !status.1.starts_with(b"1");
            if is_end && !s.has_final_headers {
                return Err("an interim response ends the stream".to_owned());
            }
        }
        s.is_sent |= is_end;
        Ok(())
    }

    /// The engine opens a stream at an endpoint.
    fn open(&mut self, stream: u32) -> Result<(), String> {
        if stream.is_multiple_of(2) || stream <= self.highest {
            return Err(format!("opened after stream {}", self.highest));
        }
        if !self.has_acked {
            return Err("a stream before the endpoint's SETTINGS".to_owned());
        }
        let open: Vec<_> = self.streams.iter().filter(|(_, s)| s.is_open()).collect();
        if !self.has_reset_unopened && open.len() >= self.acked.max_concurrent_streams as usize {
            return Err(format!(
                "{} streams are allowed, open are {open:?}",
                self.acked.max_concurrent_streams
            ));
        }
        self.highest = stream;
        self.streams.insert(stream, Stream::default());
        Ok(())
    }
}
