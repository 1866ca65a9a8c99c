//! Streams of events: the same events, id and boundaries in whatever cuts, and as a plain reading of the specification has
//! them.

use super::pieces;
use crate::prng::Prng;
use crate::tape::Tape;
use evenkeel_wire::sse::{EventTracker, LONGEST_ID, LastId};

const PARTS: &[&str] = &[
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "data",
    "id",
    "retry",
    "event",
    ":",
    ": ",
    " ",
    "1",
    "22",
    "\0",
    "x",
    "\u{feff}",
    "data: a\n\n",
    "id: 5\r\n",
    ": c\r",
    "id:",
    "retry: 3\n",
    "longer than a name that means something",
];

pub(super) fn make(tape: &mut Tape<'_>) -> Vec<u8> {
    let mut out = vec![tape.byte()];
    while !tape.is_over() && out.len() < 5_000 {
        if tape.is_one_in(40) {
            out.extend_from_slice(b"id: ");
            out.resize(out.len() + LONGEST_ID - 1 + tape.below(3), b'x');
        }
        out.extend_from_slice(tape.pick(PARTS).as_bytes());
    }
    out
}

/// What a client holds after a stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Held {
    events: u64,
    id: Vec<u8>,
    is_too_long: bool,
    retry: Option<u128>,
    is_at_boundary: bool,
}

pub(super) fn run(input: &[u8]) -> Result<(), String> {
    let mut tape = Tape::new(input);
    let mut prng = Prng::new(&[u64::from(tape.byte())]);
    let stream = tape.rest();
    let (whole, boundary) = read(&[stream])?;
    let plain = plainly(stream);
    if whole != plain {
        return Err(format!("{whole:?}, by the specification {plain:?}"));
    }
    for most in [1, 2, 5, 30, 500] {
        let cut = read(&pieces::of(stream, most, &mut prng))?;
        if cut.0 != whole || cut.1 != boundary {
            return Err(format!("in pieces of up to {most}: {cut:?}, whole: {whole:?} up to {boundary}"));
        }
    }
    Ok(())
}

/// What a tracker holds after pieces, and where it saw the last boundary.
fn read(pieces: &[&[u8]]) -> Result<(Held, usize), String> {
    let mut tracker = EventTracker::new();
    let (mut events, mut boundary, mut before) = (0, 0, 0);
    for piece in pieces {
        let taken = tracker.take(piece);
        events += taken.events;
        if taken.last_boundary > piece.len() {
            return Err(format!("a boundary at {} of {}", taken.last_boundary, piece.len()));
        }
        if taken.last_boundary > 0 {
            boundary = before + taken.last_boundary;
        }
        before += piece.len();
    }
    if events != tracker.events() {
        return Err(format!("{events} events, {} counted", tracker.events()));
    }
    let (id, is_too_long) = match tracker.last_id() {
        LastId::None => (Vec::new(), false),
        LastId::Id(id) => (id.to_vec(), false),
        LastId::TooLong => (Vec::new(), true),
    };
    let retry = tracker.retry().map(|retry| retry.as_millis());
    Ok((Held { events, id, is_too_long, retry, is_at_boundary: tracker.is_at_boundary() }, boundary))
}

/// The whole stream at once, line by line.
fn plainly(stream: &[u8]) -> Held {
    let mut held = Held { is_at_boundary: true, ..Held::default() };
    let mut rest = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let (mut next_id, mut is_open, mut has_data) = (Vec::new(), false, false);
    while let Some(end) = rest.iter().position(|b| matches!(b, b'\r' | b'\n')) {
        let line = &rest[..end];
        rest = &rest[end + if rest[end..].starts_with(b"\r\n") { 2 } else { 1 }..];
        if line.is_empty() {
            held.id.clone_from(&next_id);
            held.events += u64::from(has_data);
            (is_open, has_data) = (false, false);
            continue;
        }
        let colon = line.iter().position(|&b| b == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"data" => (is_open, has_data) = (true, true),
            b"event" => is_open = true,
            b"id" if !value.contains(&0) => {
                is_open = true;
                next_id = value.to_vec();
            }
            b"retry" if value.iter().all(u8::is_ascii_digit) => {
                let number = String::from_utf8_lossy(value).parse::<u64>().ok();
                held.retry = number.map(u128::from).or(held.retry);
            }
            _ => {}
        }
    }
    // Part of a byte order mark may be one still.
    held.is_at_boundary = !is_open && rest.is_empty();
    held.is_too_long = held.id.len() > LONGEST_ID;
    if held.is_too_long {
        held.id.clear();
    }
    held
}
