//! One end of a connection to the engine: frames out by hand, frames in as values.

use evenkeel_engine::ConnKey;
use evenkeel_wire::hpack::{Decoder, HeaderLimits, HeaderList, HeaderStore};
use evenkeel_wire::http2::{self, ErrorCode, Frame, FrameReader, Settings};

/// What a peer was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Headers { stream: u32, status: String, is_end: bool },
    Data { stream: u32, length: usize, is_end: bool },
    Reset { stream: u32, code: ErrorCode },
    GoAway { last: u32, code: ErrorCode },
    Ping,
    Settings,
    Window { stream: u32, increment: u32 },
}

/// A client or an endpoint.
pub(crate) struct Peer {
    pub(crate) key: ConnKey,
    /// What it will send next.
    pub(crate) out: Vec<u8>,
    /// All that it was sent.
    pub(crate) seen: Vec<Seen>,
    /// The fields of every header block that it was sent.
    pub(crate) blocks: Vec<Vec<(String, String)>>,
    /// All bytes of DATA that it was sent.
    pub(crate) body: Vec<u8>,
    /// Whether its connection was closed by the engine.
    pub(crate) is_closed: bool,
    /// Whether it acknowledges SETTINGS.
    pub(crate) acknowledges: bool,
    /// The octets of the PING that it got last.
    pub(crate) ping: [u8; 8],
    /// The table that it was allowed.
    pub(crate) table: u32,
    reader: FrameReader,
    decoder: Decoder,
    store: HeaderStore,
    preface_left: usize,
}

impl Peer {
    pub(crate) fn client(key: ConnKey) -> Self {
        let mut peer = Self::new(key, 0);
        peer.out.extend_from_slice(evenkeel_wire::detect::PREFACE);
        http2::put_settings(&mut peer.out, &Settings::default(), true);
        peer
    }

    pub(crate) fn endpoint(key: ConnKey) -> Self {
        let mut peer = Self::new(key, evenkeel_wire::detect::PREFACE.len());
        http2::put_settings(&mut peer.out, &Settings::default(), false);
        peer
    }

    fn new(key: ConnKey, preface_left: usize) -> Self {
        Self {
            key,
            out: Vec::new(),
            seen: Vec::new(),
            blocks: Vec::new(),
            body: Vec::new(),
            is_closed: false,
            acknowledges: true,
            ping: [0; 8],
            table: 4096,
            reader: FrameReader::new(HeaderLimits::default()),
            decoder: Decoder::default(),
            store: HeaderStore::new((1, 2), 1 << 20),
            preface_left,
        }
    }

    /// HEADERS of literals that enter no table.
    pub(crate) fn headers(&mut self, stream: u32, fields: &[(&str, &str)], is_end: bool) {
        let block = Self::block(fields);
        self.frame(1, 0x4 | u8::from(is_end), stream, &block);
    }

    /// The same in as many frames as its length asks for.
    pub(crate) fn long_headers(&mut self, stream: u32, fields: &[(&str, &str)], is_end: bool) {
        let block = Self::block(fields);
        let (first, rest) = block.split_at(block.len().min(16_384));
        self.frame(1, u8::from(is_end), stream, first);
        for part in rest.chunks(16_384) {
            self.frame(9, 0, stream, part);
        }
        self.frame(9, 0x4, stream, &[]);
    }

    fn block(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut block = Vec::new();
        for (name, value) in fields {
            assert!(name.len() < 127 && value.len() < 127, "one octet of length");
            block.extend_from_slice(&[0, name.len() as u8]);
            block.extend_from_slice(name.as_bytes());
            block.push(value.len() as u8);
            block.extend_from_slice(value.as_bytes());
        }
        block
    }

    pub(crate) fn request(&mut self, stream: u32, is_end: bool) {
        let fields = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
        self.headers(stream, &fields, is_end);
    }

    pub(crate) fn answer(&mut self, stream: u32, is_end: bool) {
        self.headers(stream, &[(":status", "200")], is_end);
    }

    /// The answer to the last PING.
    pub(crate) fn pong(&mut self) {
        http2::put_ping(&mut self.out, true, self.ping);
    }

    pub(crate) fn reset(&mut self, stream: u32) {
        http2::put_rst_stream(&mut self.out, stream, ErrorCode::Cancel);
    }

    pub(crate) fn window(&mut self, stream: u32, increment: u32) {
        http2::put_window_update(&mut self.out, stream, increment);
    }

    /// How often it was sent a PING.
    pub(crate) fn pings(&self) -> usize {
        self.seen.iter().filter(|s| matches!(s, Seen::Ping)).count()
    }

    /// Requests or answers that came.
    pub(crate) fn headers_seen(&self) -> usize {
        self.seen.iter().filter(|s| matches!(s, Seen::Headers { .. })).count()
    }

    pub(crate) fn data(&mut self, stream: u32, payload: &[u8], is_end: bool) {
        self.frame(0, u8::from(is_end), stream, payload);
    }

    pub(crate) fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
        self.out.extend_from_slice(&[kind, flags]);
        self.out.extend_from_slice(&stream.to_be_bytes());
        self.out.extend_from_slice(payload);
    }

    /// Reads what the engine wrote.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        let skipped = self.preface_left.min(bytes.len());
        self.preface_left -= skipped;
        let mut input = &bytes[skipped..];
        while let Some(frame) = self.reader.next(&mut input).unwrap() {
            let seen = match frame {
                Frame::Headers { stream, block, is_end } => {
                    let mut list = HeaderList::default();
                    let limits = HeaderLimits::default();
                    self.decoder.decode(block, &limits, &mut self.store, &mut list).unwrap();
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                    let fields = list.fields().iter();
                    let fields: Vec<_> = fields
                        .map(|f| (text(list.name_bytes(f, &self.store)), text(list.value(f, &self.store))))
                        .collect();
                    list.clear(&mut self.store);
                    let status =
                        fields.iter().find(|(name, _)| name == ":status").map(|(_, value)| value.clone());
                    let status = status.unwrap_or_default();
                    self.blocks.push(fields);
                    Seen::Headers { stream, status, is_end }
                }
                Frame::Data { stream, payload, is_end, .. } => {
                    self.body.extend_from_slice(payload);
                    Seen::Data { stream, length: payload.len(), is_end }
                }
                Frame::RstStream { stream, code } => Seen::Reset { stream, code },
                Frame::GoAway { last_stream, code } => Seen::GoAway { last: last_stream, code },
                Frame::Ping { is_ack: false, data } => {
                    // Whether it is answered is the test's business.
                    self.ping = data;
                    Seen::Ping
                }
                Frame::Settings(payload) => {
                    if let Some(table) = payload.chunks(6).find(|pair| pair[..2] == [0, 1]) {
                        self.table = u32::from_be_bytes([table[2], table[3], table[4], table[5]]);
                    }
                    if self.acknowledges {
                        http2::put_settings_ack(&mut self.out);
                    }
                    Seen::Settings
                }
                Frame::WindowUpdate { stream, increment } => Seen::Window { stream, increment },
                _ => continue,
            };
            self.seen.push(seen);
        }
    }

    /// A value of the last header block that it was sent.
    pub(crate) fn last(&self, name: &str) -> Option<&str> {
        let fields = self.blocks.last()?;
        fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The statuses that came, in order.
    pub(crate) fn statuses(&self) -> Vec<(u32, &str)> {
        let status = |s: &'_ Seen| match s {
            Seen::Headers { stream, .. } => Some(*stream),
            _ => None,
        };
        self.seen
            .iter()
            .filter_map(|s| match s {
                Seen::Headers { status: text, .. } => status(s).map(|stream| (stream, text.as_str())),
                _ => None,
            })
            .collect()
    }

    /// The last stream ids of the GOAWAYs that came.
    pub(crate) fn goaways(&self) -> Vec<u32> {
        let last = |s: &Seen| if let Seen::GoAway { last, .. } = s { Some(*last) } else { None };
        self.seen.iter().filter_map(last).collect()
    }

    pub(crate) fn resets(&self) -> Vec<(u32, ErrorCode)> {
        let reset =
            |s: &Seen| if let Seen::Reset { stream, code } = s { Some((*stream, *code)) } else { None };
        self.seen.iter().filter_map(reset).collect()
    }
}
