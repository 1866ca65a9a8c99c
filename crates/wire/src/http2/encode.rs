//! Frames to bytes, appended to an output.

use super::code::ErrorCode;
use super::frame::{FRAME_HEADER_LEN, Kind, flags};
use super::settings::Settings;
use crate::hpack::{Encoder, HeaderList, HeaderStore};

fn header(length: usize, kind: Kind, flags: u8, stream: u32) -> [u8; FRAME_HEADER_LEN] {
    let (l, s) = ((length as u32).to_be_bytes(), stream.to_be_bytes());
    [l[1], l[2], l[3], kind as u8, flags, s[0], s[1], s[2], s[3]]
}

/// Appends the header of a DATA frame of `length` octets, which the caller appends next.
pub fn put_data_header(out: &mut Vec<u8>, stream: u32, length: usize, is_end: bool) {
    out.extend_from_slice(&header(length, Kind::Data, if is_end { flags::END_STREAM } else { 0 }, stream));
}

/// Appends a header list as HEADERS, with CONTINUATION where it is longer than the peer's frames may be.
pub fn put_headers(
    out: &mut Vec<u8>,
    stream: u32,
    is_end: bool,
    max_frame_size: u32,
    list: &HeaderList,
    encoder: &mut Encoder,
    store: &mut HeaderStore,
) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEADER_LEN]);
    encoder.encode(list, store, out);
    let block_len = out.len() - start - FRAME_HEADER_LEN;
    let end_stream = if is_end { flags::END_STREAM } else { 0 };
    let most = max_frame_size as usize;
    if block_len <= most {
        let head = header(block_len, Kind::Headers, end_stream | flags::END_HEADERS, stream);
        out[start..start + FRAME_HEADER_LEN].copy_from_slice(&head);
        return;
    }
    let block = out.split_off(start + FRAME_HEADER_LEN);
    out.truncate(start);
    let last = block.len().div_ceil(most) - 1;
    for (i, part) in block.chunks(most).enumerate() {
        let end_headers = if i == last { flags::END_HEADERS } else { 0 };
        let (kind, flags) = if i == 0 { (Kind::Headers, end_stream) } else { (Kind::Continuation, 0) };
        out.extend_from_slice(&header(part.len(), kind, flags | end_headers, stream));
        out.extend_from_slice(part);
    }
}

/// Appends RST_STREAM.
pub fn put_rst_stream(out: &mut Vec<u8>, stream: u32, code: ErrorCode) {
    out.extend_from_slice(&header(4, Kind::RstStream, 0, stream));
    out.extend_from_slice(&(code as u32).to_be_bytes());
}

/// Appends SETTINGS with what differs from the defaults.
pub fn put_settings(out: &mut Vec<u8>, settings: &Settings, is_client: bool) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEADER_LEN]);
    for (id, value) in settings.pairs(is_client) {
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
    let head = header(out.len() - start - FRAME_HEADER_LEN, Kind::Settings, 0, 0);
    out[start..start + FRAME_HEADER_LEN].copy_from_slice(&head);
}

/// Appends the acknowledgement of the peer's SETTINGS.
pub fn put_settings_ack(out: &mut Vec<u8>) {
    out.extend_from_slice(&header(0, Kind::Settings, flags::ACK, 0));
}

/// Appends PING.
pub fn put_ping(out: &mut Vec<u8>, is_ack: bool, data: [u8; 8]) {
    out.extend_from_slice(&header(8, Kind::Ping, if is_ack { flags::ACK } else { 0 }, 0));
    out.extend_from_slice(&data);
}

/// Appends GOAWAY.
pub fn put_goaway(out: &mut Vec<u8>, last_stream: u32, code: ErrorCode, debug: &[u8]) {
    out.extend_from_slice(&header(8 + debug.len(), Kind::GoAway, 0, 0));
    out.extend_from_slice(&last_stream.to_be_bytes());
    out.extend_from_slice(&(code as u32).to_be_bytes());
    out.extend_from_slice(debug);
}

/// Appends WINDOW_UPDATE; stream 0 is the connection.
pub fn put_window_update(out: &mut Vec<u8>, stream: u32, increment: u32) {
    out.extend_from_slice(&header(4, Kind::WindowUpdate, 0, stream));
    out.extend_from_slice(&increment.to_be_bytes());
}
