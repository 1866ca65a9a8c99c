//! Error codes (RFC 9113 §7).

/// Why a stream or a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ErrorCode {
    /// No error.
    NoError = 0,
    /// The peer broke the protocol.
    ProtocolError = 1,
    /// A fault of our own.
    InternalError = 2,
    /// A window was overrun.
    FlowControlError = 3,
    /// SETTINGS were not acknowledged.
    SettingsTimeout = 4,
    /// A frame for a stream that had ended.
    StreamClosed = 5,
    /// A frame of a wrong size.
    FrameSizeError = 6,
    /// Not processed at all: safe to send again.
    RefusedStream = 7,
    /// Not wanted any more.
    Cancel = 8,
    /// The peer's table cannot be followed.
    CompressionError = 9,
    /// A CONNECT's connection failed.
    ConnectError = 10,
    /// The peer asks too much.
    EnhanceYourCalm = 11,
    /// TLS too weak.
    InadequateSecurity = 12,
    /// HTTP/1.1 is asked for.
    Http11Required = 13,
}

impl ErrorCode {
    /// The code of a number; an unknown one counts as INTERNAL_ERROR (RFC 9113 §7).
    #[must_use]
    pub const fn from_wire(code: u32) -> Self {
        match code {
            0 => Self::NoError,
            1 => Self::ProtocolError,
            3 => Self::FlowControlError,
            4 => Self::SettingsTimeout,
            5 => Self::StreamClosed,
            6 => Self::FrameSizeError,
            7 => Self::RefusedStream,
            8 => Self::Cancel,
            9 => Self::CompressionError,
            10 => Self::ConnectError,
            11 => Self::EnhanceYourCalm,
            12 => Self::InadequateSecurity,
            13 => Self::Http11Required,
            _ => Self::InternalError,
        }
    }
}
