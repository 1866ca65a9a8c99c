//! Frames of RFC 9113 §4.1 and §6, cut out of bytes and put together without `wire`.

/// Frame types and flags, by the RFC's names.
pub(in crate::simulation::http2) mod names {
    pub(in crate::simulation::http2) const DATA: u8 = 0;
    pub(in crate::simulation::http2) const HEADERS: u8 = 1;
    pub(in crate::simulation::http2) const PRIORITY: u8 = 2;
    pub(in crate::simulation::http2) const RST_STREAM: u8 = 3;
    pub(in crate::simulation::http2) const SETTINGS: u8 = 4;
    pub(in crate::simulation::http2) const PUSH_PROMISE: u8 = 5;
    pub(in crate::simulation::http2) const PING: u8 = 6;
    pub(in crate::simulation::http2) const GOAWAY: u8 = 7;
    pub(in crate::simulation::http2) const WINDOW_UPDATE: u8 = 8;
    pub(in crate::simulation::http2) const CONTINUATION: u8 = 9;
    pub(in crate::simulation::http2) const END_STREAM: u8 = 1;
    pub(in crate::simulation::http2) const ACK: u8 = 1;
    pub(in crate::simulation::http2) const END_HEADERS: u8 = 4;
    pub(in crate::simulation::http2) const PADDED: u8 = 8;
    pub(in crate::simulation::http2) const WITH_PRIORITY: u8 = 0x20;
}

/// One frame as it came.
#[derive(Clone, Debug)]
pub(in crate::simulation::http2) struct RawFrame {
    pub(in crate::simulation::http2) kind: u8,
    pub(in crate::simulation::http2) flags: u8,
    pub(in crate::simulation::http2) stream: u32,
    pub(in crate::simulation::http2) payload: Vec<u8>,
}

impl RawFrame {
    pub(in crate::simulation::http2) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The 32 bits at `at`.
    pub(in crate::simulation::http2) fn word(&self, at: usize) -> Result<u32, String> {
        let four = self.payload.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok());
        four.map(u32::from_be_bytes).ok_or(format!("a frame of type {} is too short", self.kind))
    }
}

/// Takes the first whole frame off `input`.
pub(in crate::simulation::http2) fn take(
    input: &[u8],
    at: &mut usize,
    most: usize,
) -> Result<Option<RawFrame>, String> {
    let Some(head) = input.get(*at..*at + 9) else { return Ok(None) };
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    if length > most {
        return Err(format!("a frame of {length} bytes, where {most} were announced as the most"));
    }
    let Some(payload) = input.get(*at + 9..*at + 9 + length) else { return Ok(None) };
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    if stream >> 31 != 0 {
        return Err("the reserved bit of a stream id is set".to_owned());
    }
    let frame = RawFrame { kind: head[3], flags: head[4], stream, payload: payload.to_vec() };
    *at += 9 + length;
    Ok(Some(frame))
}

/// Appends a frame.
pub(in crate::simulation::http2) fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = (payload.len() as u32).to_be_bytes();
    out.extend_from_slice(&[length[1], length[2], length[3], kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}
