//! HTTP/2 frames as octets (RFC 9113, section 4): their headers written and found. What they mean stands in `link`, `drive` and
//! `origin`.

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame's header, and where its payload lies.
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub id: u32,
    pub from: usize,
    pub to: usize,
}

/// A frame's header.
pub fn head(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, id: u32) {
    let n = length as u32;
    let i = id.to_be_bytes();
    out.extend_from_slice(&[(n >> 16) as u8, (n >> 8) as u8, n as u8, kind, flags, i[0], i[1], i[2], i[3]]);
}

/// A header block of its own, of at most 16 KiB.
pub fn put_headers(out: &mut Vec<u8>, id: u32, flags: u8, block: &[u8]) {
    head(out, block.len(), HEADERS, flags | END_HEADERS, id);
    out.extend_from_slice(block);
}

/// The whole frame that begins there.
pub fn next_frame(buf: &[u8], at: usize) -> Option<Frame> {
    let h = buf.get(at..at + 9)?;
    let from = at + 9;
    let to = from + u32::from_be_bytes([0, h[0], h[1], h[2]]) as usize;
    let id = u32::from_be_bytes([h[5], h[6], h[7], h[8]]) & 0x7fff_ffff;
    (to <= buf.len()).then_some(Frame { kind: h[3], flags: h[4], id, from, to })
}
