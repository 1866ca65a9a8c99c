//! A lean backend's connection of what is not HTTP/2: HTTP/1.1 answers and event streams, WebSocket echo, TCP echo and
//! download. It takes requests as it knows them to come: whole heads without bodies. `origin` reads the sockets, keeps the
//! time and counts.
use crate::websocket::{self, CLOSE, PING, ws_frame, ws_put};
use crate::{mono_ns, poll::Poll};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

#[derive(Clone, Copy, PartialEq)]
pub enum Speech {
    Http1,
    WebSocket,
    Tcp,
}

/// What a small answer says; HTTP/2 backends send as many octets.
pub const SMALL: &[u8] = b"{\"id\":12345,\"name\":\"a small body of sixty-four bytes\",\"ok\":true}";

/// Octets of an event beside its clock reading.
const EVENT: usize = 64;

pub struct Plain {
    pub sock: TcpStream,
    speech: Speech,
    /// The handshake is done (WebSocket), the first octet was seen (TCP).
    is_open: bool,
    downloads: bool,
    /// Nanoseconds between the events of a stream.
    pub gap: Option<u64>,
    tail: Vec<u8>,
    out: Vec<u8>,
    sent: usize,
    armed: bool,
}

impl Plain {
    pub fn new(sock: TcpStream, speech: Speech) -> io::Result<Self> {
        sock.set_nonblocking(true)?;
        sock.set_nodelay(true)?;
        let is_open = speech == Speech::Http1;
        let (tail, out) = (Vec::new(), Vec::new());
        Ok(Self { sock, speech, is_open, downloads: false, gap: None, tail, out, sent: 0, armed: false })
    }

    /// Reads once and answers; `done` is called for each request or message.
    pub fn serve(&mut self, buf: &mut [u8], mut done: impl FnMut()) -> io::Result<()> {
        let old = self.tail.len();
        buf[..old].copy_from_slice(&self.tail);
        let n = match self.sock.read(&mut buf[old..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(e) => return Err(e),
        };
        self.tail.clear();
        let buf = &mut buf[..old + n];
        let used = match self.speech {
            Speech::Http1 => self.requests(buf, done),
            Speech::WebSocket => self.messages(buf, done),
            Speech::Tcp => {
                if !std::mem::replace(&mut self.is_open, true) && buf[0] == b'D' {
                    self.downloads = true;
                } else if !self.downloads {
                    done();
                    self.out.extend_from_slice(buf);
                }
                Ok(buf.len())
            }
        }?;
        self.tail.extend_from_slice(&buf[used..]);
        Ok(())
    }

    fn requests(&mut self, buf: &[u8], mut done: impl FnMut()) -> io::Result<usize> {
        let mut at = 0;
        while let Some(length) = head_length(&buf[at..]) {
            let head = &buf[at..at + length];
            at += length;
            done();
            if let Some(query) = head.strip_prefix(b"GET /sse?gap=") {
                let digits = query.iter().take_while(|c| c.is_ascii_digit());
                let gap = digits.fold(0, |n, c| n * 10 + u64::from(c - b'0'));
                self.gap = Some(gap.max(1) * 1_000_000);
                self.out.extend_from_slice(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\
                      transfer-encoding: chunked\r\n\r\n",
                );
            } else {
                self.out.extend_from_slice(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 64\r\n\r\n",
                );
                self.out.extend_from_slice(SMALL);
            }
        }
        Ok(at)
    }

    fn messages(&mut self, buf: &mut [u8], mut done: impl FnMut()) -> io::Result<usize> {
        let mut at = 0;
        if !self.is_open {
            let Some(length) = head_length(buf) else { return Ok(0) };
            let answer = websocket::answer(&buf[..length]).unwrap_or_else(|| websocket::REFUSAL.into());
            self.out.extend_from_slice(answer.as_bytes());
            self.is_open = true;
            at = length;
        }
        while let Some((op, head, key, length)) = ws_frame(&buf[at..]) {
            let payload = &mut buf[at + head..at + head + length];
            if let Some(key) = key {
                payload.iter_mut().zip(key.iter().cycle()).for_each(|(b, k)| *b ^= k);
            }
            if op == CLOSE {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            done();
            ws_put(&mut self.out, if op == PING { op + 1 } else { op }, payload, false);
            at += head + length;
        }
        Ok(at)
    }

    /// Appends an event that says when it is sent, unless the client is slow to take those before.
    pub fn event(&mut self) {
        if self.out.len() - self.sent < 1 << 20 {
            let event = format!("data: {:020} {}\n\n", mono_ns(), "x".repeat(EVENT));
            let _ = write!(self.out, "{:x}\r\n{event}\r\n", event.len());
        }
    }

    /// Writes what there is, of a download a block more; asks to be told of room when there is more.
    pub fn flush(&mut self, poll: &Poll, token: usize) -> io::Result<()> {
        if self.downloads && self.sent == self.out.len() {
            self.sent = 0;
            self.out.resize(256 * 1024, b'x');
        }
        while self.sent < self.out.len() {
            match self.sock.write(&self.out[self.sent..]) {
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        let done = self.sent == self.out.len();
        if done && !self.downloads {
            self.out.clear();
            self.sent = 0;
        }
        let wanted = !done || self.downloads;
        if wanted != self.armed {
            self.armed = wanted;
            poll.want_write(self.sock.as_raw_fd(), token, wanted);
        }
        Ok(())
    }
}

/// Octets of the head that begins there, with the empty line; `None` if it is not whole.
pub fn head_length(buf: &[u8]) -> Option<usize> {
    buf.windows(4).position(|w| w == b"\r\n\r\n").map(|p| p + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_answer_is_as_long_as_its_head_says() {
        assert_eq!(SMALL.len(), 64);
    }

    #[test]
    fn a_head_ends_behind_its_empty_line() {
        assert_eq!(head_length(b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET"), Some(27));
        assert_eq!(head_length(b"GET / HTTP/1.1\r\nhost: a\r\n\r"), None);
    }
}
