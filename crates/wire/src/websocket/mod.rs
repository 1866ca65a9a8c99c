//! WebSocket (RFC 6455) as a relay sees it: where frames and messages end, and the values of the handshake.
//!
//! Payload and masking are never touched. What extensions do with them is the peers' business. Knows nothing of HTTP
//! messages: the engine carries header values here, and bodies by [`FrameTracker`].

mod encode;
mod extensions;
mod fault;
pub mod handshake;
mod tracker;

pub use encode::{LONGEST_REASON, put_close, put_ping};
pub use extensions::{Agreed, agreed};
pub use fault::Fault;
pub use tracker::{Event, FrameTracker, MessageKind, Sender};

/// Most payload of a control frame (RFC 6455 §5.5).
pub const LONGEST_CONTROL: usize = 125;
