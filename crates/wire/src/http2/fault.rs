//! What can be wrong with a frame, and what the peer is told.

use super::code::ErrorCode;

/// What was wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// Larger than we allow, or of a size that its type does not have.
    #[error("a frame of a wrong size")]
    Size,
    /// On stream 0 where it needs a stream, or the other way round.
    #[error("a frame on a stream where its type may not be")]
    Stream,
    /// Padding as long as the payload or longer.
    #[error("padding longer than the payload")]
    Padding,
    /// Another frame inside a header block, or CONTINUATION outside of one.
    #[error("a header block that another frame interrupts")]
    Interleaved,
    /// More frames than a header block may have.
    #[error("a header block of too many frames")]
    BlockFrames,
    /// More bytes than a header block may have.
    #[error("a header block of too many bytes")]
    BlockBytes,
    /// PUSH_PROMISE, which we have switched off or which a client may not send.
    #[error("a push that was not allowed")]
    Push,
    /// A setting out of its range.
    #[error("a setting out of its range")]
    SettingsValue,
    /// WINDOW_UPDATE of 0.
    #[error("a window update of nothing")]
    ZeroIncrement,
    /// A stream that depends on itself.
    #[error("a stream that depends on itself")]
    SelfDependency,
}

/// A fault that ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct ReadError {
    /// What the peer is told.
    pub code: ErrorCode,
    /// What was wrong.
    pub fault: Fault,
}

impl ReadError {
    pub(super) const fn size() -> Self {
        Self { code: ErrorCode::FrameSizeError, fault: Fault::Size }
    }

    pub(super) const fn protocol(fault: Fault) -> Self {
        Self { code: ErrorCode::ProtocolError, fault }
    }
}
