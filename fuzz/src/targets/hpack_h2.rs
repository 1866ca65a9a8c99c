//! Our decoder against that of the `h2` crate, which is asked as an h2 server in memory: each block is a request on a
//! stream of its own.
//!
//! What we refuse it takes for no request; the requests that it takes have the fields that we read; and it takes every
//! block that we read a plain request from. So the tables of both stay the same over the blocks of a connection. Where
//! they may differ, RFC 7541 decides: it lets a third size update pass at a block's start (§4.2: at most two), and it
//! refuses at once what RFC 9113 §8.2 forbids in a field, which for us is the engine's to judge.

use crate::grammar::blocks::{BlockWriter, field};
use crate::grammar::frames::put_frame;
use crate::tape::{Tape, put_part};
use bytes::Bytes;
use evenkeel_wire::detect::PREFACE;
use evenkeel_wire::hpack::{DecodeError, Decoder, HeaderLimits, HeaderList, HeaderStore};
use h2::server::{Builder, Connection};
use http::Request;
use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

const AUTHORITY: &[u8] = b"www.example.com";

pub(super) fn make(tape: &mut Tape<'_>) -> Vec<u8> {
    let (mut writer, mut out) = (BlockWriter::default(), Vec::new());
    for _ in 0..=tape.below(8) {
        let mut block = Vec::new();
        for _ in 0..tape.pick(&[0, 0, 0, 0, 1, 2, 3]) {
            writer.put_size_update(tape.pick(&[0, 40, 100, 1000, 4095, 4096, 4097]), &mut block);
        }
        let path = tape.pick(&[&b"/"[..], b"/a?q=1", b"/helloworld.Greeter/SayHello"]);
        let method = tape.pick(&[&b"GET"[..], b"POST"]);
        for (name, value) in
            [(&b":method"[..], method), (b":scheme", b"http"), (b":path", path), (b":authority", AUTHORITY)]
        {
            writer.put_field(tape, name, value, &mut block);
        }
        for _ in 0..tape.below(9) {
            let (name, value) = field(tape);
            if is_plain_field(&name, &value) || tape.is_one_in(32) {
                writer.put_field(tape, &name, &value, &mut block);
            }
        }
        put_part(&mut out, &block);
    }
    out
}

pub(super) fn run(input: &[u8]) -> Result<(), String> {
    let (mut decoder, mut store) = (Decoder::default(), HeaderStore::new((5, 6), 1 << 24));
    let limits = HeaderLimits { list_bytes: 1 << 30, ..HeaderLimits::default() };
    let mut tape = Tape::new(input);
    let mut oracle = Oracle::new()?;
    while let Some(block) = tape.part() {
        let mut list = HeaderList::default();
        let ours = decoder.decode(block, &limits, &mut store, &mut list);
        let fields: Fields = list
            .fields()
            .iter()
            .map(|f| (list.name_bytes(f, &store).to_vec(), list.value(f, &store).to_vec()))
            .collect();
        list.clear(&mut store);
        match (ours, oracle.ask(block)) {
            // A third size update; the tables may differ from here on.
            (Err(DecodeError::SizeUpdate), _) => break,
            (Err(ours), Heard::Request(theirs)) => {
                return Err(format!("{ours:?}, h2 reads {theirs:?}: {block:02x?}"));
            }
            (Err(_), _) => break,
            (Ok(()), Heard::Request(theirs)) => compare(&fields, &theirs, block)?,
            (Ok(()), _) if is_plain(&fields) => {
                return Err(format!("{fields:?}, and h2 refuses it: {block:02x?}"));
            }
            (Ok(()), Heard::Refused) => {}
            (Ok(()), Heard::Gone) => break,
        }
    }
    decoder.clear(&mut store);
    Ok(())
}

/// Whether every server takes this field.
fn is_plain_field(name: &[u8], value: &[u8]) -> bool {
    const SPECIAL: &[&[u8]] = &[
        b"connection",
        b"content-length",
        b"host",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    ];
    let is_token = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    !name.is_empty()
        && name.iter().all(is_token)
        && !SPECIAL.contains(&name)
        && value.iter().all(|b| (0x20..0x7f).contains(b))
}

/// Whether every server takes this for a request.
fn is_plain(fields: &Fields) -> bool {
    let [method, scheme, path, authority, rest @ ..] = &fields[..] else { return false };
    let is = |field: &(Vec<u8>, Vec<u8>), name: &[u8], values: &[&[u8]]| {
        field.0 == name && values.contains(&&field.1[..])
    };
    is(method, b":method", &[b"GET", b"POST"])
        && is(scheme, b":scheme", &[b"http", b"https"])
        && is(path, b":path", &[b"/", b"/a?q=1", b"/helloworld.Greeter/SayHello"])
        && is(authority, b":authority", &[AUTHORITY])
        && rest.iter().all(|(name, value)| is_plain_field(name, value))
}

/// The same fields, in the order that h2 keeps: by name.
fn compare(ours: &Fields, theirs: &Request<()>, block: &[u8]) -> Result<(), String> {
    let value = |name: &[u8]| ours.iter().find(|f| f.0 == name).map(|f| &f.1[..]);
    let uri = theirs.uri();
    // Of a path that is none, or has a fragment, `http` makes another one.
    let path = value(b":path").filter(|p| p.starts_with(b"/") && !p.contains(&b'#'));
    let has_path = path.is_none() || uri.path_and_query().map(|p| p.as_str().as_bytes()) == path;
    let has_method = Some(theirs.method().as_str().as_bytes()) == value(b":method");
    let mut left: Vec<_> = ours.iter().filter(|f| !f.0.starts_with(b":")).collect();
    for (name, value) in theirs.headers() {
        // The first of this name; where it is another one, the order was not kept.
        let at = left.iter().position(|f| f.0 == name.as_str().as_bytes());
        if at.is_none_or(|at| left.remove(at).1 != value.as_bytes()) {
            return Err(format!("{ours:?}, h2 reads {name}: {value:?}: {block:02x?}"));
        }
    }
    if has_path && has_method && left.is_empty() {
        return Ok(());
    }
    Err(format!("{ours:?}, h2 reads {theirs:?}: {block:02x?}"))
}

/// What h2 made of a block.
enum Heard {
    Request(Box<Request<()>>),
    /// No request, and the connection goes on.
    Refused,
    /// The connection is over.
    Gone,
}

/// An h2 server in memory.
struct Oracle {
    wire: Wire,
    connection: Connection<Wire, Bytes>,
    next_stream: u32,
}

impl Oracle {
    fn new() -> Result<Self, String> {
        let wire = Wire::default();
        wire.0.borrow_mut().extend_from_slice(PREFACE);
        put_frame(&mut wire.0.borrow_mut(), 4, 0, 0, &[]);
        let mut builder = Builder::new();
        builder.max_frame_size(1 << 20);
        let handshake = pin!(builder.handshake(wire.clone()));
        match handshake.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(connection)) => Ok(Self { wire, connection, next_stream: 1 }),
            other => Err(format!("h2's handshake: {other:?}")),
        }
    }

    fn ask(&mut self, block: &[u8]) -> Heard {
        put_frame(&mut self.wire.0.borrow_mut(), 1, 4, self.next_stream, block);
        self.next_stream += 2;
        match self.connection.poll_accept(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok((request, _)))) => Heard::Request(Box::new(request.map(drop))),
            Poll::Ready(Some(Err(_)) | None) => Heard::Gone,
            Poll::Pending => Heard::Refused,
        }
    }
}

/// What the server will read. What it writes is dropped.
#[derive(Clone, Debug, Default)]
struct Wire(Rc<RefCell<Vec<u8>>>);

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut left = self.0.borrow_mut();
        if left.is_empty() {
            return Poll::Pending;
        }
        let n = left.len().min(into.remaining());
        into.put_slice(&left[..n]);
        left.drain(..n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
