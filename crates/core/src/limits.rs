//! Every bound of a worker's engine, with its default: plain values, filled in by `config`, obeyed by the engine.

use crate::indexed_headers::IndexedHeaders;

/// Bounds of one worker. Each refusal is counted under its name and ends in a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Decoded bytes of one header list: names, values, and 32 a field (RFC 9113 §6.5.2).
    pub header_list_bytes: usize,
    /// Encoded bytes of one header block over all its frames.
    pub header_block_bytes: usize,
    /// Frames of one header block.
    pub header_block_frames: u32,
    /// Streams that a client may have open on one connection.
    pub concurrent_streams: u32,
    /// Exchanges open at once on the worker.
    pub exchanges: usize,
    /// Window of each stream, both ways.
    pub stream_window: u32,
    /// Window of each connection; given back as soon as bytes arrive, never withheld.
    pub connection_window: u32,
    /// Bytes of a request's body that are kept to send them again.
    pub replay_bytes: usize,
    /// Bytes that wait in a connection's output above which its streams are held back.
    pub output_high: usize,
    /// Bytes below which they go on.
    pub output_low: usize,
    /// Bytes of headers and control frames that may wait in an output on top of that.
    pub control_output: usize,
    /// Bytes that wait for receivers on the whole worker.
    pub buffered_bytes: usize,
    /// Bytes that the worker's dynamic tables may own.
    pub interned_bytes: usize,
    /// Headers that may enter a table that clients share.
    pub indexed_headers: IndexedHeaders,
    /// Resets in a burst, and a second.
    pub resets: Rate,
    /// Score of control frames and empty frames in a burst, and a second.
    pub control_frames: Rate,
}

/// A leaky bucket's size and outflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// Each second.
    pub per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_list_bytes: 64 * 1024,
            header_block_bytes: 64 * 1024,
            header_block_frames: 32,
            concurrent_streams: 1_000,
            exchanges: 100_000,
            stream_window: 65_535,
            connection_window: 1 << 20,
            replay_bytes: 64 * 1024,
            output_high: 128 * 1024,
            output_low: 64 * 1024,
            control_output: 1 << 20,
            buffered_bytes: 256 << 20,
            interned_bytes: 64 << 20,
            indexed_headers: IndexedHeaders::default(),
            resets: Rate { burst: 2_000, per_second: 500 },
            control_frames: Rate { burst: 2_000, per_second: 500 },
        }
    }
}
