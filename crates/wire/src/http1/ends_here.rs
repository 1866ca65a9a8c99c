//! Fields that a writer does not take from a list, and a reader of trailers does not put into one.
//!
//! In a head they are the connection's (RFC 9110 §7.6.1) or the framing's; in trailers they mean nothing there (RFC 9110
//! §6.5.1).

use crate::hpack::{Name, NameSet};

/// Fields that end at this hop, in one kind of message part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndsHere {
    known: NameSet,
    others: &'static [&'static [u8]],
}

/// Of the connection, of the framing, and pseudo-headers.
const OF_HEADS: NameSet = NameSet::of(&[
    Name::Authority,
    Name::Method,
    Name::Path,
    Name::Protocol,
    Name::Scheme,
    Name::Status,
    Name::Connection,
    Name::ContentLength,
    Name::Http2Settings,
    Name::KeepAlive,
    Name::ProxyConnection,
    Name::TransferEncoding,
    Name::Upgrade,
]);

impl EndsHere {
    /// Of a request's head; the host is written before the others.
    pub(super) const REQUEST: Self = Self { known: OF_HEADS.with(Name::Host), others: &[] };
    /// Of a response's head.
    pub(super) const RESPONSE: Self = Self { known: OF_HEADS.with(Name::Te), others: &[] };
    /// Of trailers: routing, authentication, request modifiers and how content is read, too.
    pub(super) const TRAILERS: Self = Self {
        known: OF_HEADS
            .with(Name::Authorization)
            .with(Name::CacheControl)
            .with(Name::ContentEncoding)
            .with(Name::ContentType)
            .with(Name::Cookie)
            .with(Name::Expect)
            .with(Name::Host)
            .with(Name::ProxyAuthorization)
            .with(Name::SetCookie)
            .with(Name::Te)
            .with(Name::XForwardedFor)
            .with(Name::XForwardedHost)
            .with(Name::XForwardedProto),
        others: &[
            b"content-range",
            b"forwarded",
            b"max-forwards",
            b"proxy-authenticate",
            b"range",
            b"trailer",
            b"vary",
            b"www-authenticate",
            b"x-forwarded-client-cert",
        ],
    };

    /// Whether a known name ends here.
    pub(super) fn has(self, name: Name) -> bool {
        self.known.has(name)
    }

    /// Whether a name that the rules do not know ends here.
    pub(super) fn has_other(self, name: &[u8]) -> bool {
        self.others.contains(&name)
    }
}
