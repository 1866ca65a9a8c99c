//! What a TLS handshake ended with, as far as sessions need it. Who made the handshake, and how, is the data plane's.

use evenkeel_core::session::TlsVersion;

/// The protocol that both sides chose (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// `http/1.1`.
    H1,
    /// `h2`.
    H2,
}

impl Alpn {
    /// Its name (IANA registry).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::H1 => "http/1.1",
            Self::H2 => "h2",
        }
    }
}

/// What a handshake ended with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secured {
    /// The version, for records.
    pub version: Option<TlsVersion>,
    /// The protocol, if the peers chose one.
    pub alpn: Option<Alpn>,
    /// The name that a client asked for (SNI, RFC 6066 §3), in lower case.
    pub server_name: Option<Box<str>>,
    /// Who a client is, by a certificate that was verified: printable ASCII.
    pub client_identity: Option<Box<str>>,
}
