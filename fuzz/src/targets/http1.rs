//! Messages of HTTP/1: whatever the reader takes, it takes in any cuts and in one way only.
//!
//! A head that was read is written again and read as the same; a body is read as the same in any cuts, and so is what
//! follows it; chunks written of it are read as the same data. Nothing of a connection stays in a list, and the written
//! bytes hold no line that the list does not have. Any bytes are tried as a request, as a response and as trailers.

use crate::grammar::messages::put_message;
use crate::tape::Tape;
use evenkeel_wire::hpack::{HeaderList, HeaderStore, Name};
use evenkeel_wire::http1::{
    ChunkedReader, Framing, HeadError, HeadLimits, Part, RequestOptions, ResponseOptions, ResponseTo, Scheme,
    Upgrade, put_chunk_end, put_chunk_header, put_last_chunk, put_request, put_response, read_request,
    read_response, read_trailers,
};
use std::num::NonZeroUsize;

pub(super) fn make(tape: &mut Tape<'_>) -> Vec<u8> {
    let mut out = vec![tape.byte(), tape.byte()];
    for _ in 0..=tape.below(3) {
        put_message(tape, &mut out);
    }
    out
}

/// What the messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Request,
    Response(ResponseTo),
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// What a head says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Head {
    taken: usize,
    minor: u8,
    framing: Framing,
    keeps_alive: bool,
    expects_continue: bool,
    upgrade: Option<Upgrade>,
    fields: Fields,
}

struct Reader {
    list: HeaderList,
    store: HeaderStore,
    limits: HeadLimits,
}

/// What a whole input was read as, and why it ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    messages: Vec<(Head, Vec<u8>, Fields)>,
    end: String,
}

impl Reader {
    fn new() -> Self {
        let store = HeaderStore::new((1, 2), 1 << 20);
        let limits = HeadLimits { bytes: 2_000, fields: 20, line: 200 };
        Self { list: HeaderList::default(), store, limits }
    }

    fn fields(&self) -> Fields {
        let pair =
            |f| (self.list.name_bytes(f, &self.store).to_vec(), self.list.value(f, &self.store).to_vec());
        self.list.fields().iter().map(pair).collect()
    }

    fn head(&mut self, input: &[u8], scanned: &mut usize, side: Side) -> Result<Option<Head>, HeadError> {
        self.list.clear(&mut self.store);
        let (list, store) = (&mut self.list, &mut self.store);
        Ok(match side {
            Side::Request => {
                read_request(input, scanned, Scheme::Http, &self.limits, list, store)?.map(|(n, line)| Head {
                    taken: n,
                    minor: line.minor,
                    framing: line.framing,
                    keeps_alive: line.keeps_alive,
                    expects_continue: line.expects_continue,
                    upgrade: line.upgrade,
                    fields: self.fields(),
                })
            }
            Side::Response(to) => {
                read_response(input, scanned, to, &self.limits, list, store)?.map(|(n, line)| Head {
                    taken: n,
                    minor: line.minor,
                    framing: line.framing,
                    keeps_alive: line.keeps_alive,
                    expects_continue: false,
                    upgrade: line.upgrade,
                    fields: self.fields(),
                })
            }
        })
    }

    /// Reads all messages; the input comes in pieces of `step` bytes.
    fn read(&mut self, input: &[u8], step: usize, side: Side) -> Read {
        let (mut read, mut from) = (Read::default(), 0);
        while from < input.len() {
            let mut arrivals = Arrivals { input, from, end: from, step };
            let message = self.message(&mut arrivals, side);
            from = arrivals.from;
            match message {
                Ok(Some(message)) => read.messages.push(message),
                Ok(None) => {
                    read.end = "more is to come".to_owned();
                    return read;
                }
                Err(why) => {
                    read.end = why;
                    return read;
                }
            }
        }
        read
    }

    fn message(
        &mut self,
        bytes: &mut Arrivals<'_>,
        side: Side,
    ) -> Result<Option<(Head, Vec<u8>, Fields)>, String> {
        let mut scanned = 0;
        let head = loop {
            if !bytes.more() && bytes.is_over() && scanned > 0 {
                return Ok(None);
            }
            match self.head(bytes.here(), &mut scanned, side).map_err(|e| e.why().to_owned())? {
                Some(head) => break head,
                None if bytes.is_over() => return Ok(None),
                None => {}
            }
        };
        bytes.from += head.taken;
        let (mut body, mut trailers) = (Vec::new(), Fields::new());
        match head.framing {
            Framing::None => {}
            Framing::Length(length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let rest = &bytes.input[bytes.from..];
                if rest.len() < length {
                    return Ok(None);
                }
                body.extend_from_slice(&rest[..length]);
                bytes.from += length;
            }
            Framing::UntilClose => {
                body.extend_from_slice(&bytes.input[bytes.from..]);
                bytes.from = bytes.input.len();
            }
            Framing::Chunked => {
                let mut reader = ChunkedReader::default();
                loop {
                    let mut here = bytes.here();
                    let before = here.len();
                    let part = reader.next(&mut here).map_err(|e| e.to_string())?;
                    bytes.from += before - here.len();
                    match part {
                        Part::Data(data) => body.extend_from_slice(data),
                        Part::NeedMore if bytes.is_over() => return Ok(None),
                        Part::NeedMore => {
                            bytes.more();
                        }
                        Part::Trailers => break,
                    }
                }
                let mut scanned = 0;
                loop {
                    self.list.clear(&mut self.store);
                    let (list, store) = (&mut self.list, &mut self.store);
                    match read_trailers(bytes.here(), &mut scanned, &self.limits, list, store) {
                        Ok(Some(taken)) => {
                            bytes.from += taken;
                            trailers = self.fields();
                            break;
                        }
                        Ok(None) if !bytes.more() => return Ok(None),
                        Ok(None) => {}
                        Err(e) => return Err(e.why().to_owned()),
                    }
                }
            }
        }
        Ok(Some((head, body, trailers)))
    }
}

/// Bytes that come in pieces.
struct Arrivals<'a> {
    input: &'a [u8],
    from: usize,
    end: usize,
    step: usize,
}

impl<'a> Arrivals<'a> {
    fn is_over(&self) -> bool {
        self.end == self.input.len()
    }

    fn here(&self) -> &'a [u8] {
        &self.input[self.from..self.end.max(self.from)]
    }

    /// Whether something came.
    fn more(&mut self) -> bool {
        let before = self.end;
        self.end = (self.end.max(self.from) + self.step).min(self.input.len());
        self.end > before
    }
}

/// What must never be in a list.
fn check(fields: &Fields, side: Side) -> Result<(), String> {
    let mut is_regular = false;
    for (name, value) in fields {
        let known = Name::of(name);
        if known.is_connection_specific()
            || known == Name::Http2Settings
            || (known == Name::Host && side == Side::Request)
        {
            return Err(format!("{known:?} stayed in the list"));
        }
        if known.is_pseudo() && is_regular {
            return Err(format!("{known:?} behind other fields"));
        }
        is_regular |= !known.is_pseudo();
        let is_bad = |b: &u8| matches!(b, 0 | b'\r' | b'\n');
        if name.is_empty() || name.iter().any(u8::is_ascii_uppercase) || value.iter().any(is_bad) {
            return Err(format!("{name:02x?}: {value:02x?}"));
        }
    }
    Ok(())
}

/// Crumbs of cookies joined, and lengths left out.
fn normal(fields: &Fields) -> Fields {
    let mut out = Fields::new();
    for (name, value) in fields.iter().filter(|f| f.0 != b"content-length") {
        match out.iter_mut().find(|f| f.0 == b"cookie" && name == b"cookie") {
            Some(cookie) => {
                cookie.1.extend_from_slice(b"; ");
                cookie.1.extend_from_slice(value);
            }
            None => out.push((name.clone(), value.clone())),
        }
    }
    out
}

/// The message written again.
fn write(
    reader: &mut Reader,
    head: &Head,
    body: &[u8],
    trailers: &Fields,
    side: Side,
) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let list = |fields: &Fields| {
        let mut list = HeaderList::default();
        for (name, value) in fields {
            list.push(std::str::from_utf8(name).unwrap_or("?"), value);
        }
        list
    };
    let fields = list(&head.fields);
    let upgrade = head.upgrade.map(|u| if u == Upgrade::WebSocket { &b"websocket"[..] } else { b"x" });
    match side {
        Side::Request => {
            let options = RequestOptions {
                framing: head.framing,
                upgrade,
                expects_continue: head.expects_continue,
                keeps_alive: head.keeps_alive,
            };
            put_request(&mut out, &fields, &reader.store, &options)
        }
        Side::Response(_) => {
            let options = ResponseOptions {
                minor: head.minor,
                framing: head.framing,
                keeps_alive: head.keeps_alive,
                upgrade,
            };
            put_response(&mut out, &fields, &reader.store, &options)
        }
    }
    .map_err(|e| format!("read and not writable: {e}: {head:?}"))?;
    if head.framing != Framing::Chunked {
        out.extend_from_slice(body);
        return Ok(out);
    }
    for piece in body.chunks(7) {
        if let Some(length) = NonZeroUsize::new(piece.len()) {
            put_chunk_header(&mut out, length);
            out.extend_from_slice(piece);
            put_chunk_end(&mut out);
        }
    }
    put_last_chunk(&mut out, Some((&list(trailers), &reader.store))).map_err(|e| format!("trailers: {e}"))?;
    Ok(out)
}

pub(super) fn run(input: &[u8]) -> Result<(), String> {
    let mut tape = Tape::new(input);
    let (kind, step) = (tape.byte(), 1 + usize::from(tape.byte()) % 40);
    let asked_upgrade = (kind & 4 != 0).then_some(Upgrade::WebSocket);
    let to = ResponseTo { is_head: kind & 2 != 0, is_connect: kind & 8 != 0, asked_upgrade };
    let input = tape.rest();
    let mut reader = Reader::new();
    for side in [Side::Request, Side::Response(to)] {
        let read = reader.read(input, input.len().max(1), side);
        let in_pieces = reader.read(input, step, side);
        if read != in_pieces {
            return Err(format!("whole {read:?}, in pieces of {step} {in_pieces:?}"));
        }
        for (head, body, trailers) in &read.messages {
            check(&head.fields, side)?;
            check(trailers, side)?;
            let has_authority = head.fields.iter().any(|f| f.0 == b":authority");
            let is_tunnel = matches!(side, Side::Response(to) if to.is_connect) || head.upgrade.is_some();
            if side == Side::Request && !has_authority || is_tunnel {
                continue;
            }
            let out = write(&mut reader, head, body, trailers, side)?;
            let again = reader.read(&out, out.len(), side);
            let [(b_head, b_body, b_trailers)] = &again.messages[..] else {
                return Err(format!("written {:?}, read as {again:?}", String::from_utf8_lossy(&out)));
            };
            // An interim answer does not say whether the connection goes on.
            let is_interim = head.fields.iter().any(|f| f.0 == b":status" && f.1.first() == Some(&b'1'));
            let is_none = |f| matches!(f, Framing::None | Framing::Length(0));
            let is_same = b_body == body
                && b_trailers == trailers
                && normal(&b_head.fields) == normal(&head.fields)
                && (b_head.framing == head.framing || is_none(b_head.framing) && is_none(head.framing))
                && b_head.expects_continue == head.expects_continue
                && (b_head.keeps_alive == head.keeps_alive || is_interim);
            if !is_same || !again.end.is_empty() {
                return Err(format!("{head:?} was written as {:?}", String::from_utf8_lossy(&out)));
            }
        }
    }
    reader.list.clear(&mut reader.store);
    match (reader.store.owned_fields(), reader.store.charged_bytes()) {
        (0, 0) => Ok(()),
        left => Err(format!("{left:?} fields and bytes are owned by nobody")),
    }
}
