//! SETTINGS (RFC 9113 §6.5).

use super::code::ErrorCode;
use super::fault::{Fault, ReadError};
use super::{DEFAULT_MAX_FRAME_SIZE, DEFAULT_WINDOW, MAX_WINDOW};

const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;
/// RFC 8441 §3.
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

/// Settings of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Largest dynamic table.
    pub header_table_size: u32,
    /// Streams that the other side may have open.
    pub max_concurrent_streams: u32,
    /// Window that a stream begins with.
    pub initial_window_size: u32,
    /// Largest payload of a frame.
    pub max_frame_size: u32,
    /// Largest header list, as far as the side said.
    pub max_header_list_size: u32,
    /// Whether it takes extended CONNECT (RFC 8441 §3).
    pub enable_connect_protocol: bool,
}

impl Default for Settings {
    /// What holds before SETTINGS were seen.
    fn default() -> Self {
        Self {
            header_table_size: 4096,
            max_concurrent_streams: u32::MAX,
            initial_window_size: DEFAULT_WINDOW,
            max_frame_size: DEFAULT_MAX_FRAME_SIZE,
            max_header_list_size: u32::MAX,
            enable_connect_protocol: false,
        }
    }
}

/// What a SETTINGS frame changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// By how much every open stream's window moves.
    pub window_delta: i64,
    /// The smallest table size that was said, which comes before the last one (RFC 7541 §4.2); `None` if none was.
    pub smallest_table: Option<u32>,
}

impl Settings {
    /// Takes the pairs of a SETTINGS frame, in order.
    ///
    /// # Errors
    /// A value out of its range, with the code that RFC 9113 §6.5.2 gives it.
    pub fn apply(&mut self, payload: &[u8]) -> Result<SettingsChange, ReadError> {
        let before = self.initial_window_size;
        let mut change = SettingsChange::default();
        for pair in payload.chunks_exact(6) {
            let id = u16::from_be_bytes([pair[0], pair[1]]);
            let value = u32::from_be_bytes([pair[2], pair[3], pair[4], pair[5]]);
            match id {
                HEADER_TABLE_SIZE => {
                    self.header_table_size = value;
                    change.smallest_table =
                        Some(change.smallest_table.map_or(value, |least| least.min(value)));
                }
                ENABLE_PUSH if value > 1 => return Err(bad(ErrorCode::ProtocolError)),
                MAX_CONCURRENT_STREAMS => self.max_concurrent_streams = value,
                INITIAL_WINDOW_SIZE if value > MAX_WINDOW => return Err(bad(ErrorCode::FlowControlError)),
                INITIAL_WINDOW_SIZE => self.initial_window_size = value,
                MAX_FRAME_SIZE if !(DEFAULT_MAX_FRAME_SIZE..=0xff_ffff).contains(&value) => {
                    return Err(bad(ErrorCode::ProtocolError));
                }
                MAX_FRAME_SIZE => self.max_frame_size = value,
                MAX_HEADER_LIST_SIZE => self.max_header_list_size = value,
                // What was allowed once stays allowed.
                ENABLE_CONNECT_PROTOCOL if value > 1 || (value == 0 && self.enable_connect_protocol) => {
                    return Err(bad(ErrorCode::ProtocolError));
                }
                ENABLE_CONNECT_PROTOCOL => self.enable_connect_protocol = value == 1,
                _ => {}
            }
        }
        change.window_delta = i64::from(self.initial_window_size) - i64::from(before);
        Ok(change)
    }

    /// The pairs that differ from what holds without them, for a SETTINGS frame of ours; push is off.
    pub(super) fn pairs(&self, is_client: bool) -> impl Iterator<Item = (u16, u32)> {
        let default = Self::default();
        [
            (is_client, ENABLE_PUSH, 0),
            (self.header_table_size != default.header_table_size, HEADER_TABLE_SIZE, self.header_table_size),
            (
                self.max_concurrent_streams != default.max_concurrent_streams,
                MAX_CONCURRENT_STREAMS,
                self.max_concurrent_streams,
            ),
            (
                self.initial_window_size != default.initial_window_size,
                INITIAL_WINDOW_SIZE,
                self.initial_window_size,
            ),
            (
                self.max_header_list_size != default.max_header_list_size,
                MAX_HEADER_LIST_SIZE,
                self.max_header_list_size,
            ),
            (self.enable_connect_protocol, ENABLE_CONNECT_PROTOCOL, 1),
        ]
        .into_iter()
        .filter_map(|(is_said, id, value)| is_said.then_some((id, value)))
    }
}

fn bad(code: ErrorCode) -> ReadError {
    ReadError { code, fault: Fault::SettingsValue }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(settings: &mut Settings, value: u32) -> Option<ErrorCode> {
        let pair = [&ENABLE_CONNECT_PROTOCOL.to_be_bytes()[..], &value.to_be_bytes()].concat();
        settings.apply(&pair).err().map(|error| error.code)
    }

    #[test]
    fn extended_connect_is_allowed_by_one_and_not_taken_back() {
        let mut settings = Settings::default();
        assert_eq!((apply(&mut settings, 0), settings.enable_connect_protocol), (None, false));
        assert_eq!(apply(&mut settings, 2), Some(ErrorCode::ProtocolError));
        assert_eq!((apply(&mut settings, 1), settings.enable_connect_protocol), (None, true));
        assert_eq!(apply(&mut settings, 0), Some(ErrorCode::ProtocolError));
        let said: Vec<_> = settings.pairs(false).collect();
        assert_eq!(said, [(ENABLE_CONNECT_PROTOCOL, 1)]);
        assert_eq!(Settings::default().pairs(false).count(), 0);
    }
}
