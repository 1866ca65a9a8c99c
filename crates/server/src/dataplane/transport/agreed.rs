//! What a handshake ended with, as the session is told.

use evenkeel_core::session::TlsVersion;

/// The protocol that both sides chose (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// `h2`.
    H2,
    /// `http/1.1`.
    H1,
}

impl Alpn {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static [u8] {
        match self {
            Self::H2 => b"h2",
            Self::H1 => b"http/1.1",
        }
    }

    /// The protocol of a name; `None` for one that is neither.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        [Self::H2, Self::H1].into_iter().find(|alpn| alpn.name() == name)
    }
}

/// What a handshake ended with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// The version.
    pub version: Option<TlsVersion>,
    /// The protocol, if the peers chose one.
    pub alpn: Option<Alpn>,
    /// The name that the client asked for (SNI, RFC 6066 §3), in lower case; always absent on connections to endpoints.
    pub server_name: Option<Box<str>>,
    /// Who the client is, by a certificate that was verified.
    pub client_identity: Option<Box<str>>,
}
