//! Frames as the reader gives them.

use super::code::ErrorCode;
use super::fault::Fault;

/// Length of a frame's header (RFC 9113 §4.1).
pub const FRAME_HEADER_LEN: usize = 9;
/// Largest payload before SETTINGS say otherwise, and the largest that we let peers send (RFC 9113 §6.5.2).
pub const DEFAULT_MAX_FRAME_SIZE: u32 = 16_384;

/// Type of a frame (RFC 9113 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the RFC's own names")]
pub enum Kind {
    Data = 0,
    Headers = 1,
    Priority = 2,
    RstStream = 3,
    Settings = 4,
    PushPromise = 5,
    Ping = 6,
    GoAway = 7,
    WindowUpdate = 8,
    Continuation = 9,
}

impl Kind {
    pub(super) const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Data,
            1 => Self::Headers,
            2 => Self::Priority,
            3 => Self::RstStream,
            4 => Self::Settings,
            5 => Self::PushPromise,
            6 => Self::Ping,
            7 => Self::GoAway,
            8 => Self::WindowUpdate,
            9 => Self::Continuation,
            _ => return None,
        })
    }
}

pub(super) mod flags {
    //! Flags (RFC 9113 §6).
    pub(in super::super) const END_STREAM: u8 = 0x1;
    pub(in super::super) const ACK: u8 = 0x1;
    pub(in super::super) const END_HEADERS: u8 = 0x4;
    pub(in super::super) const PADDED: u8 = 0x8;
    pub(in super::super) const PRIORITY: u8 = 0x20;
}

/// What the reader found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Part of a DATA frame, as much as came at once.
    Data {
        /// Its stream.
        stream: u32,
        /// The bytes.
        payload: &'a [u8],
        /// What it takes from the windows: the payload, and with the first part all padding.
        flow_bytes: u32,
        /// Whether the stream ends with this part.
        is_end: bool,
        /// Whether the whole frame carries no payload.
        is_empty_frame: bool,
        /// The whole frame's payload, said with its last part.
        frame_payload: Option<u32>,
    },
    /// A whole header block.
    Headers {
        /// Its stream.
        stream: u32,
        /// The block, joined over its frames.
        block: &'a [u8],
        /// Whether the stream ends with it.
        is_end: bool,
    },
    /// A header block that goes on in the next frame.
    HeadersPart,
    /// PRIORITY, which is obsolete (RFC 9113 §5.3.2).
    Priority,
    /// RST_STREAM.
    RstStream {
        /// Its stream.
        stream: u32,
        /// Why.
        code: ErrorCode,
    },
    /// SETTINGS, without ACK: pairs of six octets.
    Settings(&'a [u8]),
    /// SETTINGS with ACK.
    SettingsAck,
    /// PING.
    Ping {
        /// Whether it answers one of ours.
        is_ack: bool,
        /// Its octets.
        data: [u8; 8],
    },
    /// GOAWAY.
    GoAway {
        /// The last stream that was or may be processed.
        last_stream: u32,
        /// Why.
        code: ErrorCode,
    },
    /// WINDOW_UPDATE.
    WindowUpdate {
        /// Its stream; 0 is the connection.
        stream: u32,
        /// At least 1.
        increment: u32,
    },
    /// A frame of an unknown type, which is left out (RFC 9113 §5.5).
    Unknown,
    /// A frame that breaks the rules of its stream only.
    StreamFault {
        /// Its stream.
        stream: u32,
        /// What was wrong.
        fault: Fault,
    },
}
