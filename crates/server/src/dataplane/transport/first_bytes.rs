//! Listeners that take both: the client's first bytes say whether it speaks TLS.

use rustls::ServerConfig;
use std::sync::Arc;

/// The content type of a handshake record (RFC 8446 §5.1), which each TLS client sends first; and the first byte of
/// its version.
const HANDSHAKE: [u8; 2] = [0x16, 0x03];

/// What a client turned out to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dataplane) enum Spoken {
    /// It cannot be said yet: one byte, and it is the first of a handshake record.
    Unknown,
    /// TLS.
    Tls,
    /// Anything else.
    Clear,
}

impl Spoken {
    /// From all bytes that came so far.
    pub(in crate::dataplane) fn by(first: &[u8]) -> Self {
        match first {
            [] => Self::Unknown,
            [a] if *a == HANDSHAKE[0] => Self::Unknown,
            [a, b, ..] if [*a, *b] == HANDSHAKE => Self::Tls,
            _ => Self::Clear,
        }
    }
}

/// A connection of which nothing, or one byte, is known.
#[derive(Debug)]
pub(in crate::dataplane) struct FirstBytes {
    /// What it speaks if it is TLS.
    pub(in crate::dataplane) config: Arc<ServerConfig>,
    /// The first byte of a handshake record has come.
    pub(in crate::dataplane) has_first: bool,
}

impl FirstBytes {
    /// Bytes that wait here, which go before those that are read next: none, or the one.
    pub(in crate::dataplane) fn waiting(&self) -> &'static [u8] {
        if self.has_first { &HANDSHAKE[..1] } else { &[] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_bytes_tell_tls_from_everything_else() {
        for (first, spoken) in [
            (&b""[..], Spoken::Unknown),
            (b"\x16", Spoken::Unknown),
            (b"\x16\x03", Spoken::Tls),
            (b"\x16\x03\x01\x02", Spoken::Tls),
            (b"\x16\x02", Spoken::Clear),
            (b"G", Spoken::Clear),
            (b"PRI * HTTP/2.0", Spoken::Clear),
            (b"SSH-2.0-", Spoken::Clear),
        ] {
            assert_eq!(Spoken::by(first), spoken, "{first:?}");
        }
    }
}
