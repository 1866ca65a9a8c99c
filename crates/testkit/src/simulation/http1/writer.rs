//! Messages as bytes (RFC 9112), in every way in which a good peer may write them.

use crate::simulation::ledger::Fields;
use crate::simulation::prng::Prng;

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none, and nothing says so.
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8], prng: &mut Prng) {
    match prng.below(6) {
        0 => out.extend(name.to_ascii_uppercase()),
        _ => out.extend_from_slice(name),
    }
    out.extend_from_slice(prng.pick(&[b": ", b":\t", b": ", b": "]));
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends a request's or an answer's head. `more`: fields of this hop.
pub(super) fn put_head(
    out: &mut Vec<u8>,
    minor: u8,
    fields: &Fields,
    framing: Framing,
    more: &[(&str, &str)],
    prng: &mut Prng,
) {
    let find = |name: &[u8]| fields.iter().find(|(n, _)| n == name).map_or(&b""[..], |(_, v)| v);
    if find(b":status").is_empty() {
        out.extend_from_slice(&[find(b":method"), b" ", find(b":path")].concat());
        out.extend_from_slice(format!(" HTTP/1.{minor}\r\n").as_bytes());
        line(out, b"host", find(b":authority"), prng);
    } else {
        out.extend_from_slice(format!("HTTP/1.{minor} ").as_bytes());
        out.extend_from_slice(find(b":status"));
        out.extend_from_slice(prng.pick(&[&b" Whatever\r\n"[..], b" \r\n", b"\r\n"]));
    }
    for (name, value) in fields.iter().filter(|(name, _)| !name.starts_with(b":")) {
        let is_te = name == b"te";
        if is_te && more.iter().all(|(name, _)| *name != "connection") {
            line(out, b"connection", b"te", prng);
        }
        line(out, name, value, prng);
    }
    match framing {
        Framing::Length(length) => line(out, b"content-length", length.to_string().as_bytes(), prng),
        Framing::Chunked => line(out, b"transfer-encoding", b"chunked", prng),
        Framing::None | Framing::UntilClose => {}
    }
    for (name, value) in more {
        line(out, name.as_bytes(), value.as_bytes(), prng);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a part of a body.
pub(super) fn put_body(out: &mut Vec<u8>, framing: Framing, bytes: &[u8], prng: &mut Prng) {
    if framing != Framing::Chunked {
        out.extend_from_slice(bytes);
    } else if !bytes.is_empty() {
        let extension = prng.pick(&["", "", ";a=b", ";c=\"d;e\""]);
        let zeros = prng.pick(&["", "", "00"]);
        out.extend_from_slice(format!("{zeros}{:x}{extension}\r\n", bytes.len()).as_bytes());
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends what ends a body.
pub(super) fn put_end(out: &mut Vec<u8>, framing: Framing, trailers: Option<&Fields>, prng: &mut Prng) {
    if framing == Framing::Chunked {
        out.extend_from_slice(b"0\r\n");
        for (name, value) in trailers.into_iter().flatten() {
            line(out, name, value, prng);
        }
        out.extend_from_slice(b"\r\n");
    }
}
