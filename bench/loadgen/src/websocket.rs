//! WebSocket (RFC 6455) as far as the bench needs it: frames, and the two handshakes. No extension, no fragments. Clients
//! and backends of both loads ask it.
use base64::Engine;
use sha1::{Digest, Sha1};

pub const PING: u8 = 9;
pub const CLOSE: u8 = 8;

/// The frame at the start of `b`: (opcode, header length, masking key, payload length).
pub fn ws_frame(b: &[u8]) -> Option<(u8, usize, Option<[u8; 4]>, usize)> {
    let (op, second) = (*b.first()? & 0x0f, *b.get(1)?);
    let (mut at, len) = match second & 0x7f {
        126 => (4, u16::from_be_bytes(b.get(2..4)?.try_into().ok()?) as usize),
        127 => (10, u64::from_be_bytes(b.get(2..10)?.try_into().ok()?) as usize),
        n => (2, n as usize),
    };
    let key = if second & 0x80 != 0 {
        at += 4;
        Some(b.get(at - 4..at)?.try_into().ok()?)
    } else {
        None
    };
    (b.len() >= at + len).then_some((op, at, key, len))
}

/// Appends a whole message in one frame.
pub fn ws_put(out: &mut Vec<u8>, op: u8, payload: &[u8], mask: bool) {
    out.push(0x80 | op);
    let m = if mask { 0x80 } else { 0 };
    match payload.len() {
        n if n < 126 => out.push(m | n as u8),
        n if n < 65536 => {
            out.push(m | 126);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            out.push(m | 127);
            out.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    if mask {
        out.extend_from_slice(&[0; 4]); // a key of zeros: masked, and the bytes stay
    }
    out.extend_from_slice(payload);
}

/// The client's handshake.
pub fn request(host: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nhost: {host}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// The backend's answer to a handshake whose head this is.
pub fn answer(head: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(head);
    let (_, key) = head
        .lines()
        .filter_map(|l| l.split_once(':'))
        .find(|(k, _)| k.eq_ignore_ascii_case("sec-websocket-key"))?;
    let sum = Sha1::digest(format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key.trim()));
    let accept = base64::engine::general_purpose::STANDARD.encode(sum);
    Some(format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    ))
}

/// What a backend says to any other request.
pub const REFUSAL: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_whole_only_with_its_last_octet() {
        for (length, head) in [(0, 6), (125, 6), (126, 8), (65_536, 14)] {
            let mut out = Vec::new();
            ws_put(&mut out, 2, &vec![b'e'; length], true);
            assert_eq!(ws_frame(&out[..out.len() - 1]), None);
            assert_eq!(ws_frame(&out), Some((2, head, Some([0; 4]), length)));
        }
    }

    #[test]
    fn the_answer_is_that_of_rfc_6455() {
        let answer = answer(request("bench").as_bytes()).expect("a key");
        assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }
}
