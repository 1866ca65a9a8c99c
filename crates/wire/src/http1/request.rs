//! Heads of requests (RFC 9112 §3).

use super::authority;
use super::error::HeadError;
use super::fields::{Found, Side, take_line};
use super::framing::{Framing, Upgrade};
use super::head::{self, HeadLimits, Span, Start};
use super::octets;
use super::target::{self, Target, TargetForm};
use crate::hpack::{HeaderList, HeaderStore, Name};

/// What the connection is, which a request over HTTP/1 does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Cleartext.
    Http,
    /// TLS.
    Https,
}

/// What a request's head says beside its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLine {
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub minor: u8,
    /// The form of the target.
    pub form: TargetForm,
    /// Where the body ends; never at the connection's end.
    pub framing: Framing,
    /// Whether the client wants to send another request on the connection.
    pub keeps_alive: bool,
    /// The protocol that the client would change to. Only in HTTP/1.1 and only without a body, which could be read as
    /// the first bytes of that protocol.
    pub upgrade: Option<Upgrade>,
    /// The protocol's name as it came, a piece of the head's bytes; empty without one.
    pub protocol: Span,
    /// The value of `HTTP2-Settings`, a piece of the head's bytes; empty unless the upgrade is to h2c.
    pub http2_settings: Span,
    /// Whether the client waits for a 100 before it sends the body.
    pub expects_continue: bool,
}

impl RequestLine {
    /// Whether the method is CONNECT.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        self.form == TargetForm::Authority
    }
}

/// Reads the head of a request at the start of `input` into `list`, which is empty before; says how many bytes it took.
///
/// The list begins with `:method`, `:scheme`, `:authority` and `:path`, where CONNECT has neither scheme nor path (RFC
/// 9113 §8.5) and an HTTP/1.0 request without Host has no authority. `Ok(None)` asks for more bytes; `scanned` is 0 for a
/// new head and then left alone, so that bytes which trickle in are looked at once.
///
/// # Errors
/// The head is refused; the list may hold some of it, and is to be cleared in any case.
pub fn read_request(
    input: &[u8],
    scanned: &mut usize,
    scheme: Scheme,
    limits: &HeadLimits,
    list: &mut HeaderList,
    store: &mut HeaderStore,
) -> Result<Option<(usize, RequestLine)>, HeadError> {
    let Some(head) = head::find(input, scanned, Start::Request, limits)? else { return Ok(None) };
    let mut fields = head.bytes;
    let first = take_line(&mut fields).unwrap_or_default();
    let (method, target, minor) = split(first)?;
    let target = target::parse(method, target)?;
    let authority_at = push_pseudo(method, scheme, &target, list, store);
    let mut found = Found::default();
    let count = found.read(fields, Side::Request, limits.fields, list)?;
    head::check_bytes(head.bytes, count + 2)?;
    match authority(&target, minor, found.host)? {
        Some(authority) => list.set_value(authority_at, authority),
        None => list.remove(authority_at),
    }
    found.drop_named(list);
    list.charge(store);
    let framing = framing(method, minor, &found)?;
    let has_body = !matches!(framing, Framing::None | Framing::Length(0));
    let upgrade = found.protocol().filter(|&(upgrade, _)| {
        let is_whole = upgrade != Upgrade::H2c
            || (found.connection.has_http2_settings && found.http2_settings.single().is_some());
        minor == 1 && !has_body && target.form != TargetForm::Authority && is_whole
    });
    let span = |part: Option<&[u8]>| part.map_or(Span::default(), |part| Span::within(input, part));
    let is_h2c = upgrade.is_some_and(|(u, _)| u == Upgrade::H2c);
    let line = RequestLine {
        minor,
        form: target.form,
        framing,
        keeps_alive: found.keeps_alive(minor),
        upgrade: upgrade.map(|(upgrade, _)| upgrade),
        protocol: span(upgrade.map(|(_, protocol)| protocol)),
        http2_settings: span(found.http2_settings.single().filter(|_| is_h2c)),
        expects_continue: found.expects_continue && minor == 1 && has_body,
    };
    Ok(Some((head.consumed, line)))
}

/// Method, target and minor version of a request line.
fn split(line: &[u8]) -> Result<(&[u8], &[u8], u8), HeadError> {
    let end = line.iter().position(|&b| octets::LOWER_TOKEN[usize::from(b)] == 0);
    let end = end.ok_or(HeadError::RequestLine)?;
    if line[end] != b' ' || end == 0 {
        return Err(HeadError::Method);
    }
    let (method, rest) = (&line[..end], &line[end + 1..]);
    let end = memchr::memrchr(b' ', rest).ok_or(HeadError::RequestLine)?;
    let (target, version) = (&rest[..end], &rest[end + 1..]);
    if target.is_empty() || memchr::memchr(b' ', target).is_some() {
        return Err(HeadError::RequestLine);
    }
    Ok((method, target, minor_version(version)?))
}

/// The minor version of an HTTP/1 version.
pub(super) fn minor_version(version: &[u8]) -> Result<u8, HeadError> {
    match version {
        b"HTTP/1.1" => Ok(1),
        b"HTTP/1.0" => Ok(0),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(HeadError::UnsupportedVersion),
        _ => Err(HeadError::Version),
    }
}

/// Appends the pseudo-headers; says where the authority stands, which is yet to come.
fn push_pseudo(
    method: &[u8],
    scheme: Scheme,
    target: &Target<'_>,
    list: &mut HeaderList,
    store: &mut HeaderStore,
) -> usize {
    list.push_pseudo(Name::Method, method, store);
    if target.form == TargetForm::Authority {
        list.push_known(Name::Authority, b"");
        return 1;
    }
    list.push_pseudo(Name::Scheme, if scheme == Scheme::Http { b"http" } else { b"https" }, store);
    list.push_known(Name::Authority, b"");
    if target.path.first() == Some(&b'?') {
        list.push_parts(Name::Path, b"/", target.path);
    } else {
        list.push_pseudo(Name::Path, target.path, store);
    }
    2
}

/// What the request is for, of target and Host (RFC 9112 §3.2, §3.3).
fn authority<'a>(
    target: &Target<'a>,
    minor: u8,
    host: Option<&'a [u8]>,
) -> Result<Option<&'a [u8]>, HeadError> {
    if host.is_none() && minor == 1 {
        return Err(HeadError::MissingHost);
    }
    if host.is_some_and(|host| authority::split(host).is_none()) {
        return Err(HeadError::Host);
    }
    match (target.authority, host) {
        (Some(said), Some(host)) if !authority::is_same(said, host, target.default_port) => {
            Err(HeadError::DifferentHost)
        }
        (said, host) => Ok(said.or(host)),
    }
}

fn framing(method: &[u8], minor: u8, found: &Found<'_>) -> Result<Framing, HeadError> {
    let framing = found.framing(minor)?.unwrap_or(Framing::None);
    // RFC 9110 §9.3.6, §9.3.8: what follows CONNECT is the tunnel's, and TRACE sends back what it got.
    if matches!(method, b"CONNECT" | b"TRACE") && framing != Framing::None {
        return Err(HeadError::BodyNotAllowed);
    }
    Ok(framing)
}

impl Found<'_> {
    /// What the fields say of the body, if anything.
    pub(super) fn framing(&self, minor: u8) -> Result<Option<Framing>, HeadError> {
        match (self.is_chunked, self.content_length) {
            (true, Some(_)) => Err(HeadError::LengthAndCoding),
            // RFC 9112 §6.1: such a message is faulty, even if its sender knows chunks.
            (true, None) if minor == 0 => Err(HeadError::CodingInHttp10),
            (true, None) => Ok(Some(Framing::Chunked)),
            (false, length) => Ok(length.map(Framing::Length)),
        }
    }

    /// Whether the connection goes on (RFC 9112 §9.3).
    pub(super) fn keeps_alive(&self, minor: u8) -> bool {
        !self.connection.closes && (minor == 1 || self.connection.keeps_alive)
    }
}
