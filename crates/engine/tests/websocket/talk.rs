//! What peers of a WebSocket say: handshakes and frames by hand.

use evenkeel_wire::websocket::handshake::accept_of;

/// The key of every client here.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A request of HTTP/1 with this method, version and key.
pub(crate) fn request(method: &str, version: &str, key: &str) -> Vec<u8> {
    let mut text =
        format!("{method} /chat HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n");
    for (name, value) in [("sec-websocket-version", version), ("sec-websocket-key", key)] {
        if !value.is_empty() {
            text += &format!("{name}: {value}\r\n");
        }
    }
    (text + "sec-websocket-protocol: chat\r\n\r\n").into_bytes()
}

/// The fields of an extended CONNECT.
pub(crate) const CONNECT: &[(&str, &str)] = &[
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":path", "/chat"),
    (":authority", "a"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-protocol", "chat"),
];

/// The value of a header in a head of HTTP/1.
pub(crate) fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(head).unwrap();
    let line = text.lines().find(|line| line.split(':').next().unwrap().eq_ignore_ascii_case(name))?;
    Some(line.split_once(':').unwrap().1.trim())
}

/// The 101 of an endpoint that has read this request.
pub(crate) fn consent(request: &[u8]) -> Vec<u8> {
    let accept = accept_of(header(request, "sec-websocket-key").unwrap().as_bytes());
    let accept = std::str::from_utf8(&accept).unwrap();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {accept}\r\nsec-websocket-protocol: chat\r\n\r\n"
    )
    .into_bytes()
}

/// Text, binary, ping, pong and close frames; `first` has FIN and the opcode.
pub(crate) fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let mut out = vec![first];
    match payload.len() {
        0..126 => out.push(bit | payload.len() as u8),
        126..0x1_0000 => {
            out.push(bit | 126);
            out.extend_from_slice(&(payload.len() as u16).to_be_bytes());
        }
        _ => {
            out.push(bit | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    let mask_of = mask.unwrap_or_default();
    out.extend_from_slice(mask.as_ref().map_or(&[][..], |m| &m[..]));
    out.extend(payload.iter().zip(mask_of.iter().cycle()).map(|(byte, key)| byte ^ key));
    out
}

/// A frame of a client.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, Some([0x11, 0x22, 0x33, 0x44]), payload)
}

/// A frame of an endpoint.
pub(crate) fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, None, payload)
}

/// The frames of one sender, unmasked: first octet and payload.
pub(crate) fn frames(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (mut rest, mut out) = (bytes, Vec::new());
    while let [first, second, tail @ ..] = rest {
        let (length, tail) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes([tail[0], tail[1]])), &tail[2..]),
            127 => (u64::from_be_bytes(tail[..8].try_into().unwrap()) as usize, &tail[8..]),
            short => (usize::from(short), tail),
        };
        let (mask, tail) =
            if second & 0x80 != 0 { (tail[..4].to_vec(), &tail[4..]) } else { (vec![0; 4], tail) };
        let payload = tail[..length].iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b).collect();
        out.push((*first, payload));
        rest = &tail[length..];
    }
    assert!(rest.is_empty(), "half a frame");
    out
}

/// The codes of the close frames among them.
pub(crate) fn close_codes(bytes: &[u8]) -> Vec<u16> {
    let code = |(first, payload): &(u8, Vec<u8>)| {
        (*first == 0x88).then(|| payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code)))
    };
    frames(bytes).iter().filter_map(code).collect()
}
