//! Why TLS ended a connection: a closed enum, the same in log, metric and explanation.

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

/// Why TLS ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsFailure {
    /// What came is no TLS.
    NotTls,
    /// No version, cipher suite, key exchange or protocol that both sides take.
    Incompatible,
    /// The listener asks for a client's certificate and got none.
    NoCertificate,
    /// The peer's certificate is by nobody who is believed.
    UnknownAuthority,
    /// The peer's certificate is somebody else's.
    WrongName,
    /// The peer's certificate does not hold yet, or any more.
    OutOfDate,
    /// The peer's certificate did not verify: its signature is wrong, or it is unfit for its use.
    BadCertificate,
    /// The peer refuses our certificate, or wants one that we do not have.
    CertificateRefused,
    /// The peer said with another alert that it ends.
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
    pub const ALL: [Self; 14] = [
        Self::NotTls,
        Self::Incompatible,
        Self::NoCertificate,
        Self::UnknownAuthority,
        Self::WrongName,
        Self::OutOfDate,
        Self::BadCertificate,
        Self::CertificateRefused,
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
            Self::UnknownAuthority => "tls_unknown_authority",
            Self::WrongName => "tls_wrong_name",
            Self::OutOfDate => "tls_out_of_date",
            Self::BadCertificate => "tls_bad_certificate",
            Self::CertificateRefused => "tls_certificate_refused",
            Self::PeerRefused => "tls_peer_refused",
            Self::BadRecord => "tls_bad_record",
            Self::PeerMisbehaved => "tls_peer_misbehaved",
            Self::HandshakeTooLarge => "tls_handshake_too_large",
            Self::Truncated => "tls_truncated",
            Self::Internal => "tls_internal",
        }
    }

    /// What the record of a session or an upstream says of it.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::NotTls => "what came is no TLS",
            Self::Incompatible => "there is no version, cipher suite or protocol that both sides take",
            Self::NoCertificate => "the peer showed no certificate",
            Self::UnknownAuthority => "the peer's certificate is by an unknown authority",
            Self::WrongName => "the peer's certificate is for another name",
            Self::OutOfDate => "the peer's certificate is not valid yet, or expired",
            Self::BadCertificate => "the peer's certificate is not valid",
            Self::CertificateRefused => "the peer refuses our certificate, or misses one",
            Self::PeerRefused => "the peer ended it by an alert",
            Self::BadRecord => "a record is too large, or was changed on its way",
            Self::PeerMisbehaved => "the peer broke the protocol of TLS",
            Self::HandshakeTooLarge => "a handshake message is too large",
            Self::Truncated => "the end came without a close_notify",
            Self::Internal => "no entropy, or a key that may not be used any longer",
        }
    }
}

impl From<&Error> for TlsFailure {
    fn from(error: &Error) -> Self {
        match error {
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NotTls,
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Self::Incompatible,
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::InvalidCertificate(error) => of_certificate(error),
            Error::InvalidCertRevocationList(_) => Self::BadCertificate,
            Error::AlertReceived(
                AlertDescription::BadCertificate
                | AlertDescription::NoCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateRequired
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied,
            ) => Self::CertificateRefused,
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

/// What was wrong with a certificate.
fn of_certificate(error: &CertificateError) -> TlsFailure {
    match error {
        CertificateError::UnknownIssuer => TlsFailure::UnknownAuthority,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFailure::WrongName
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => TlsFailure::OutOfDate,
        _ => TlsFailure::BadCertificate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_a_name_of_its_own() {
        let codes: std::collections::HashSet<_> = TlsFailure::ALL.iter().map(|f| f.code()).collect();
        assert_eq!(codes.len(), TlsFailure::ALL.len());
        let words: std::collections::HashSet<_> = TlsFailure::ALL.iter().map(|f| f.why()).collect();
        assert_eq!(words.len(), TlsFailure::ALL.len());
    }
}
