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
}

/// A client or an endpoint.
pub(crate) struct Peer {
    pub(crate) key: ConnKey,
    /// What it will send next.
    pub(crate) out: Vec<u8>,
    /// All that it was sent.
    pub(crate) seen: Vec<Seen>,
    /// Whether its connection was closed by the engine.
    pub(crate) is_closed: bool,
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
            is_closed: false,
            reader: FrameReader::new(HeaderLimits::default()),
            decoder: Decoder::default(),
            store: HeaderStore::new((1, 2), 1 << 20),
            preface_left,
        }
    }

    /// HEADERS of literals that enter no table.
    pub(crate) fn headers(&mut self, stream: u32, fields: &[(&str, &str)], is_end: bool) {
        let mut block = Vec::new();
        for (name, value) in fields {
            assert!(name.len() < 127 && value.len() < 127, "one octet of length");
            block.extend_from_slice(&[0, name.len() as u8]);
            block.extend_from_slice(name.as_bytes());
            block.push(value.len() as u8);
            block.extend_from_slice(value.as_bytes());
        }
        self.frame(1, 0x4 | u8::from(is_end), stream, &block);
    }

    pub(crate) fn request(&mut self, stream: u32, is_end: bool) {
        let fields = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
        self.headers(stream, &fields, is_end);
    }

    pub(crate) fn answer(&mut self, stream: u32, is_end: bool) {
        self.headers(stream, &[(":status", "200")], is_end);
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
                    let is_status = |f: &&_| list.name_bytes(f, &self.store) == b":status";
                    let status = list.fields().iter().find(is_status).map(|f| list.value(f, &self.store));
                    let status = String::from_utf8(status.unwrap_or_default().to_vec()).unwrap();
                    list.clear(&mut self.store);
                    Seen::Headers { stream, status, is_end }
                }
                Frame::Data { stream, payload, is_end, .. } => {
                    Seen::Data { stream, length: payload.len(), is_end }
                }
                Frame::RstStream { stream, code } => Seen::Reset { stream, code },
                Frame::GoAway { last_stream, code } => Seen::GoAway { last: last_stream, code },
                Frame::Ping { is_ack: false, data } => {
                    // Whether it is answered is the test's business.
                    let _ = data;
                    Seen::Ping
                }
                Frame::Settings(_) => Seen::Settings,
                _ => continue,
            };
            self.seen.push(seen);
        }
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
