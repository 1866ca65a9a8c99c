//! The first message of a TLS client: the same answer however much came, names that are names, and no more asked for than the
//! limit.

use crate::tape::Tape;
use evenkeel_wire::client_hello::{self, LONGEST};

pub(super) fn make(tape: &mut Tape<'_>) -> Vec<u8> {
    let mut extensions = Vec::new();
    while tape.is_one_in(2) && extensions.len() < 500 {
        match tape.below(4) {
            0 => {
                let name = tape.pick(&[&b"example.com"[..], b"A.b.", b"10.0.0.1", b"a b", b""]);
                put(&mut extensions, 0, &list(&[&[0][..], &list(name)].concat()));
            }
            1 => put(
                &mut extensions,
                16,
                &list(tape.pick(&[&b"\x02h2"[..], b"\x08http/1.1\x02h2", b"\0", b""])),
            ),
            kind => {
                let length = tape.below(30);
                put(&mut extensions, kind as u16 + 40, tape.bytes(length));
            }
        }
    }
    let session = tape.below(33);
    let mut body = [&[3, 3][..], &[tape.byte(); 32], &[session as u8], &vec![1; session]].concat();
    body.extend_from_slice(&[0, 2, 0x13, 1, 1, 0]);
    if !tape.is_one_in(10) {
        body.extend_from_slice(&list(&extensions));
    }
    let message = [&[1][..], &(body.len() as u32).to_be_bytes()[1..], &body].concat();
    let largest = tape.pick(&[1 << 14, 1, 5, 50]);
    let mut out: Vec<u8> =
        message.chunks(largest).flat_map(|part| [&[22, 3, 1][..], &list(part)].concat()).collect();
    out.extend_from_slice(tape.rest());
    out
}

fn list(data: &[u8]) -> Vec<u8> {
    [&(data.len() as u16).to_be_bytes()[..], data].concat()
}

fn put(extensions: &mut Vec<u8>, kind: u16, data: &[u8]) {
    extensions.extend_from_slice(&kind.to_be_bytes());
    extensions.extend_from_slice(&list(data));
}

pub(super) fn run(input: &[u8]) -> Result<(), String> {
    let whole = client_hello::read(input);
    if whole == Ok(None) && input.len() >= LONGEST {
        return Err(format!("more than {} bytes are asked for", input.len()));
    }
    for cut in 0..input.len() {
        let part = client_hello::read(&input[..cut]);
        if part != Ok(None) && part != whole {
            return Err(format!("{part:?} of {cut} bytes, {whole:?} of all"));
        }
    }
    let Ok(Some(hello)) = whole else { return Ok(()) };
    if hello.protocols().any(<[u8]>::is_empty) {
        return Err("a protocol without a name".to_owned());
    }
    let is_name = |name: &str| {
        (1..=253).contains(&name.len())
            && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
    };
    match hello.server_name {
        Some(name) if !is_name(&name) => Err(format!("{name:?} is no name")),
        _ => Ok(()),
    }
}
