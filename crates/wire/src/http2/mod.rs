//! HTTP/2 frames (RFC 9113 §4, §6), both ways.

mod code;
mod encode;
mod fault;
mod frame;
mod reader;
mod settings;
mod upgrade;

pub use code::ErrorCode;
pub use encode::{
    put_data_header, put_goaway, put_headers, put_ping, put_rst_stream, put_settings, put_settings_ack,
    put_window_update,
};
pub use fault::{Fault, ReadError};
pub use frame::{DEFAULT_MAX_FRAME_SIZE, FRAME_HEADER_LEN, Frame, Kind};
pub use reader::FrameReader;
pub use settings::{Settings, SettingsChange};
pub use upgrade::upgrade_settings;

/// Window of a connection and of each stream before anybody says otherwise (RFC 9113 §6.9.2).
pub const DEFAULT_WINDOW: u32 = 65_535;
/// Largest window there may be (RFC 9113 §6.9.1).
pub const MAX_WINDOW: u32 = 0x7fff_ffff;
/// Largest stream id there may be (RFC 9113 §5.1.1).
pub const MAX_STREAM_ID: u32 = 0x7fff_ffff;
