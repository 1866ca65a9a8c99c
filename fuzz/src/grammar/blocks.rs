//! HPACK header blocks (RFC 7541 §6), with a dynamic table of their own so that indices mean something.
//!
//! Knows nothing of the decoder under test. Used by the HPACK targets, the frames and the relay.

use crate::tape::{Tape, put_part};
use evenkeel_wire::hpack::strings;
use std::collections::VecDeque;

/// Some of the static table (RFC 7541 Appendix A): index, name, value.
const STATIC: &[(usize, &[u8], &[u8])] = &[
    (1, b":authority", b""),
    (2, b":method", b"GET"),
    (3, b":method", b"POST"),
    (4, b":path", b"/"),
    (6, b":scheme", b"http"),
    (7, b":scheme", b"https"),
    (8, b":status", b"200"),
    (13, b":status", b"404"),
    (16, b"accept-encoding", b"gzip, deflate"),
    (23, b"authorization", b""),
    (28, b"content-length", b""),
    (31, b"content-type", b""),
    (32, b"cookie", b""),
    (33, b"date", b""),
    (38, b"host", b""),
    (55, b"set-cookie", b""),
    (58, b"user-agent", b""),
    (61, b"www-authenticate", b""),
];
const STATIC_LEN: usize = 61;

const NAMES: &[&[u8]] = &[
    b":authority",
    b":path",
    b"authorization",
    b"cookie",
    b"content-type",
    b"user-agent",
    b"te",
    b"x-request-id",
    b"x-a",
    b"X-Upper",
    b"grpc-status",
    b"a",
    b"",
];

const VALUES: &[&[u8]] = &[
    b"",
    b"1",
    b"trailers",
    b"application/grpc",
    b"www.example.com",
    b"/helloworld.Greeter/SayHello",
    b"/a?q=1",
    b"a secret that is long enough to be coded",
    b" spaced ",
    b"\0\r\n",
    b"\xff\xfe",
];

/// Appends an integer with a prefix (RFC 7541 §5.1).
pub(crate) fn put_integer(out: &mut Vec<u8>, flags: u8, prefix_bits: u32, value: usize) {
    let mask = (1usize << prefix_bits) - 1;
    if value < mask {
        out.push(flags | value as u8);
        return;
    }
    out.push(flags | mask as u8);
    let mut rest = value - mask;
    while rest >= 128 {
        out.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    out.push(rest as u8);
}

/// Writes the blocks of one connection.
#[derive(Debug)]
pub(crate) struct BlockWriter {
    /// Newest first.
    table: VecDeque<(Vec<u8>, Vec<u8>)>,
    most: usize,
    /// Largest table that the reader allows.
    allowed: usize,
}

impl Default for BlockWriter {
    fn default() -> Self {
        Self { table: VecDeque::new(), most: 4096, allowed: 4096 }
    }
}

impl BlockWriter {
    /// Appends a field in one of the representations that it may have; true if it is marked never-indexed.
    pub(crate) fn put_field(
        &mut self,
        tape: &mut Tape<'_>,
        name: &[u8],
        value: &[u8],
        out: &mut Vec<u8>,
    ) -> bool {
        let kind = tape.below(8);
        if kind < 5
            && let Some(index) = self.index_of(name, value)
        {
            put_integer(out, 0x80, 7, index);
            return false;
        }
        let (flags, prefix_bits) = match kind {
            0..=4 => (0x40, 6),
            5 | 6 => (0x00, 4),
            _ => (0x10, 4),
        };
        match self.name_index(name) {
            Some(index) if !tape.is_one_in(4) => put_integer(out, flags, prefix_bits, index),
            _ => {
                out.push(flags);
                put_string(tape, name, out);
            }
        }
        put_string(tape, value, out);
        if flags == 0x40 {
            self.table.push_front((name.to_vec(), value.to_vec()));
            self.evict();
        }
        flags == 0x10
    }

    /// Appends a size update, which is right at a block's start only.
    pub(crate) fn put_size_update(&mut self, size: usize, out: &mut Vec<u8>) {
        put_integer(out, 0x20, 5, size);
        self.most = size.min(self.allowed);
        self.evict();
    }

    /// Appends a block of some fields, mostly valid, and says them.
    pub(crate) fn put_block(&mut self, tape: &mut Tape<'_>, out: &mut Vec<u8>) {
        if tape.is_one_in(8) {
            let size = tape.pick(&[0, 40, 100, 1000, 4095, 4096, 4097]);
            self.put_size_update(size, out);
        }
        for _ in 0..tape.below(9) {
            match tape.below(20) {
                18 => out.extend_from_slice(tape.bytes(3)),
                19 => put_integer(out, 0x80, 7, 60 + tape.below(20)),
                17 => {
                    let index = tape.below(70);
                    put_integer(out, 0x40, 6, index);
                    put_string(tape, b"value", out);
                    if let Some(name) = self.name_at(index) {
                        self.table.push_front((name, b"value".to_vec()));
                        self.evict();
                    }
                }
                _ => {
                    let (name, value) = field(tape);
                    self.put_field(tape, &name, &value, out);
                }
            }
        }
    }

    fn evict(&mut self) {
        let size = |f: &(Vec<u8>, Vec<u8>)| f.0.len() + f.1.len() + 32;
        let mut total: usize = self.table.iter().map(size).sum();
        while total > self.most {
            let Some(oldest) = self.table.pop_back() else { return };
            total -= size(&oldest);
        }
    }

    fn index_of(&self, name: &[u8], value: &[u8]) -> Option<usize> {
        let dynamic = self.table.iter().position(|f| f.0 == name && f.1 == value);
        let fixed = STATIC.iter().find(|f| f.1 == name && f.2 == value).map(|f| f.0);
        dynamic.map(|i| i + STATIC_LEN + 1).or(fixed)
    }

    fn name_index(&self, name: &[u8]) -> Option<usize> {
        let dynamic = self.table.iter().position(|f| f.0 == name);
        dynamic.map(|i| i + STATIC_LEN + 1).or_else(|| STATIC.iter().find(|f| f.1 == name).map(|f| f.0))
    }

    fn name_at(&self, index: usize) -> Option<Vec<u8>> {
        match index.checked_sub(STATIC_LEN + 1) {
            Some(at) => self.table.get(at).map(|f| f.0.clone()),
            None if index == 0 => None,
            // A static name that is not listed above: only its size matters.
            None => Some(STATIC.iter().find(|f| f.0 == index).map_or(vec![b'?'; 10], |f| f.1.to_vec())),
        }
    }
}

/// A field: names and values that occur, that repeat, and that may not be.
pub(crate) fn field(tape: &mut Tape<'_>) -> (Vec<u8>, Vec<u8>) {
    let known = tape.pick(STATIC);
    let name = if tape.is_one_in(2) { tape.pick(NAMES) } else { known.1 };
    let value = match tape.below(8) {
        0 | 1 => known.2.to_vec(),
        2..=5 => tape.pick(VALUES).to_vec(),
        6 => {
            let length = tape.below(40);
            tape.bytes(length).to_vec()
        }
        _ => vec![tape.byte(); tape.below(2000)],
    };
    (name.to_vec(), value)
}

/// Appends a string, coded or not.
fn put_string(tape: &mut Tape<'_>, text: &[u8], out: &mut Vec<u8>) {
    if tape.is_one_in(2) {
        let mut coded = Vec::new();
        strings::encode(text, &mut coded);
        put_integer(out, 0x80, 7, coded.len());
        out.extend_from_slice(&coded);
    } else {
        put_integer(out, 0, 7, text.len());
        out.extend_from_slice(text);
    }
}

/// The blocks of one connection as parts (see [`put_part`]).
pub(crate) fn blocks(tape: &mut Tape<'_>) -> Vec<u8> {
    let (mut writer, mut out) = (BlockWriter::default(), Vec::new());
    for _ in 0..=tape.below(8) {
        let mut block = Vec::new();
        writer.put_block(tape, &mut block);
        put_part(&mut out, &block);
    }
    out
}
