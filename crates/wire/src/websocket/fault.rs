//! What can be wrong with a frame, and the close code that its sender is told.

/// What was wrong with the header of a frame (RFC 6455 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// An opcode that no specification gives a meaning.
    #[error("a reserved opcode")]
    ReservedOpcode,
    /// A control frame without FIN (§5.4).
    #[error("a control frame in fragments")]
    ControlFragmented,
    /// A control frame of more than 125 octets (§5.5).
    #[error("a control frame of more than 125 octets")]
    ControlTooLong,
    /// A close frame of one octet, which is half a code (§5.5.1).
    #[error("a close frame with half a code")]
    CloseCodeCut,
    /// A length in more octets than it needs (§5.2).
    #[error("a length in more octets than it needs")]
    LengthNotMinimal,
    /// A length with its highest bit set (§5.2).
    #[error("a length of more than 63 bits")]
    LengthTooLarge,
    /// A client that does not mask (§5.1).
    #[error("a frame of a client without a mask")]
    NotMasked,
    /// A server that masks (§5.1).
    #[error("a frame of a server with a mask")]
    Masked,
    /// A continuation where no message is open (§5.4).
    #[error("a continuation of no message")]
    NothingToContinue,
    /// A new message before the last one ended (§5.4).
    #[error("a message inside another one")]
    MessageInterrupted,
}

impl Fault {
    /// The close code for whoever sent the frame: 1002, a protocol error (§7.4.1), for each of them.
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::ReservedOpcode
            | Self::ControlFragmented
            | Self::ControlTooLong
            | Self::CloseCodeCut
            | Self::LengthNotMinimal
            | Self::LengthTooLarge
            | Self::NotMasked
            | Self::Masked
            | Self::NothingToContinue
            | Self::MessageInterrupted => 1002,
        }
    }
}
