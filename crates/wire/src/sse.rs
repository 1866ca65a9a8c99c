//! Server-sent events (WHATWG HTML §9.2) as a relay sees them: where events end, and what a client needs to come again.
//!
//! Changes no byte and keeps no data of events. Knows nothing of HTTP: the engine feeds the body of a `text/event-stream`.

mod line;

use line::{Field, Line};
use std::time::Duration;

/// Longest event id that is kept, in octets. A stream whose last id is longer cannot be resumed.
pub const LONGEST_ID: usize = 1024;

/// The id of the last event, as a client would send it in `Last-Event-ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastId<'a> {
    /// No event had one, or it was taken back by an empty one.
    None,
    /// As it was sent: no CR, LF or NUL, otherwise any octets.
    Id(&'a [u8]),
    /// Over [`LONGEST_ID`].
    TooLong,
}

/// What a slice held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Events that it ended and that a client dispatches (those with data).
    pub events: u64,
    /// How many of its bytes end at the last boundary within it; 0 if there is none. What comes behind belongs to an event
    /// that is not whole.
    pub last_boundary: usize,
}

/// An id that waits or holds.
#[derive(Clone, Debug, Default)]
struct Id {
    value: Vec<u8>,
    is_too_long: bool,
}

/// Follows one stream of events.
#[derive(Clone, Debug, Default)]
pub struct EventTracker {
    line: Line,
    /// Id of the event that is open.
    next_id: Id,
    last_id: Id,
    /// An id came since the last boundary.
    has_id: bool,
    /// A field of an event came since the last boundary.
    is_open: bool,
    has_data: bool,
    /// The last byte was a CR, so a LF belongs to it.
    is_after_cr: bool,
    retry: Option<Duration>,
    events: u64,
}

impl EventTracker {
    /// A stream of which nothing has come.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Follows a slice of the stream, in whatever cuts it comes.
    pub fn take(&mut self, slice: &[u8]) -> Taken {
        let mut taken = Taken::default();
        let mut at = 0;
        if self.is_after_cr && slice.first() == Some(&b'\n') {
            at = 1;
        }
        if !slice.is_empty() {
            self.is_after_cr = false;
        }
        loop {
            // Behind a line's end, so that a LF after a CR is on this side of the boundary.
            if at > 0 && self.is_at_boundary() {
                taken.last_boundary = at;
            }
            let rest = &slice[at..];
            let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else {
                self.line.take(rest);
                self.events += taken.events;
                return taken;
            };
            self.line.take(&rest[..end]);
            taken.events += u64::from(self.end_line());
            at += end + 1;
            if rest[end] == b'\r' {
                match slice.get(at) {
                    None => self.is_after_cr = true,
                    Some(b'\n') => at += 1,
                    Some(_) => {}
                }
            }
        }
    }

    /// Whether the stream stands between two events: a client that left off here would have lost nothing and holds nothing.
    /// Comments and what has no meaning do not count as part of an event.
    #[must_use]
    pub fn is_at_boundary(&self) -> bool {
        !self.is_open && self.line.is_empty()
    }

    /// Events that a client has dispatched.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The id that a client would come again with.
    #[must_use]
    pub fn last_id(&self) -> LastId<'_> {
        match &self.last_id {
            Id { is_too_long: true, .. } => LastId::TooLong,
            Id { value, .. } if value.is_empty() => LastId::None,
            Id { value, .. } => LastId::Id(value),
        }
    }

    /// How long a client waits before it comes again, as the stream last said.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Ends a line; true if an event goes to the client with it.
    fn end_line(&mut self) -> bool {
        let mut is_event = false;
        match self.line.field() {
            Field::Blank => {
                if self.has_id {
                    std::mem::swap(&mut self.last_id, &mut self.next_id);
                }
                is_event = self.has_data;
                (self.has_id, self.is_open, self.has_data) = (false, false, false);
            }
            Field::Data => (self.is_open, self.has_data) = (true, true),
            Field::Event => self.is_open = true,
            Field::Id => {
                // One with a NUL is no id.
                if self.line.is_valid_id() {
                    self.line.swap_value(&mut self.next_id.value);
                    self.next_id.is_too_long = self.line.is_too_long();
                    (self.is_open, self.has_id) = (true, true);
                }
            }
            Field::Retry => self.retry = self.line.millis().map(Duration::from_millis).or(self.retry),
            Field::Other => {}
        }
        self.line.clear();
        is_event
    }
}

#[cfg(test)]
mod tests;
