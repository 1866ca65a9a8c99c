//! An HTTP/1 endpoint that records what comes, byte for byte, and answers only messages that nobody could read in two ways.
//!
//! Its parser allows no more than Evenkeel may write: one framing at most, CRLF everywhere, no extensions, no folding. What it
//! refuses is a finding, not an answer.

use anyhow::Result;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What it says to each message.
pub const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A message: method and target, and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Method and target.
    pub line: String,
    /// Fields, their names as they came.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body, without its chunks' sizes.
    pub body: Vec<u8>,
}

/// What came since it was asked last.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Whole messages.
    pub messages: Vec<Message>,
    /// Why bytes were ambiguous.
    pub faults: Vec<String>,
    /// All bytes.
    pub bytes: Vec<u8>,
}

/// The endpoint.
#[derive(Clone, Debug)]
pub struct Recorder {
    address: String,
    record: Arc<Mutex<Record>>,
}

impl Recorder {
    /// Starts one that answers every message with [`ANSWER`].
    ///
    /// # Errors
    /// If there is no port.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let recorder = Self { address: listener.local_addr()?.to_string(), record: Arc::default() };
        let its = recorder.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let its = its.clone();
                thread::spawn(move || its.serve(stream));
            }
        });
        Ok(recorder)
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What came since the last question.
    #[must_use]
    pub fn take(&self) -> Record {
        std::mem::take(&mut *self.record.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.record.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn serve(&self, mut stream: TcpStream) {
        let (mut unread, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
        while let Ok(n @ 1..) = stream.read(&mut chunk) {
            self.note(|record| record.bytes.extend_from_slice(&chunk[..n]));
            unread.extend_from_slice(&chunk[..n]);
            loop {
                match read(&unread) {
                    Ok(None) => break,
                    Ok(Some((message, n))) => {
                        unread.drain(..n);
                        let is_head = message.line.starts_with("HEAD ");
                        self.note(|record| record.messages.push(message));
                        let end = if is_head { ANSWER.len() - 2 } else { ANSWER.len() };
                        if stream.write_all(&ANSWER[..end]).is_err() {
                            return;
                        }
                    }
                    Err(fault) => {
                        self.note(|record| record.faults.push(fault));
                        return;
                    }
                }
            }
        }
    }
}

/// Reads a message and says how long it was; `None` if more is to come.
///
/// # Errors
/// Why it is not the one thing that it may be.
pub fn read(bytes: &[u8]) -> Result<Option<(Message, usize)>, String> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let mut lines = split(&bytes[..end]).into_iter();
    let line = text(lines.next().unwrap_or_default())?;
    let words: Vec<_> = line.split(' ').collect();
    let [method, target, "HTTP/1.1"] = words[..] else { return Err(format!("a request line: {line:?}")) };
    if method.is_empty() || target.is_empty() {
        return Err(format!("a request line: {line:?}"));
    }
    let fields = fields(lines)?;
    let all = |name: &str| fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).collect::<Vec<_>>();
    if all("host").len() != 1 {
        return Err(format!("not one host: {fields:?}"));
    }
    let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
    let (body, end) = match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => (Vec::new(), end + 4),
        ([(_, length)], []) => {
            let length = text(length)?;
            if length.is_empty() || !length.bytes().all(|b| b.is_ascii_digit()) || length.len() > 15 {
                return Err(format!("a length: {length:?}"));
            }
            let length: usize = length.parse().map_err(|_| format!("a length: {length:?}"))?;
            let Some(body) = bytes.get(end + 4..end + 4 + length) else { return Ok(None) };
            (body.to_vec(), end + 4 + length)
        }
        ([], [(_, coding)]) if coding == b"chunked" => {
            let Some((body, n)) = chunks(&bytes[end + 4..])? else { return Ok(None) };
            (body, end + 4 + n)
        }
        _ => return Err(format!("more than one framing: {fields:?}")),
    };
    Ok(Some((Message { line: format!("{method} {target}"), fields, body }, end)))
}

fn fields<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<Vec<(String, Vec<u8>)>, String> {
    lines
        .map(|line| {
            let colon = line.iter().position(|&b| b == b':').ok_or("a line without a colon")?;
            let name = text(&line[..colon])?;
            let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(format!("a field's name: {name:?}"));
            }
            let value = line[colon + 1..].trim_ascii();
            if value.iter().any(|&b| (b < b' ' && b != b'\t') || b == 0x7f) {
                return Err(format!("a value of {name}: {:?}", value.escape_ascii().to_string()));
            }
            Ok((name, value.to_vec()))
        })
        .collect()
}

fn chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, String> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(end) = find(&bytes[at..], b"\r\n") else { return Ok(None) };
        let size = text(&bytes[at..at + end])?;
        if size.is_empty() || size.len() > 8 || !size.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(format!("a chunk's size: {size:?}"));
        }
        let size = usize::from_str_radix(&size, 16).map_err(|_| format!("a chunk's size: {size:?}"))?;
        at += end + 2;
        if size == 0 {
            break;
        }
        let Some(data) = bytes.get(at..at + size + 2) else { return Ok(None) };
        if !data.ends_with(b"\r\n") {
            return Err("a chunk that does not end where it says".to_owned());
        }
        body.extend_from_slice(&data[..size]);
        at += size + 2;
    }
    if bytes[at..].starts_with(b"\r\n") {
        return Ok(Some((body, at + 2)));
    }
    let Some(end) = find(&bytes[at..], b"\r\n\r\n") else { return Ok(None) };
    fields(split(&bytes[at..at + end]).into_iter())?;
    Ok(Some((body, at + end + 4)))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Lines that are parted by CRLF; CR or LF alone stay in them, and are faults there.
fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut lines, mut rest) = (Vec::new(), bytes);
    while let Some(end) = find(rest, b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    lines
}

fn text(bytes: &[u8]) -> Result<String, String> {
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(|b| (b' '..0x7f).contains(b)) => Ok(text.to_owned()),
        _ => Err(format!("not plain: {}", bytes.escape_ascii())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> (String, Vec<u8>, usize) {
        let (message, n) = read(bytes).unwrap().unwrap();
        (message.line, message.body, n)
    }

    #[test]
    fn what_has_one_meaning_is_read() {
        let get = b"GET /a HTTP/1.1\r\nhost: a\r\n\r\nGET";
        assert_eq!(message(get), ("GET /a".into(), vec![], get.len() - 3));
        let post = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nokX";
        assert_eq!(message(post), ("POST /".into(), b"ok".to_vec(), post.len() - 1));
        let chunked =
            b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n";
        assert_eq!(message(chunked), ("POST /".into(), b"ok".to_vec(), chunked.len()));
        assert_eq!(read(&chunked[..chunked.len() - 1]), Ok(None));
    }

    #[test]
    fn what_has_two_is_a_fault() {
        for bytes in [
            &b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"[..],
            b"GET / HTTP/1.1\r\nhost: a\r\nx: y\nz: w\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: a\r\n x: y\r\n\r\n",
            b"GET /a b HTTP/1.1\r\nhost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\nx",
            b"GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1;x\r\nx\r\n0\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n",
        ] {
            assert!(read(bytes).is_err(), "{}", bytes.escape_ascii());
        }
    }
}
