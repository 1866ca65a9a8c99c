//! What says where a body ends (RFC 9112 §6.3), and which protocol a connection may change to (RFC 9110 §7.8).

use super::response::ResponseTo;

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// After so many bytes.
    Length(u64),
    /// At the last chunk and its trailers.
    Chunked,
    /// At the end of the connection: responses only.
    UntilClose,
}

impl Framing {
    /// How a response's body ends towards a client: `minor` is the client's version, and `is_over` says that no body
    /// follows the head. A tunnel has no framing.
    #[must_use]
    pub fn of_answer(
        status: u16,
        to: ResponseTo,
        minor: u8,
        content_length: Option<u64>,
        is_over: bool,
    ) -> Self {
        let is_tunnel = to.is_connect && (200..300).contains(&status);
        if status < 200 || matches!(status, 204 | 304) || to.is_head || is_tunnel {
            return Self::None;
        }
        match content_length {
            Some(length) => Self::Length(length),
            None if is_over => Self::Length(0),
            None if minor == 0 => Self::UntilClose,
            None => Self::Chunked,
        }
    }

    /// How a request's body ends towards an endpoint: `is_over` says that no body follows the head.
    #[must_use]
    pub fn of_call(content_length: Option<u64>, is_over: bool) -> Self {
        match content_length {
            Some(length) => Self::Length(length),
            None if is_over => Self::None,
            None => Self::Chunked,
        }
    }
}

/// A protocol to change to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// RFC 6455.
    WebSocket,
    /// HTTP/2 in cleartext (RFC 7540 §3.2).
    H2c,
    /// Any other one.
    Other,
}

impl Upgrade {
    /// The protocol of this name.
    pub(super) fn of(protocol: &[u8]) -> Self {
        match protocol {
            p if p.eq_ignore_ascii_case(b"websocket") => Self::WebSocket,
            p if p.eq_ignore_ascii_case(b"h2c") => Self::H2c,
            _ => Self::Other,
        }
    }
}
