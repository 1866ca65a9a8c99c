//! The PROXY protocol: a header means the same however much of the connection came, and what we write we read.

use crate::tape::Tape;
use evenkeel_wire::proxy_protocol::{self, Addresses, LONGEST_V2};
use std::net::SocketAddr;

pub(super) fn make(tape: &mut Tape<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let (source, destination) = (address(tape), address(tape));
    let addresses = (!tape.is_one_in(5)).then_some(Addresses { source, destination });
    if tape.is_one_in(2) {
        proxy_protocol::put_v1(&mut out, addresses);
    } else {
        proxy_protocol::put_v2(&mut out, addresses, tape.is_one_in(2).then_some("example.com"));
        while tape.is_one_in(2) && out.len() < 1_000 {
            let (kind, length) = (tape.below(7) as u8, tape.below(9));
            out.extend_from_slice(&[kind, 0, length as u8]);
            out.resize(out.len() + length, tape.byte());
        }
        let length = (out.len() - 16) as u16;
        out[14..16].copy_from_slice(&length.to_be_bytes());
    }
    out.extend_from_slice(tape.rest());
    out
}

fn address(tape: &mut Tape<'_>) -> SocketAddr {
    let port = tape.short();
    if tape.is_one_in(2) {
        return SocketAddr::from((tape.word().to_be_bytes(), port));
    }
    SocketAddr::from((std::array::from_fn::<u16, 8, _>(|_| tape.pick(&[0, 1, 0x2001, 0xffff])), port))
}

pub(super) fn run(input: &[u8]) -> Result<(), String> {
    let whole = proxy_protocol::read(input);
    if whole == Ok(None) && input.len() >= LONGEST_V2 {
        return Err(format!("more than {} bytes are asked for", input.len()));
    }
    for cut in 0..input.len() {
        let part = proxy_protocol::read(&input[..cut]);
        if part != Ok(None) && part != whole {
            return Err(format!("{part:?} of {cut} bytes, {whole:?} of all"));
        }
    }
    let Ok(Some((length, header))) = whole else { return Ok(()) };
    if length > input.len() {
        return Err(format!("a header of {length} bytes out of {}", input.len()));
    }
    let Some(addresses) = header.addresses else { return Ok(()) };
    let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
    let same = |back: Addresses| {
        canonical(back.source) == canonical(addresses.source)
            && canonical(back.destination) == canonical(addresses.destination)
    };
    let (mut v1, mut v2) = (Vec::new(), Vec::new());
    proxy_protocol::put_v1(&mut v1, Some(addresses));
    proxy_protocol::put_v2(&mut v2, Some(addresses), header.authority);
    for (out, authority) in [(v1, None), (v2, header.authority)] {
        match proxy_protocol::read(&out) {
            Ok(Some((length, back)))
                if length == out.len() && back.authority == authority && back.addresses.is_some_and(same) => {
            }
            back => return Err(format!("{header:?} reads back as {back:?}")),
        }
    }
    Ok(())
}
