//! Frames of RFC 9113 §4.1 and §6, right or wrong: nothing here asks whether a frame may be. Written anew from the RFC, so that
//! it shares no mistake with Evenkeel's own code.

/// Types of frames.
pub mod kind {
    #![allow(missing_docs)] // By the RFC's names.
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub mod flag {
    #![allow(missing_docs)] // By the RFC's names.
    pub const NONE: u8 = 0;
    pub const END_STREAM: u8 = 1;
    pub const ACK: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
}

/// Error codes (RFC 9113 §7).
pub mod code {
    #![allow(missing_docs)] // By the RFC's names.
    pub const NO_ERROR: u32 = 0;
    pub const PROTOCOL_ERROR: u32 = 1;
    pub const FLOW_CONTROL_ERROR: u32 = 3;
    pub const STREAM_CLOSED: u32 = 5;
    pub const FRAME_SIZE_ERROR: u32 = 6;
    pub const REFUSED_STREAM: u32 = 7;
    pub const CANCEL: u32 = 8;
    pub const COMPRESSION_ERROR: u32 = 9;
    pub const ENHANCE_YOUR_CALM: u32 = 11;
}

/// Identifiers of settings (RFC 9113 §6.5.2).
pub mod setting {
    #![allow(missing_docs)] // By the RFC's names.
    pub const HEADER_TABLE_SIZE: u16 = 1;
    pub const ENABLE_PUSH: u16 = 2;
    pub const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
    pub const MAX_FRAME_SIZE: u16 = 5;
}

/// What a client says first (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Length of a frame's head.
pub const HEAD: usize = 9;

/// One frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream.
    pub stream: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Whether it has a flag.
    #[must_use]
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The 32 bits at this place of the payload; 0 if it is shorter.
    #[must_use]
    pub fn word(&self, at: usize) -> u32 {
        let four = self.payload.get(at..at + 4).and_then(|four| <[u8; 4]>::try_from(four).ok());
        four.map_or(0, u32::from_be_bytes)
    }
}

/// Appends a frame.
pub fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    put_head(out, payload.len(), kind, flags, stream);
    out.extend_from_slice(payload);
}

/// Appends the head of a frame that claims to be this long.
pub fn put_head(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    out.extend_from_slice(&(length as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
}

/// Bytes as they come, cut into frames.
#[derive(Debug, Default)]
pub struct Cutter {
    bytes: Vec<u8>,
    at: usize,
}

impl Cutter {
    /// More came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }
}

impl Iterator for Cutter {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        let rest = &self.bytes[self.at..];
        let head = rest.get(..HEAD)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        let payload = rest.get(HEAD..HEAD + length)?.to_vec();
        self.at += HEAD + length;
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }
}

/// The payload of SETTINGS.
#[must_use]
pub fn settings(all: &[(u16, u32)]) -> Vec<u8> {
    all.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect()
}

/// The payload of GOAWAY.
#[must_use]
pub fn goaway(last_stream: u32, code: u32) -> Vec<u8> {
    [last_stream.to_be_bytes(), code.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_back_in_two_cuts() {
        let mut bytes = Vec::new();
        put(&mut bytes, kind::GOAWAY, 0, 0, &goaway(7, code::CANCEL));
        let mut cutter = Cutter::default();
        cutter.push(&bytes[..12]);
        assert_eq!(cutter.next(), None);
        cutter.push(&bytes[12..]);
        let frame = cutter.next().unwrap();
        assert_eq!((frame.kind, frame.word(0), frame.word(4), frame.word(8)), (kind::GOAWAY, 7, 8, 0));
        assert_eq!(cutter.next(), None);
    }

    #[test]
    fn a_setting_is_six_bytes() {
        assert_eq!(settings(&[(4, 1)]), [0, 4, 0, 0, 0, 1]);
    }
}
