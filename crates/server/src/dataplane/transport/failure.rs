//! Why TLS ended a connection: a closed enum, the same in log, metric and explanation.

use rustls::{Error, InvalidMessage};

/// Why TLS ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsFailure {
    /// What came is no TLS.
    NotTls,
    /// No version, cipher suite, key exchange or protocol that both sides take.
    Incompatible,
    /// The listener asks for a client's certificate and got none.
    NoCertificate,
    /// The peer's certificate did not verify: unknown authority, wrong name, out of date or unfit for its use.
    BadCertificate,
    /// The peer said with an alert that it ends.
    PeerRefused,
    /// A record that was changed on its way, or is larger than TLS allows.
    BadRecord,
    /// The peer broke the protocol.
    PeerMisbehaved,
    /// A handshake message larger than is kept for one.
    HandshakeTooLarge,
    /// The peer's end came without its `close_notify` (RFC 8446 §6.1): the last bytes may be missing.
    Truncated,
    /// Something of ours: no entropy, or a key that may not be used any longer.
    Internal,
}

impl TlsFailure {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::NotTls,
        Self::Incompatible,
        Self::NoCertificate,
        Self::BadCertificate,
        Self::PeerRefused,
        Self::BadRecord,
        Self::PeerMisbehaved,
        Self::HandshakeTooLarge,
        Self::Truncated,
        Self::Internal,
    ];

    /// Its stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotTls => "tls_not_spoken",
            Self::Incompatible => "tls_incompatible",
            Self::NoCertificate => "tls_no_certificate",
            Self::BadCertificate => "tls_bad_certificate",
            Self::PeerRefused => "tls_peer_refused",
            Self::BadRecord => "tls_bad_record",
            Self::PeerMisbehaved => "tls_peer_misbehaved",
            Self::HandshakeTooLarge => "tls_handshake_too_large",
            Self::Truncated => "tls_truncated",
            Self::Internal => "tls_internal",
        }
    }
}

impl From<&Error> for TlsFailure {
    fn from(error: &Error) -> Self {
        match error {
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NotTls,
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Self::Incompatible,
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::InvalidCertificate(_) | Error::InvalidCertRevocationList(_) => Self::BadCertificate,
            Error::AlertReceived(_) => Self::PeerRefused,
            Error::DecryptError
            | Error::PeerSentOversizedRecord
            | Error::InvalidMessage(InvalidMessage::MessageTooLarge) => Self::BadRecord,
            Error::InvalidMessage(_)
            | Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::PeerMisbehaved(_) => Self::PeerMisbehaved,
            _ => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_a_name_of_its_own() {
        let codes: std::collections::HashSet<_> = TlsFailure::ALL.iter().map(|f| f.code()).collect();
        assert_eq!(codes.len(), TlsFailure::ALL.len());
    }
}
