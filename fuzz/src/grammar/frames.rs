//! HTTP/2 frames (RFC 9113 §4, §6), mostly valid.
//!
//! Writes bytes only and keeps no state of streams. Used by the targets for frames, and by the relay for what a peer
//! should not send.

use super::blocks::BlockWriter;
use crate::tape::Tape;

/// Appends a frame.
pub(crate) fn put_frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = (payload.len() as u32).to_be_bytes();
    let stream = stream.to_be_bytes();
    out.extend_from_slice(&[length[1], length[2], length[3], kind, flags]);
    out.extend_from_slice(&stream);
    out.extend_from_slice(payload);
}

/// Appends a header block as HEADERS, and CONTINUATION if it is cut.
pub(crate) fn put_block(out: &mut Vec<u8>, stream: u32, is_end: bool, block: &[u8], cut: usize) {
    let end_stream = u8::from(is_end);
    if cut == 0 || cut >= block.len() {
        put_frame(out, 1, end_stream | 4, stream, block);
        return;
    }
    let last = block.len().div_ceil(cut) - 1;
    for (i, part) in block.chunks(cut).enumerate() {
        let end_headers = if i == last { 4 } else { 0 };
        let (kind, flags) = if i == 0 { (1, end_stream) } else { (9, 0) };
        put_frame(out, kind, flags | end_headers, stream, part);
    }
}

/// The payload of SETTINGS.
pub(crate) fn settings_payload(tape: &mut Tape<'_>) -> Vec<u8> {
    let mut payload = Vec::new();
    for _ in 0..tape.below(5) {
        let id = tape.below(9) as u16;
        let value = match id {
            1 => tape.pick(&[0, 64, 4096, 10_000, u32::MAX]),
            2 => tape.pick(&[0, 1, 2]),
            3 => tape.pick(&[0, 1, 100, u32::MAX]),
            4 => tape.pick(&[0, 1, 100, 65_535, 1 << 20, 0x7fff_ffff, 0x8000_0000]),
            5 => tape.pick(&[16_384, 16_385, 0xff_ffff, 0x100_0000, 16_383]),
            6 => tape.pick(&[0, 100, 65_536, u32::MAX]),
            _ => tape.word(),
        };
        payload.extend_from_slice(&id.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    payload
}

/// Appends any frame; about one in eight breaks a rule.
pub(crate) fn put_any(out: &mut Vec<u8>, blocks: &mut BlockWriter, tape: &mut Tape<'_>) {
    let stream = tape.pick(&[1, 1, 3, 3, 5, 7, 2, 0x7fff_ffff]);
    let is_broken = tape.is_one_in(8);
    match tape.below(14) {
        0..=3 => {
            let length = tape.pick(&[0, 1, 10, 300, 16_384]);
            let mut payload = vec![tape.byte(); length];
            let mut flags = u8::from(tape.is_one_in(4));
            if tape.is_one_in(3) && length < 16_000 {
                let padding = tape.pick(&[0, 1, 7, 255]);
                flags |= 8;
                payload.insert(0, padding);
                if !is_broken {
                    payload.resize(payload.len() + usize::from(padding), 0);
                }
            }
            put_frame(out, 0, flags, if is_broken { 0 } else { stream }, &payload);
        }
        4..=6 => {
            let mut block = Vec::new();
            blocks.put_block(tape, &mut block);
            let cut = if tape.is_one_in(3) { tape.below(40) } else { 0 };
            if cut == 0 && tape.is_one_in(3) {
                // With priority and padding.
                let mut payload = vec![2];
                payload.extend_from_slice(&tape.pick(&[0, stream, 1, 0x8000_0001]).to_be_bytes());
                payload.push(16);
                // In two parts now and then: padding is the first one's only.
                let rest = block.split_off(if tape.is_one_in(3) {
                    tape.below(block.len() + 1)
                } else {
                    block.len()
                });
                let end_headers = if rest.is_empty() { 4 } else { 0 };
                payload.extend_from_slice(&block);
                payload.extend_from_slice(&[0, 0]);
                let flags = end_headers | 8 | 0x20 | u8::from(tape.is_one_in(2));
                put_frame(out, 1, flags, stream, &payload);
                if !rest.is_empty() {
                    put_frame(out, 9, 4, stream, &rest);
                }
            } else {
                put_block(out, stream, tape.is_one_in(2), &block, cut);
            }
            if is_broken {
                put_frame(out, 9, 4, stream, b"");
            }
        }
        7 => {
            let payload = settings_payload(tape);
            let cut = payload.len() - if is_broken && !payload.is_empty() { 1 } else { 0 };
            put_frame(out, 4, 0, 0, &payload[..cut]);
        }
        8 => put_frame(out, 4, 1, 0, if is_broken { &[0; 6] } else { &[] }),
        9 => put_frame(out, 6, u8::from(tape.is_one_in(2)), 0, &vec![7; if is_broken { 7 } else { 8 }]),
        10 => {
            let increment = tape.pick(&[1u32, 100, 0x7fff_ffff, if is_broken { 0 } else { 65_535 }]);
            put_frame(out, 8, 0, tape.pick(&[0, stream]), &increment.to_be_bytes());
        }
        11 => {
            let code = tape.pick(&[0u32, 7, 8, 11, 99]);
            put_frame(out, 3, 0, if is_broken { 0 } else { stream }, &code.to_be_bytes());
        }
        12 => {
            let mut payload = tape.pick(&[0u32, 1, 3, 0x7fff_ffff]).to_be_bytes().to_vec();
            payload.extend_from_slice(&[0; 4]);
            payload.extend_from_slice(tape.bytes(3));
            put_frame(out, 7, 0, 0, &payload[..if is_broken { 7 } else { payload.len() }]);
        }
        _ => {
            let kind = tape.pick(&[2, 2, 5, 99, 200, 9]);
            let length = tape.pick(&[5, 5, 0, 1, 30]);
            put_frame(out, kind, tape.byte(), tape.pick(&[0, stream]), &vec![1; length]);
        }
    }
}

/// A stream of frames.
pub(crate) fn stream_of_frames(tape: &mut Tape<'_>) -> Vec<u8> {
    let (mut out, mut blocks) = (Vec::new(), BlockWriter::default());
    while !tape.is_over() && out.len() < 60_000 {
        put_any(&mut out, &mut blocks, tape);
    }
    out
}
