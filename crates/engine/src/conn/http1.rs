//! What a connection knows that speaks HTTP/1: where it is in the message that comes, and in the one that goes.
//!
//! One exchange at a time (RFC 9112 §9.3.2): what a client sends behind its request waits in `tail`, unread.

use evenkeel_wire::hpack::{HeaderList, HeaderStore, Name};
use evenkeel_wire::http1::{
    self, ChunkedReader, Framing, RequestOptions, ResponseOptions, ResponseTo, Unwritable,
};
use std::num::NonZeroUsize;

/// The protocol that a connection may change to.
const WEBSOCKET: &[u8] = b"websocket";

/// What ends a body of chunks without trailers.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What comes next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reading {
    /// A head.
    Head,
    /// So many bytes of a body.
    Length(u64),
    Chunked(ChunkedReader),
    /// The lines behind the last chunk.
    Trailers,
    /// A body until the peer ends its side.
    UntilClose,
    /// Nothing, before the exchange is over.
    Done,
}

/// How the body that goes is delimited (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// There is none, or it ended.
    None,
    /// As its content-length says.
    Length,
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

impl Writing {
    fn of(framing: Framing, is_end: bool) -> Self {
        match framing {
            _ if is_end => Self::None,
            Framing::None => Self::None,
            Framing::Length(_) => Self::Length,
            Framing::Chunked => Self::Chunked,
            Framing::UntilClose => Self::UntilClose,
        }
    }
}

fn content_length(list: &HeaderList, store: &HeaderStore) -> Option<u64> {
    list.find(Name::ContentLength, store).and_then(number)
}

/// Digits that were checked before.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |n, &b| n.checked_mul(10)?.checked_add(u64::from(b.wrapping_sub(b'0'))))
}

/// An HTTP/1 connection's own state.
#[derive(Debug)]
pub(crate) struct Http1 {
    pub(crate) reading: Reading,
    pub(crate) writing: Writing,
    /// What came and was not read yet: the beginning of a head, or requests behind the one that is answered.
    pub(crate) tail: Vec<u8>,
    /// How much of it was looked through for the end of a head.
    pub(crate) scanned: usize,
    /// Minor version of the peer's messages.
    pub(crate) minor: u8,
    /// What the answer that comes, or goes, is to.
    pub(crate) to: ResponseTo,
    /// A part of the answer to the request that went last came.
    pub(crate) has_spoken: bool,
    /// How many bytes had gone before that request: an endpoint that got no more was not asked.
    pub(crate) asked_at: u64,
    /// No message comes or goes after the one that is under way.
    pub(crate) is_last: bool,
    /// Body bytes that were dropped since the answer to them ended.
    pub(crate) discarded: usize,
}

impl Default for Http1 {
    fn default() -> Self {
        Self {
            reading: Reading::Head,
            writing: Writing::None,
            tail: Vec::new(),
            scanned: 0,
            minor: 1,
            to: ResponseTo::default(),
            has_spoken: false,
            asked_at: 0,
            is_last: false,
            discarded: 0,
        }
    }
}

impl Http1 {
    /// How the body behind a head is read.
    pub(crate) fn begin_body(&mut self, framing: Framing) {
        self.reading = match framing {
            Framing::None | Framing::Length(0) => Reading::Done,
            Framing::Length(n) => Reading::Length(n),
            Framing::Chunked => Reading::Chunked(ChunkedReader::default()),
            Framing::UntilClose => Reading::UntilClose,
        };
    }

    /// Whether nothing has come of a message.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.tail.is_empty() && matches!(self.reading, Reading::Head)
    }

    /// Whether the message that comes has a body of which the end has not come.
    pub(crate) fn is_inside_body(&self) -> bool {
        !matches!(self.reading, Reading::Head | Reading::Done)
    }

    /// Whether the message that goes has a body of which the end has not gone.
    pub(crate) fn is_writing(&self) -> bool {
        self.writing != Writing::None
    }

    /// Appends a request's head; nothing of it if it cannot be said in HTTP/1.
    pub(crate) fn put_request(
        &mut self,
        out: &mut Vec<u8>,
        is_end: bool,
        list: &HeaderList,
        store: &HeaderStore,
    ) -> Result<(), Unwritable> {
        let framing = Framing::of_call(content_length(list, store), is_end);
        let options = RequestOptions {
            framing,
            upgrade: self.to.asked_upgrade.map(|_| WEBSOCKET),
            expects_continue: list
                .find(Name::Expect, store)
                .is_some_and(|expected| expected.eq_ignore_ascii_case(b"100-continue")),
            keeps_alive: true,
        };
        http1::put_request(out, list, store, &options)?;
        self.writing = Writing::of(framing, is_end);
        Ok(())
    }

    /// Appends an interim answer, but not to HTTP/1.0 (RFC 9110 §15.2).
    pub(crate) fn put_interim(
        &mut self,
        out: &mut Vec<u8>,
        list: &HeaderList,
        store: &HeaderStore,
    ) -> Result<(), Unwritable> {
        if self.minor == 0 {
            return Ok(());
        }
        let options = ResponseOptions { minor: 1, framing: Framing::None, keeps_alive: true, upgrade: None };
        http1::put_response(out, list, store, &options)
    }

    /// Appends a final answer's head; nothing of it if it cannot be said in HTTP/1.
    pub(crate) fn put_response(
        &mut self,
        out: &mut Vec<u8>,
        is_end: bool,
        list: &HeaderList,
        store: &HeaderStore,
    ) -> Result<(), Unwritable> {
        let status = list.find(Name::Status, store).and_then(number).unwrap_or_default() as u16;
        let framing = Framing::of_answer(status, self.to, self.minor, content_length(list, store), is_end);
        self.is_last |= framing == Framing::UntilClose;
        let options =
            ResponseOptions { minor: self.minor, framing, keeps_alive: !self.is_last, upgrade: None };
        http1::put_response(out, list, store, &options)?;
        self.writing = Writing::of(framing, is_end);
        Ok(())
    }

    /// Appends the answer that ends HTTP/1 on the connection.
    pub(crate) fn put_upgraded(
        &mut self,
        out: &mut Vec<u8>,
        list: &HeaderList,
        store: &HeaderStore,
    ) -> Result<(), Unwritable> {
        let options = ResponseOptions {
            minor: self.minor,
            framing: Framing::None,
            keeps_alive: true,
            upgrade: Some(WEBSOCKET),
        };
        http1::put_response(out, list, store, &options)
    }

    pub(crate) fn put_body(&mut self, out: &mut Vec<u8>, payload: &[u8], is_end: bool) {
        match self.writing {
            Writing::Chunked => {
                if let Some(length) = NonZeroUsize::new(payload.len()) {
                    http1::put_chunk_header(out, length);
                    out.extend_from_slice(payload);
                    http1::put_chunk_end(out);
                }
                if is_end {
                    out.extend_from_slice(LAST_CHUNK);
                }
            }
            Writing::Length | Writing::UntilClose => out.extend_from_slice(payload),
            // The answer to HEAD has none, whatever the endpoint thinks.
            Writing::None => {}
        }
        if is_end {
            self.writing = Writing::None;
        }
    }

    /// Trailers have a place only behind chunks; elsewhere they may be dropped (RFC 9110 §6.5.2).
    pub(crate) fn put_trailers(&mut self, out: &mut Vec<u8>, list: &HeaderList, store: &HeaderStore) {
        if self.writing == Writing::Chunked && http1::put_last_chunk(out, Some((list, store))).is_err() {
            out.extend_from_slice(LAST_CHUNK);
        }
        self.writing = Writing::None;
    }

    /// The message that goes ends before its time; whether the peer could take it for whole.
    pub(crate) fn abort(&mut self) -> bool {
        self.is_last = true;
        let is_open = std::mem::replace(&mut self.writing, Writing::None) != Writing::None;
        // A peer that agreed to change the protocol meanwhile would take the end for that of a tunnel.
        is_open || self.to.asked_upgrade.is_some()
    }

    /// Gives back memory that is not in use.
    pub(crate) fn rest(&mut self) {
        if self.tail.is_empty() {
            self.tail = Vec::new();
        }
    }

    /// Memory of what came and was not read yet.
    pub(crate) fn held_bytes(&self) -> usize {
        self.tail.capacity()
    }
}
