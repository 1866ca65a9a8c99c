//! One HTTP/2 connection, either end, with as little work as it can be done with: frames, windows, settings. What a header
//! block says is not decoded; a client's and a backend's own rules stand in `drive` and `origin`.
mod reply;

use crate::frame::{
    ACK, DATA, END_STREAM, Frame, GOAWAY, PADDED, PING, PREFACE, SETTINGS, WINDOW_UPDATE, head,
};
use crate::pipe::Pipe;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::io;

/// What we let a peer send: a body of any size used here on one stream, and much on all together.
const STREAM_CREDIT: u32 = 1 << 20;
const LINK_CREDIT: u32 = 16 << 20;

/// Stream ids are their own hash.
#[derive(Default)]
pub struct IdHash(u64);

impl Hasher for IdHash {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("only ids are hashed")
    }
    fn write_u32(&mut self, id: u32) {
        self.0 = u64::from(id >> 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

pub struct Stream {
    window: i64,
    /// Octets of body to send, and to send yet.
    body: u32,
    pub left: u32,
    /// Octets of body that came.
    pub got: u32,
    /// When it was due (a client's).
    pub at: u64,
    /// No trailers come behind the body.
    is_plain: bool,
    /// The answer began with `:status: 200` (a client's).
    pub good: bool,
    pub answered: bool,
}

pub struct Link {
    pub pipe: Pipe,
    pub out: Vec<u8>,
    sent: usize,
    tail: Vec<u8>,
    pub streams: HashMap<u32, Stream, BuildHasherDefault<IdHash>>,
    /// Streams whose body a window holds back.
    held: VecDeque<u32>,
    window: i64,
    initial: i64,
    taken: u32,
    pub table: usize,
    pub max_streams: usize,
    pub has_settings: bool,
    pub is_going_away: bool,
    /// A body's end is the end of the stream (a client's; a backend sends trailers).
    ends_with_body: bool,
    armed: bool,
    block: Vec<u8>,
    has_answered: bool,
    /// When each of a backend's two fields entered the peer's table (0: not there), and how many did.
    inserted: [u8; 2],
    insertions: u8,
}

impl Link {
    /// Says SETTINGS, and as a client the preface before them. `max_streams` is what a backend announces.
    pub fn new(pipe: Pipe, max_streams: Option<u32>) -> io::Result<Self> {
        let mut out = Vec::new();
        let mut settings = vec![(4u16, STREAM_CREDIT)];
        match max_streams {
            Some(n) => settings.push((3, n)),
            None => {
                out.extend_from_slice(PREFACE);
                settings.push((2, 0));
            }
        }
        head(&mut out, settings.len() * 6, SETTINGS, 0, 0);
        for (id, value) in settings {
            out.extend_from_slice(&id.to_be_bytes());
            out.extend_from_slice(&value.to_be_bytes());
        }
        head(&mut out, 4, WINDOW_UPDATE, 0, 0);
        out.extend_from_slice(&(LINK_CREDIT - 65_535).to_be_bytes());
        Ok(Self {
            pipe,
            out,
            sent: 0,
            tail: Vec::new(),
            streams: HashMap::default(),
            held: VecDeque::new(),
            window: 65_535,
            initial: 65_535,
            taken: 0,
            table: 4096,
            max_streams: usize::MAX,
            has_settings: false,
            is_going_away: false,
            ends_with_body: max_streams.is_none(),
            armed: false,
            block: Vec::new(),
            has_answered: false,
            inserted: [0; 2],
            insertions: 0,
        })
    }

    /// Reads once behind what was left over; how many octets of `buf` there are now. `None`: nothing came.
    pub fn read(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        let old = self.tail.len();
        buf[..old].copy_from_slice(&self.tail);
        match self.pipe.read(&mut buf[old..]) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                self.tail.clear();
                Ok(Some(old + n))
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Keeps the part of a frame that is not whole yet.
    pub fn keep(&mut self, rest: &[u8]) {
        self.tail.extend_from_slice(rest);
    }

    /// Does what every frame but HEADERS, DATA and RST_STREAM asks for.
    pub fn control(&mut self, f: &Frame, payload: &[u8]) {
        match f.kind {
            SETTINGS if f.flags & ACK == 0 => {
                for s in payload.chunks_exact(6) {
                    let value = u32::from_be_bytes([s[2], s[3], s[4], s[5]]);
                    match s[1] {
                        1 => self.table = value as usize,
                        3 => self.max_streams = value as usize,
                        4 => {
                            let more = i64::from(value) - self.initial;
                            self.initial = i64::from(value);
                            self.streams.values_mut().for_each(|s| s.window += more);
                        }
                        _ => {}
                    }
                }
                self.has_settings = true;
                head(&mut self.out, 0, SETTINGS, ACK, 0);
                self.go_on();
            }
            PING if f.flags & ACK == 0 => {
                head(&mut self.out, 8, PING, ACK, 0);
                self.out.extend_from_slice(payload);
            }
            WINDOW_UPDATE => {
                let more = i64::from(u32::from_be_bytes([payload[0], payload[1], payload[2], payload[3]]));
                if f.id == 0 {
                    self.window += more;
                } else if let Some(s) = self.streams.get_mut(&f.id) {
                    s.window += more;
                }
                self.go_on();
            }
            GOAWAY => self.is_going_away = true,
            _ => {}
        }
    }

    /// Counts a DATA frame's octets, and gives them back in time; how many were body.
    pub fn took(&mut self, f: &Frame, payload: &[u8]) -> u32 {
        let whole = payload.len() as u32;
        self.taken += whole;
        if self.taken >= LINK_CREDIT / 2 {
            head(&mut self.out, 4, WINDOW_UPDATE, 0, 0);
            self.out.extend_from_slice(&self.taken.to_be_bytes());
            self.taken = 0;
        }
        if f.flags & PADDED == 0 { whole } else { whole - 1 - u32::from(payload[0]) }
    }

    pub fn open(&mut self, id: u32, at: u64) {
        let s = Stream {
            window: self.initial,
            body: 0,
            left: 0,
            got: 0,
            at,
            is_plain: self.ends_with_body,
            good: false,
            answered: false,
        };
        self.streams.insert(id, s);
    }

    /// Sends a body of so many octets as far as the windows let it. Whether it is sent.
    pub fn send(&mut self, id: u32, body: u32) -> bool {
        if let Some(s) = self.streams.get_mut(&id) {
            (s.body, s.left) = (body, body);
        }
        let done = self.push(id);
        if !done {
            self.held.push_back(id);
        }
        done
    }

    fn push(&mut self, id: u32) -> bool {
        let Some(s) = self.streams.get_mut(&id) else { return true };
        while s.left > 0 {
            let n = i64::from(s.left.min(16_384)).min(s.window).min(self.window);
            if n <= 0 {
                return false;
            }
            let end = if n == i64::from(s.left) && s.is_plain { END_STREAM } else { 0 };
            head(&mut self.out, n as usize, DATA, end, id);
            let at = self.out.len();
            self.out.resize(at + n as usize, b'm');
            if s.left == s.body && n >= 5 {
                self.out[at] = 0;
                self.out[at + 1..at + 5].copy_from_slice(&(s.body - 5).to_be_bytes());
            }
            s.window -= n;
            self.window -= n;
            s.left -= n as u32;
        }
        true
    }

    /// Sends what a window held back. A backend's streams that are done get their trailers from `done`.
    fn go_on(&mut self) {
        for _ in 0..self.held.len() {
            let Some(id) = self.held.pop_front() else { break };
            if !self.push(id) {
                self.held.push_back(id);
            } else if !self.ends_with_body {
                self.end(id);
            }
        }
    }

    /// Writes what there is; whether all went out. Asks to be told of room when it did not.
    pub fn flush(&mut self, poll: &crate::poll::Poll, token: usize) -> io::Result<bool> {
        while self.sent < self.out.len() {
            match self.pipe.write(&self.out[self.sent..]) {
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        if self.pipe.holds() {
            self.pipe.push()?;
        }
        let (written, done) = (self.sent == self.out.len(), !self.has_output());
        if written {
            self.out.clear();
            self.sent = 0;
        } else if self.sent > 1 << 20 {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
        if self.armed == done {
            self.armed = !done;
            poll.want_write(self.pipe.fd(), token, self.armed);
        }
        Ok(done)
    }

    pub fn has_output(&self) -> bool {
        self.sent < self.out.len() || self.pipe.holds()
    }
}
