//! One line of a stream of events, of which only what matters is kept: the field, and the values of `id` and `retry`.

use super::LONGEST_ID;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// Nothing: the end of an event.
    Blank,
    Data,
    Event,
    Id,
    Retry,
    /// A comment, or a field without a meaning.
    Other,
}

/// Longest name of a field that means something.
const LONGEST_NAME: usize = 5;
const BOM: &[u8; 3] = b"\xef\xbb\xbf";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many octets of a byte order mark came, at the stream's start.
    Bom(u8),
    /// In the name, of so many octets.
    Name(u8),
    /// Behind the colon; true before the first octet, where a space does not count.
    Value(Field, bool),
}

/// A line that is open.
#[derive(Clone, Debug)]
pub(super) struct Line {
    state: State,
    name: [u8; LONGEST_NAME],
    /// A NUL came in the value.
    has_nul: bool,
    is_too_long: bool,
    /// Up to [`LONGEST_ID`] octets of the value of `id` or `retry`.
    value: Vec<u8>,
}

impl Default for Line {
    /// The first line, before which a byte order mark may stand.
    fn default() -> Self {
        Self {
            state: State::Bom(0),
            name: [0; LONGEST_NAME],
            has_nul: false,
            is_too_long: false,
            value: Vec::new(),
        }
    }
}

impl Line {
    /// Takes a part of the line, without its end.
    pub(super) fn take(&mut self, mut part: &[u8]) {
        loop {
            match self.state {
                State::Bom(came) => {
                    let Some((&first, rest)) = part.split_first() else { return };
                    if first == BOM[usize::from(came)] {
                        self.state = if came == 2 { State::Name(0) } else { State::Bom(came + 1) };
                        part = rest;
                    } else if came == 0 {
                        self.state = State::Name(0);
                    } else {
                        self.state = State::Value(Field::Other, false);
                    }
                }
                State::Name(length) => {
                    let Some((&first, rest)) = part.split_first() else { return };
                    part = rest;
                    self.state = match self.name.get_mut(usize::from(length)) {
                        _ if first == b':' => State::Value(self.named(length), true),
                        Some(place) => {
                            *place = first;
                            State::Name(length + 1)
                        }
                        None => State::Value(Field::Other, false),
                    };
                }
                State::Value(field @ (Field::Id | Field::Retry), is_first) => {
                    if let Some(&first) = part.first() {
                        let part = if is_first && first == b' ' { &part[1..] } else { part };
                        self.state = State::Value(field, false);
                        self.keep(part);
                    }
                    return;
                }
                State::Value(..) => return,
            }
        }
    }

    fn keep(&mut self, part: &[u8]) {
        self.has_nul |= memchr::memchr(0, part).is_some();
        let room = LONGEST_ID - self.value.len();
        self.is_too_long |= part.len() > room;
        self.value.extend_from_slice(&part[..part.len().min(room)]);
    }

    /// The field of a name of so many octets.
    fn named(&self, length: u8) -> Field {
        match &self.name[..usize::from(length)] {
            b"data" => Field::Data,
            b"event" => Field::Event,
            b"id" => Field::Id,
            b"retry" => Field::Retry,
            _ => Field::Other,
        }
    }

    /// Whether nothing of it came; a byte order mark is nothing.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.state, State::Bom(0) | State::Name(0))
    }

    /// What the line is, at its end. Without a colon all of it is the name.
    pub(super) fn field(&self) -> Field {
        match self.state {
            State::Bom(0) | State::Name(0) => Field::Blank,
            State::Bom(_) => Field::Other,
            State::Name(length) => self.named(length),
            State::Value(field, _) => field,
        }
    }

    pub(super) fn is_valid_id(&self) -> bool {
        !self.has_nul
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.is_too_long
    }

    /// Gives its value away for another buffer.
    pub(super) fn swap_value(&mut self, other: &mut Vec<u8>) {
        std::mem::swap(&mut self.value, other);
    }

    /// Its value as a number; `None` if it is none, or one beyond 64 bits.
    pub(super) fn millis(&self) -> Option<u64> {
        let is_digits = !self.is_too_long && self.value.iter().all(u8::is_ascii_digit);
        str::from_utf8(&self.value).ok().filter(|_| is_digits)?.parse().ok()
    }

    /// Begins the next line.
    pub(super) fn clear(&mut self) {
        self.value.clear();
        self.state = State::Name(0);
        (self.has_nul, self.is_too_long) = (false, false);
    }
}
