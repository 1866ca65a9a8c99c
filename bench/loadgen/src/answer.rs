//! What the lean clients say and what they must be answered, for each kind of work but HTTP/2. It knows no sockets; `talk` asks.
use crate::plain::{SMALL, head_length};
use crate::websocket::{self, ws_frame, ws_put};
use std::io;

/// A kind of work, with the octets of a message where it has any.
pub enum Kind {
    Http1,
    WebSocket(usize),
    Tcp(usize),
    Events,
    Download,
}

/// What the octets begin with, and how many they are.
#[derive(Debug, PartialEq)]
pub enum Took {
    /// Not whole yet.
    Nothing,
    Answer(usize),
    /// An event, and the clock reading that it carries.
    Event(usize, u64),
    /// A piece of a download.
    Part(usize),
}

impl Kind {
    /// As `--as` and `--size` say; a message is at most 16 KiB, so that a socket always has room for it.
    pub fn of(word: &str, size: usize) -> Self {
        assert!((1..=16_384).contains(&size), "--size: 1 to 16384");
        match word {
            "h1" => Self::Http1,
            "ws" => Self::WebSocket(size),
            "tcp" => Self::Tcp(size),
            "sse" => Self::Events,
            "bulk" => Self::Download,
            other => panic!("--as: h1, ws, tcp, sse or bulk, not {other}"),
        }
    }

    /// Said once, when a connection is there.
    pub fn opening(&self, host: &str, gap_ms: u64) -> Vec<u8> {
        match self {
            Self::WebSocket(_) => websocket::request(host).into_bytes(),
            Self::Events => {
                format!("GET /sse?gap={gap_ms}&n=1000000000 HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes()
            }
            Self::Download => b"D".to_vec(),
            Self::Http1 | Self::Tcp(_) => Vec::new(),
        }
    }

    /// Said over and over; empty where the backend alone speaks.
    pub fn message(&self, host: &str) -> Vec<u8> {
        match self {
            Self::Http1 => format!("GET /x HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes(),
            Self::WebSocket(size) => {
                let mut out = Vec::new();
                ws_put(&mut out, 2, &vec![b'e'; *size], true);
                out
            }
            Self::Tcp(size) => vec![b'e'; *size],
            Self::Events | Self::Download => Vec::new(),
        }
    }

    /// Whether the opening is answered by a head.
    pub fn has_handshake(&self) -> bool {
        matches!(self, Self::WebSocket(_) | Self::Events)
    }

    pub fn is_download(&self) -> bool {
        matches!(self, Self::Download)
    }

    /// The handshake's answer: its octets, `None` if it is not whole.
    pub fn opened(&self, buf: &[u8]) -> io::Result<Option<usize>> {
        let Some(length) = head_length(buf) else { return Ok(None) };
        let status: &[u8] = if matches!(self, Self::Events) { b" 200" } else { b" 101" };
        if buf.get(8..12) == Some(status) {
            return Ok(Some(length));
        }
        Err(unexpected(buf))
    }

    /// What the octets begin with; an error if it is nothing that may come.
    pub fn take(&self, buf: &[u8]) -> io::Result<Took> {
        match self {
            Self::Http1 => document(buf),
            Self::WebSocket(size) => match ws_frame(buf) {
                None => Ok(Took::Nothing),
                Some((2, head, None, length)) if length == *size => Ok(Took::Answer(head + length)),
                Some(_) => Err(unexpected(buf)),
            },
            Self::Tcp(size) if buf.len() < *size => Ok(Took::Nothing),
            Self::Tcp(size) => Ok(Took::Answer(*size)),
            Self::Events => event(buf),
            Self::Download => Ok(Took::Part(buf.len())),
        }
    }
}

fn unexpected(buf: &[u8]) -> io::Error {
    io::Error::other(format!("answered by {:?}", String::from_utf8_lossy(&buf[..buf.len().min(60)])))
}

/// An answer of 200 with the small document, of a known length or in one chunk.
fn document(buf: &[u8]) -> io::Result<Took> {
    let Some(head) = head_length(buf) else { return Ok(Took::Nothing) };
    if buf.get(8..12) != Some(b" 200") {
        return Err(unexpected(buf));
    }
    let mut length = None;
    for line in buf[..head].split(|c| *c == b'\n') {
        if line.len() > 15 && line[..15].eq_ignore_ascii_case(b"content-length:") {
            let digits = line[15..].trim_ascii();
            length =
                digits.iter().try_fold(0, |n, c| c.is_ascii_digit().then(|| n * 10 + usize::from(c - b'0')));
        } else if line.len() > 18 && line[..18].eq_ignore_ascii_case(b"transfer-encoding:") {
            length = Some(4 + SMALL.len() + 2 + 5); // 40 CRLF, the document, CRLF 0 CRLF CRLF
        }
    }
    match length {
        Some(n) if n < SMALL.len() || n > SMALL.len() + 11 => Err(unexpected(&buf[head..])),
        Some(n) if buf.len() < head + n => Ok(Took::Nothing),
        Some(n) => Ok(Took::Answer(head + n)),
        None => Err(unexpected(buf)),
    }
}

/// The next event, wherever chunks begin and end.
fn event(buf: &[u8]) -> io::Result<Took> {
    let Some(at) = buf.windows(6).position(|w| w == b"data: ") else { return Ok(Took::Nothing) };
    let Some(stamp) = buf.get(at + 6..at + 26) else { return Ok(Took::Nothing) };
    match std::str::from_utf8(stamp).ok().and_then(|s| s.parse().ok()) {
        Some(sent) => Ok(Took::Event(at + 26, sent)),
        None => Err(unexpected(&buf[at..])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_counts_when_its_last_octet_is_there() {
        let small = String::from_utf8_lossy(SMALL);
        for answer in [
            format!("HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n{small}"),
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n40\r\n{small}\r\n0\r\n\r\n"),
        ] {
            let kind = Kind::Http1;
            let octets = answer.as_bytes();
            assert_eq!(kind.take(&octets[..octets.len() - 1]).unwrap(), Took::Nothing);
            assert_eq!(kind.take(octets).unwrap(), Took::Answer(octets.len()));
        }
    }

    #[test]
    fn any_other_answer_is_an_error() {
        for answer in [
            "HTTP/1.1 503 No\r\ncontent-length: 64\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\n\r\n",
        ] {
            assert!(Kind::Http1.take(answer.as_bytes()).is_err(), "{answer}");
        }
        assert!(Kind::WebSocket(64).take(b"\x88\x02\x03\xe8").is_err());
        assert!(Kind::WebSocket(64).opened(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn an_event_says_when_it_was_sent() {
        let text = b"58\r\ndata: 00000000000000001234 xxx\n\n\r\n";
        assert_eq!(Kind::Events.take(text).unwrap(), Took::Event(30, 1234));
        assert_eq!(Kind::Events.take(&text[..20]).unwrap(), Took::Nothing);
    }
}
