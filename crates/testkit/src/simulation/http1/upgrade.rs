//! The bytes of a WebSocket that was agreed on: whole frames (RFC 6455 §5.2), so that whoever reads along finds nothing
//! wrong with them.

use crate::simulation::ledger::Span;
use crate::simulation::prng::Prng;

/// Binary messages made of a span's bytes; a client's are masked, with a key that changes nothing.
pub(super) fn messages(span: Span, is_client: bool, prng: &mut Prng) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    let mask = if is_client { 0x80 } else { 0 };
    while at < span.length {
        let part = span.bytes(at, prng.pick(&[1, 100, 125, 126, 3_000, 70_000]));
        at += part.len();
        out.push(0x82);
        match part.len() {
            n @ 0..=125 => out.push(mask | n as u8),
            n @ 126..=0xffff => {
                out.push(mask | 126);
                out.extend_from_slice(&(n as u16).to_be_bytes());
            }
            n => {
                out.push(mask | 127);
                out.extend_from_slice(&(n as u64).to_be_bytes());
            }
        }
        if is_client {
            out.extend_from_slice(&[0; 4]);
        }
        out.extend_from_slice(part);
    }
    // A close frame with status 1000 (§5.5.1).
    out.extend_from_slice(&[0x88, mask | 2]);
    if is_client {
        out.extend_from_slice(&[0; 4]);
    }
    out.extend_from_slice(&1000u16.to_be_bytes());
    out
}
