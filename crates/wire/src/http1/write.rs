//! Header lists to heads (RFC 9112 §3, §4).
//!
//! What belongs to a connection is never taken from the list but said by the options, so a list of HTTP/2 is written like
//! one of HTTP/1. What is written is what a reader as strict as ours takes: a list that cannot be said in HTTP/1 without
//! another meaning is refused, and nothing of it stays in the output.

use super::authority;
use super::ends_here::EndsHere;
use super::framing::Framing;
use super::octets;
use super::reason::reason_phrase;
use crate::hpack::{Field, HeaderList, HeaderStore, Name};

/// Why a list cannot be written. Of a list that was read by [`read_request`](super::read_request) or
/// [`read_response`](super::read_response), with its framing, none of these holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unwritable {
    /// No method, or one that is no token.
    #[error("a method that is no token")]
    Method,
    /// No path (CONNECT: no authority), or bytes in it that HTTP/1 has no place for.
    #[error("a target that HTTP/1 has no place for")]
    Target,
    /// An authority that is no host with an optional port.
    #[error("an authority that is no host with an optional port")]
    Authority,
    /// No status, or none from 100 to 599.
    #[error("a status that is none")]
    Status,
    /// A name or a value that HTTP/1 has no place for.
    #[error("a field that HTTP/1 has no place for")]
    Field,
    /// A body that ends in a way that its message may not have.
    #[error("a body that ends in a way that its message may not have")]
    Framing,
}

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestOptions<'a> {
    /// Where the body ends. Not `UntilClose`.
    pub framing: Framing,
    /// The protocol that is asked for, such as `websocket`; the list of an extended CONNECT (RFC 8441) needs one.
    pub upgrade: Option<&'a [u8]>,
    /// Whether the body waits for a 100.
    pub expects_continue: bool,
    /// Whether the connection is to go on.
    pub keeps_alive: bool,
}

/// How a response is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseOptions<'a> {
    /// The minor version of the request. The response says HTTP/1.1 in any case (RFC 9110 §2.5).
    pub minor: u8,
    /// Where the body ends, see [`Framing::of_answer`]. `None` is for messages that never have a body: there the list's
    /// Content-Length stands for another message's and goes on, unless the status forbids it.
    pub framing: Framing,
    /// Whether the connection goes on; it never does after `UntilClose`.
    pub keeps_alive: bool,
    /// The protocol that was agreed on. The status is 101 then, whatever the list has (HTTP/2 has 200).
    pub upgrade: Option<&'a [u8]>,
}

/// Appends the head of a request: the target in origin form (CONNECT: in authority form; `*`), `host` first, crumbs of
/// cookies joined (RFC 9113 §8.2.3).
///
/// An extended CONNECT becomes the GET that it stands for. A method that is meant to have a body says
/// `content-length: 0` where it has none (RFC 9110 §8.6).
///
/// # Errors
/// The list cannot be said in HTTP/1. Nothing was appended.
pub fn put_request(
    out: &mut Vec<u8>,
    list: &HeaderList,
    store: &HeaderStore,
    options: &RequestOptions<'_>,
) -> Result<(), Unwritable> {
    Writer::begin(out, list, store).end(|writer| writer.request(options))
}

/// Appends the head of a response.
///
/// # Errors
/// The list cannot be said in HTTP/1. Nothing was appended.
pub fn put_response(
    out: &mut Vec<u8>,
    list: &HeaderList,
    store: &HeaderStore,
    options: &ResponseOptions<'_>,
) -> Result<(), Unwritable> {
    Writer::begin(out, list, store).end(|writer| writer.response(options))
}

/// Appends the last chunk, and the trailers if there are any. What a trailer may not say is left out.
///
/// # Errors
/// The trailers cannot be said in HTTP/1. Nothing was appended: the body can still be ended without them.
pub fn put_last_chunk(
    out: &mut Vec<u8>,
    trailers: Option<(&HeaderList, &HeaderStore)>,
) -> Result<(), Unwritable> {
    let Some((list, store)) = trailers else {
        out.extend_from_slice(b"0\r\n\r\n");
        return Ok(());
    };
    Writer::begin(out, list, store).end(Writer::trailers)
}

/// A head that is being written.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    list: &'a HeaderList,
    store: &'a HeaderStore,
    /// Where it began in the output.
    start: usize,
    lines: usize,
}

/// The pseudo-headers of a request.
#[derive(Default)]
struct Pseudo<'a> {
    method: &'a [u8],
    path: Option<&'a [u8]>,
    authority: Option<&'a [u8]>,
    is_extended: bool,
}

impl<'a> Writer<'a> {
    fn begin(out: &'a mut Vec<u8>, list: &'a HeaderList, store: &'a HeaderStore) -> Self {
        out.reserve(list.decoded_bytes() + 128);
        Self { start: out.len(), out, list, store, lines: 0 }
    }

    /// Takes back what was appended if it cannot be said.
    fn end(mut self, write: impl FnOnce(&mut Self) -> Result<(), Unwritable>) -> Result<(), Unwritable> {
        let written = write(&mut self).and_then(|()| {
            // Whatever the list has in it, there are no line ends but ours.
            let is_sound = octets::control_bytes(&self.out[self.start..]) == 2 * self.lines;
            if is_sound { Ok(()) } else { Err(Unwritable::Field) }
        });
        if written.is_err() {
            self.out.truncate(self.start);
        }
        written
    }

    fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn end_line(&mut self) {
        self.put(b"\r\n");
        self.lines += 1;
    }

    fn line(&mut self, name: &[u8], value: &[u8]) {
        self.put(name);
        self.put(b": ");
        self.put(value);
        self.end_line();
    }

    fn request(&mut self, options: &RequestOptions<'_>) -> Result<(), Unwritable> {
        let pseudo = self.pseudo(options)?;
        self.request_line(&pseudo)?;
        let has_te = self.fields(EndsHere::REQUEST)?;
        let takes_body = matches!(pseudo.method, b"POST" | b"PUT" | b"PATCH") && options.upgrade.is_none();
        match options.framing {
            Framing::None if takes_body => self.length(0),
            Framing::None => {}
            Framing::Length(length) => self.length(length),
            Framing::Chunked => self.line(b"transfer-encoding", b"chunked"),
            Framing::UntilClose => return Err(Unwritable::Framing),
        }
        let has_body = !matches!(options.framing, Framing::None | Framing::Length(0));
        if has_body && (options.upgrade.is_some() || matches!(pseudo.method, b"CONNECT" | b"TRACE")) {
            return Err(Unwritable::Framing);
        }
        if options.expects_continue && has_body {
            self.line(b"expect", b"100-continue");
        }
        self.connection(options.upgrade, has_te, (!options.keeps_alive).then_some(b"close"));
        self.end_line();
        Ok(())
    }

    fn pseudo(&self, options: &RequestOptions<'_>) -> Result<Pseudo<'a>, Unwritable> {
        let mut pseudo = Pseudo::default();
        for field in self.list.fields().iter().take_while(|f| f.name.is_pseudo()) {
            let value = self.list.value(field, self.store);
            match field.name {
                Name::Method => pseudo.method = value,
                Name::Path => pseudo.path = Some(value),
                Name::Authority => pseudo.authority = Some(value),
                Name::Protocol => pseudo.is_extended = true,
                _ => {}
            }
        }
        if !octets::is_token(pseudo.method) {
            return Err(Unwritable::Method);
        }
        if pseudo.is_extended {
            if pseudo.method != b"CONNECT" || options.upgrade.is_none() {
                return Err(Unwritable::Method);
            }
            pseudo.method = b"GET";
        }
        Ok(pseudo)
    }

    fn request_line(&mut self, pseudo: &Pseudo<'_>) -> Result<(), Unwritable> {
        let host = pseudo.authority.or_else(|| self.list.find(Name::Host, self.store));
        let port = match host.map(authority::split) {
            Some(None) => return Err(Unwritable::Authority),
            Some(Some((_, port))) => port,
            None => None,
        };
        let target = match (pseudo.method, pseudo.path) {
            (b"CONNECT", None) => host.filter(|_| port.is_some()).ok_or(Unwritable::Target)?,
            (b"OPTIONS", Some(b"*")) => b"*",
            (method, Some(path @ [b'/', ..])) if method != b"CONNECT" && octets::is_target(path) => path,
            _ => return Err(Unwritable::Target),
        };
        self.put(pseudo.method);
        self.put(b" ");
        self.put(target);
        self.put(b" HTTP/1.1");
        self.end_line();
        // Without an authority it is said to be empty (RFC 9112 §3.2).
        self.line(b"host", host.unwrap_or_default());
        Ok(())
    }

    fn response(&mut self, options: &ResponseOptions<'_>) -> Result<(), Unwritable> {
        let said = self.list.fields().first().filter(|f| f.name == Name::Status);
        let digits = match options.upgrade {
            Some(_) => b"101",
            None => said.map(|f| self.list.value(f, self.store)).ok_or(Unwritable::Status)?,
        };
        let &[a @ b'1'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9'] = digits else {
            return Err(Unwritable::Status);
        };
        let status = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
        self.put(b"HTTP/1.1 ");
        self.put(digits);
        self.put(b" ");
        self.put(reason_phrase(status).as_bytes());
        self.end_line();
        self.fields(EndsHere::RESPONSE)?;
        if options.upgrade.is_some() {
            self.connection(options.upgrade, false, None);
            self.end_line();
            return Ok(());
        }
        match options.framing {
            Framing::None => {
                if let Some(length) = self.list.find(Name::ContentLength, self.store)
                    && status >= 200
                    && status != 204
                {
                    self.line(b"content-length", length);
                }
            }
            _ if status < 200 || matches!(status, 204 | 304) => return Err(Unwritable::Framing),
            Framing::Length(length) => self.length(length),
            Framing::Chunked if options.minor == 0 => return Err(Unwritable::Framing),
            Framing::Chunked => self.line(b"transfer-encoding", b"chunked"),
            Framing::UntilClose => {}
        }
        // Of an interim answer nothing follows for the connection.
        if status >= 200 {
            let goes_on = options.keeps_alive && options.framing != Framing::UntilClose;
            let persistence: Option<&[u8]> = match (goes_on, options.minor) {
                (false, _) => Some(b"close"),
                (true, 0) => Some(b"keep-alive"),
                (true, _) => None,
            };
            self.connection(None, false, persistence);
        }
        self.end_line();
        Ok(())
    }

    fn trailers(&mut self) -> Result<(), Unwritable> {
        self.put(b"0");
        self.end_line();
        self.fields(EndsHere::TRAILERS)?;
        self.end_line();
        Ok(())
    }

    fn length(&mut self, length: u64) {
        let mut digits = [0u8; 20];
        let (mut at, mut rest) = (digits.len(), length);
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.line(b"content-length", &digits[at..]);
    }

    fn connection(&mut self, upgrade: Option<&[u8]>, has_te: bool, persistence: Option<&[u8]>) {
        let options = [upgrade.map(|_| b"upgrade".as_slice()), has_te.then_some(b"te"), persistence];
        let mut separator: &[u8] = b"connection: ";
        for option in options.into_iter().flatten() {
            self.put(separator);
            self.put(option);
            separator = b", ";
        }
        if separator == b", " {
            self.end_line();
        }
        if let Some(protocol) = upgrade {
            self.line(b"upgrade", protocol);
        }
    }

    /// The fields that go on. Says whether `te` was among them.
    fn fields(&mut self, ends: EndsHere) -> Result<bool, Unwritable> {
        let (list, mut has_te, mut has_cookie) = (self.list, false, false);
        for (at, field) in list.fields().iter().enumerate() {
            if ends.has(field.name) {
                continue;
            }
            if !field.is_valid {
                return Err(Unwritable::Field);
            }
            let (name, value) = (list.name_bytes(field, self.store), list.value(field, self.store));
            match field.name {
                Name::Te if has_te || !value.eq_ignore_ascii_case(b"trailers") => continue,
                Name::Te => has_te = true,
                Name::Expect if ends == EndsHere::REQUEST && value.eq_ignore_ascii_case(b"100-continue") => {
                    continue;
                }
                Name::Cookie if ends == EndsHere::REQUEST => {
                    if !has_cookie {
                        self.cookies(&list.fields()[at..])?;
                    }
                    has_cookie = true;
                    continue;
                }
                Name::Other if ends.has_other(name) => continue,
                Name::Other if name.first() == Some(&b':') => return Err(Unwritable::Field),
                _ => {}
            }
            self.line(name, value);
        }
        Ok(has_te)
    }

    fn cookies(&mut self, fields: &[Field]) -> Result<(), Unwritable> {
        let mut separator: &[u8] = b"cookie: ";
        for field in fields.iter().filter(|f| f.name == Name::Cookie) {
            if !field.is_valid {
                return Err(Unwritable::Field);
            }
            self.put(separator);
            self.put(self.list.value(field, self.store));
            separator = b"; ";
        }
        self.end_line();
        Ok(())
    }
}
