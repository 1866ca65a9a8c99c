//! Heads of responses (RFC 9112 §4).

use super::error::HeadError;
use super::fields::{Found, Side, take_line};
use super::framing::{Framing, Upgrade};
use super::head::{self, HeadLimits, Span, Start};
use super::request::minor_version;
use crate::hpack::{HeaderList, HeaderStore, Name};

/// The request that is answered, as far as the answer's meaning depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseTo {
    /// Its method was HEAD.
    pub is_head: bool,
    /// Its method was CONNECT.
    pub is_connect: bool,
    /// The protocol that it asked for.
    pub asked_upgrade: Option<Upgrade>,
}

/// What a response's head says beside its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusLine {
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub minor: u8,
    /// 100 to 599.
    pub status: u16,
    /// Where the body ends. After 101, and 2xx to CONNECT, what follows is no body but the tunnel: `UntilClose`.
    pub framing: Framing,
    /// Whether the connection may be used again, if the body ends exactly.
    pub keeps_alive: bool,
    /// The protocol that was agreed on, with 101.
    pub upgrade: Option<Upgrade>,
    /// The protocol's name as it came, a piece of the head's bytes.
    pub protocol: Span,
}

/// Reads the head of a response at the start of `input` into `list`, which is empty before and begins with `:status`
/// then; says how many bytes it took. `Ok(None)` and `scanned` are as in [`read_request`](super::read_request).
///
/// # Errors
/// The head is refused; the list may hold some of it, and is to be cleared in any case.
pub fn read_response(
    input: &[u8],
    scanned: &mut usize,
    to: ResponseTo,
    limits: &HeadLimits,
    list: &mut HeaderList,
    store: &mut HeaderStore,
) -> Result<Option<(usize, StatusLine)>, HeadError> {
    let Some(head) = head::find(input, scanned, Start::Status, limits)? else { return Ok(None) };
    let mut fields = head.bytes;
    let first = take_line(&mut fields).unwrap_or_default();
    let (minor, digits, status) = split(first)?;
    list.push_pseudo(Name::Status, digits, store);
    let mut found = Found::default();
    let count = found.read(fields, Side::Response, limits.fields, list)?;
    head::check_bytes(head.bytes, count + 2)?;
    found.drop_named(list);
    let upgrade = upgrade(status, to, &found)?;
    let framing = framing(status, minor, to, &found)?;
    if status == 101 || status < 200 || status == 204 || (to.is_connect && status < 300) {
        list.retain_fields(store, |field| field.name != Name::ContentLength);
    }
    list.charge(store);
    let line = StatusLine {
        minor,
        status,
        framing,
        keeps_alive: found.keeps_alive(minor) && framing != Framing::UntilClose,
        upgrade: upgrade.map(|(upgrade, _)| upgrade),
        protocol: upgrade.map_or(Span::default(), |(_, protocol)| Span::within(input, protocol)),
    };
    Ok(Some((head.consumed, line)))
}

/// Minor version and status of a status line. The space before an empty reason may be missing: many servers leave it
/// out, and nothing else can be meant.
fn split(line: &[u8]) -> Result<(u8, &[u8], u16), HeadError> {
    let (version, rest) = line.split_at_checked(9).ok_or(HeadError::StatusLine)?;
    if version[8] != b' ' {
        return Err(HeadError::StatusLine);
    }
    let minor = minor_version(&version[..8])?;
    let (digits, reason) = rest.split_at_checked(3).ok_or(HeadError::StatusLine)?;
    match (digits, reason) {
        (&[a @ b'1'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9'], [] | [b' ', ..]) => {
            let status = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
            Ok((minor, digits, status))
        }
        _ => Err(HeadError::StatusLine),
    }
}

fn upgrade<'a>(
    status: u16,
    to: ResponseTo,
    found: &Found<'a>,
) -> Result<Option<(Upgrade, &'a [u8])>, HeadError> {
    if status != 101 {
        return Ok(None);
    }
    match (to.asked_upgrade, found.protocol()) {
        (Some(asked), Some((agreed, name))) if asked == agreed => Ok(Some((agreed, name))),
        _ => Err(HeadError::UnaskedUpgrade),
    }
}

/// Where the body ends (RFC 9112 §6.3).
fn framing(status: u16, minor: u8, to: ResponseTo, found: &Found<'_>) -> Result<Framing, HeadError> {
    let is_tunnel = status == 101 || (to.is_connect && (200..300).contains(&status));
    let said = found.framing(minor);
    if is_tunnel {
        return Ok(Framing::UntilClose);
    }
    let said = said?;
    // Neither has a body whatever it says, and some would read one (RFC 9112 §6.1, RFC 9110 §8.6).
    if status < 200 || status == 204 {
        return match said {
            None | Some(Framing::Length(0)) => Ok(Framing::None),
            _ => Err(HeadError::BodyNotAllowed),
        };
    }
    if to.is_head || status == 304 {
        return Ok(Framing::None);
    }
    Ok(said.unwrap_or(Framing::UntilClose))
}
