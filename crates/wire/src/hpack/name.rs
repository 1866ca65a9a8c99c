//! Names that the rules know. The rest are `Other` and only travel.

/// No known name is as long.
pub(super) const LONGEST_KNOWN: usize = 32;

macro_rules! names {
    ($($variant:ident = $text:literal),* $(,)?) => {
        /// A header name that a rule or a route speaks of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Name {
            $(#[doc = $text] $variant,)*
            /// Any other name.
            Other,
        }

        impl Name {
            /// The name of these bytes; names are compared with case, as HTTP/2 has them lower.
            #[must_use]
            pub fn of(bytes: &[u8]) -> Self {
                const KNOWN: &[(&[u8], Name)] = &[$(($text.as_bytes(), Name::$variant)),*];
                const RANGES: [(u8, u8); LONGEST_KNOWN] = by_length();
                /// For each length, where it begins in `SORTED` and how many there are.
                const fn by_length() -> [(u8, u8); LONGEST_KNOWN] {
                    let mut out = [(0, 0); LONGEST_KNOWN];
                    let mut i = 0;
                    while i < SORTED.len() {
                        let length = SORTED[i].0.len();
                        if out[length].1 == 0 {
                            out[length].0 = i as u8;
                        }
                        out[length].1 += 1;
                        i += 1;
                    }
                    out
                }
                const SORTED: [(&[u8], Name); KNOWN.len()] = {
                    let mut out = [KNOWN[0]; KNOWN.len()];
                    let (mut length, mut place) = (0, 0);
                    while length < LONGEST_KNOWN {
                        let mut i = 0;
                        while i < KNOWN.len() {
                            if KNOWN[i].0.len() == length {
                                out[place] = KNOWN[i];
                                place += 1;
                            }
                            i += 1;
                        }
                        length += 1;
                    }
                    out
                };
                let Some(&(from, count)) = RANGES.get(bytes.len()) else { return Self::Other };
                SORTED[usize::from(from)..usize::from(from) + usize::from(count)]
                    .iter()
                    .find(|(known, _)| known[0] == bytes[0] && *known == bytes)
                    .map_or(Self::Other, |&(_, name)| name)
            }

            /// Its text; empty for `Other`.
            #[must_use]
            pub const fn text(self) -> &'static str {
                const TEXTS: &[&str] = &[$($text,)* ""];
                TEXTS[self as usize]
            }
        }
    };
}

names! {
    Authority = ":authority", Method = ":method", Path = ":path", Scheme = ":scheme", Status = ":status",
    Protocol = ":protocol",
    Accept = "accept", AcceptEncoding = "accept-encoding", AcceptLanguage = "accept-language",
    Authorization = "authorization", CacheControl = "cache-control", Connection = "connection",
    ContentEncoding = "content-encoding", ContentLength = "content-length", ContentType = "content-type",
    Cookie = "cookie", Date = "date", Expect = "expect", GrpcAcceptEncoding = "grpc-accept-encoding",
    GrpcEncoding = "grpc-encoding", GrpcMessage = "grpc-message", GrpcStatus = "grpc-status",
    GrpcTimeout = "grpc-timeout", Host = "host", KeepAlive = "keep-alive", ProxyAuthorization = "proxy-authorization",
    ProxyConnection = "proxy-connection", Server = "server", SetCookie = "set-cookie", Te = "te",
    TransferEncoding = "transfer-encoding", Upgrade = "upgrade", UserAgent = "user-agent",
    XForwardedFor = "x-forwarded-for", XForwardedHost = "x-forwarded-host", XForwardedProto = "x-forwarded-proto",
    XRequestId = "x-request-id", Http2Settings = "http2-settings",
}

impl Name {
    /// `:…`, which only a request's or response's own fields may be.
    #[must_use]
    pub const fn is_pseudo(self) -> bool {
        matches!(
            self,
            Self::Authority | Self::Method | Self::Path | Self::Scheme | Self::Status | Self::Protocol
        )
    }

    /// Belongs to an HTTP/1 connection, and makes an HTTP/2 message malformed (RFC 9113 §8.2.2). `te` is apart.
    #[must_use]
    pub const fn is_connection_specific(self) -> bool {
        matches!(
            self,
            Self::Connection
                | Self::KeepAlive
                | Self::ProxyConnection
                | Self::TransferEncoding
                | Self::Upgrade
        )
    }

    /// Carries a secret: never put into a table that clients share, a log, a metric or a dump.
    #[must_use]
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Authorization | Self::Cookie | Self::SetCookie | Self::ProxyAuthorization)
    }
}

/// A set of known names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameSet(u64);

impl NameSet {
    /// Exactly these.
    #[must_use]
    pub const fn of(names: &[Name]) -> Self {
        let (mut bits, mut i) = (0u64, 0);
        while i < names.len() {
            bits |= 1 << names[i] as u8;
            i += 1;
        }
        Self(bits)
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, name: Name) -> Self {
        Self(self.0 | 1 << name as u8)
    }

    /// Whether it holds the name.
    #[must_use]
    pub const fn has(self, name: Name) -> bool {
        self.0 & (1 << name as u8) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_name_is_found_and_a_near_one_is_not() {
        assert_eq!(Name::of(b":path"), Name::Path);
        assert_eq!(Name::of(b"content-type"), Name::ContentType);
        assert_eq!(Name::of(b"Content-Type"), Name::Other);
        assert_eq!(Name::of(b"content-typ"), Name::Other);
        assert_eq!(Name::of(b""), Name::Other);
        assert_eq!(Name::of(&[b'x'; 100]), Name::Other);
        for name in [Name::Te, Name::Authority, Name::UserAgent, Name::ProxyAuthorization] {
            assert_eq!(Name::of(name.text().as_bytes()), name);
        }
    }
}
