//! HTTP/1 messages (RFC 9112): right ones, and with the differences that parsers trip over.
//!
//! Knows nothing of the reader under test. Used by the target `http1`.

use crate::tape::Tape;

const FIRST_LINES: &[&[u8]] = &[
    b"GET / HTTP/1.1",
    b"POST /a?b=c HTTP/1.1",
    b"PUT /a HTTP/1.0",
    b"HEAD http://a.example/ HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"CONNECT a.example:443 HTTP/1.1",
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 204 No Content",
    b"HTTP/1.0 404",
    b"HTTP/1.1 101 Switching Protocols",
    b"HTTP/1.1 103 Early Hints",
    b"TRACE / HTTP/1.1",
    b"GET  / HTTP/1.1",
    b"GET / HTTP/1.2",
];

const FIELDS: &[&[u8]] = &[
    b"Host: a.example",
    b"Host: a.example:443",
    b"Content-Length: 5",
    b"Content-Length: 005",
    b"Content-Length: 0",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Connection: close",
    b"Connection: keep-alive, x-a",
    b"Connection: Upgrade, HTTP2-Settings",
    b"Upgrade: websocket",
    b"Upgrade: h2c",
    b"HTTP2-Settings: AAMAAABk",
    b"TE: trailers",
    b"Expect: 100-continue",
    b"Cookie: a=b",
    b"Cookie: c=d",
    b"X-A: b",
    b"x!#$%&'*+-.^_`|~: \t\xff ",
    b"Accept:",
    b"Keep-Alive: timeout=5",
    b"X-A : b",
    b" folded",
    b": nameless",
    b"X-B: \0",
];

/// One message, mostly a right one.
pub(crate) fn put_message(tape: &mut Tape<'_>, out: &mut Vec<u8>) {
    if tape.is_one_in(20) {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(tape.pick(FIRST_LINES));
    put_line_end(tape, out);
    if !tape.is_one_in(10) {
        out.extend_from_slice(b"Host: a.example\r\n");
    }
    let framing = tape.below(4);
    match framing {
        0 => out.extend_from_slice(b"content-length: 5\r\n"),
        1 => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        _ => {}
    }
    for _ in 0..tape.below(6) {
        // The first ones are those that change a message's meaning.
        let end = if tape.is_one_in(4) { FIELDS.len() } else { FIELDS.len() - 4 };
        out.extend_from_slice(tape.pick(&FIELDS[..end]));
        put_line_end(tape, out);
    }
    put_line_end(tape, out);
    match framing {
        0 => out.extend_from_slice(b"hello"),
        1 => put_chunks(tape, out),
        _ => {}
    }
}

fn put_line_end(tape: &mut Tape<'_>, out: &mut Vec<u8>) {
    let is_wrong = tape.is_one_in(60);
    let end: &[u8] = if is_wrong { tape.pick(&[b"\n", b"\r", b"\r\r\n", b"\n\r\n"]) } else { b"\r\n" };
    out.extend_from_slice(end);
}

fn put_chunks(tape: &mut Tape<'_>, out: &mut Vec<u8>) {
    const EXTENSIONS: &[&[u8]] = &[b"", b"", b"", b";a", b";a=\"b\"", b" ", b";\n"];
    for _ in 0..tape.below(4) {
        let length = 1 + tape.below(40);
        out.extend_from_slice(format!("{length:x}").as_bytes());
        out.extend_from_slice(tape.pick(EXTENSIONS));
        put_line_end(tape, out);
        out.resize(out.len() + length, b'd');
        put_line_end(tape, out);
    }
    out.extend_from_slice(b"0\r\n");
    for _ in 0..tape.below(3) {
        out.extend_from_slice(tape.pick(&FIELDS[12..]));
        put_line_end(tape, out);
    }
    put_line_end(tape, out);
}
