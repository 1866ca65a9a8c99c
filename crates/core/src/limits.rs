//! Every bound of a worker's engine, with its default: plain values, filled in by `config`, obeyed by the engine.

use std::time::Duration;

/// Bounds of one worker. Each refusal is counted under its name and ends in a reason.
///
/// What a hostile peer can hold at most, with the defaults:
///
/// - A connection at rest: about 1 KiB, and up to 20 KiB of header fields in its two tables (4 KiB as RFC 7541 counts
///   them, which may be 10 KiB of memory each).
/// - A connection whose peer does not read, or does not end what it began: an output of 1.2 MiB (2 MiB of memory), a
///   frame of 16 KiB or a header block of 64 KiB, a window (64 KiB, grown to at most 1 MiB) of waiting body for each of
///   its 1,000 streams, and a header list of 64 KiB (400 KiB of memory in the worst case) for each request that is not
///   answered.
/// - A worker, whatever its connections do: `buffered_bytes` (256 MiB) of outputs, waiting bodies, unfinished frames and
///   bodies kept to be sent again, plus what one turn brings (1 MiB); `interned_bytes` (64 MiB) of header fields and lists. Over either,
///   who holds most is ended first. `granted_credit` (64 MiB) bounds what more may be under way to it than the first
///   windows allow; `exchanges` (100,000) bounds the first windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Decoded bytes of one header list: names, values, and 32 a field (RFC 9113 §6.5.2).
    pub header_list_bytes: usize,
    /// Headers that may enter an HPACK table that clients share.
    pub indexed_headers: crate::indexed_headers::IndexedHeaders,
    /// Fields of one header list.
    pub header_fields: u32,
    /// Bytes of an HTTP/1 request line or status line (RFC 9112 §3).
    pub request_line_bytes: usize,
    /// Bytes of extensions and padding in the chunk lines of one HTTP/1 body (RFC 9112 §7.1.1); they are read and left out.
    pub chunk_extension_bytes: usize,
    /// Encoded bytes of one header block over all its frames.
    pub header_block_bytes: usize,
    /// Frames of one header block.
    pub header_block_frames: u32,
    /// Streams that a client may have open on one connection; those that it cancelled count until their endpoint can
    /// have seen it.
    pub concurrent_streams: u32,
    /// Exchanges open at once on the worker.
    pub exchanges: usize,
    /// Window that each stream begins with, both ways.
    pub stream_window: u32,
    /// Window to which that of a stream in bulk grows.
    pub most_stream_window: u32,
    /// Window that each connection begins with; given back as soon as bytes arrive, never withheld.
    pub connection_window: u32,
    /// Window to which that of a connection in bulk grows. It is no promise of memory: the streams' windows are.
    pub most_connection_window: u32,
    /// Bytes that all streams' windows together may have grown beyond their first.
    pub granted_credit: usize,
    /// Bytes of a request's body that are kept to send them again.
    pub replay_bytes: usize,
    /// Bytes that wait in a connection's output above which its streams are held back.
    pub output_high: usize,
    /// Bytes below which they go on.
    pub output_low: usize,
    /// Bytes of headers and control frames that may wait in an output on top of that.
    pub control_output: usize,
    /// Bytes that a tunnel's direction may hold beyond one read.
    pub tunnel_bytes: usize,
    /// Pipes that carry tunnels in bulk inside the kernel (splice); a tunnel that finds none free is copied.
    pub pipes: u32,
    /// TLS handshakes that one turn works on, so that those with a session are not kept waiting; the others go on next turn.
    pub handshakes_per_turn: u32,
    /// Memory of all that waits for receivers on the whole worker: outputs, waiting bodies, bodies kept to send them
    /// again, unfinished frames. Over it the largest slow ones are ended.
    pub buffered_bytes: usize,
    /// Memory of the worker's header fields: those of the dynamic tables, and lists that are kept. Over half of it new
    /// connections get no table; when it is nearly full the connections that own most are ended.
    pub interned_bytes: usize,
    /// Resets in a burst, and a second.
    pub resets: Rate,
    /// Score of control frames and empty frames in a burst, and a second.
    pub control_frames: Rate,
    /// Resets sent on an upstream in a burst, and a second. Servers end connections that bring more, and clients share
    /// upstreams; a cancelled call beyond it is left to end by itself, unheard. Node's server takes 1,000 and 33.
    pub upstream_resets: Rate,
    /// Resets of calls that had just begun which an endpoint may not have seen; servers on Rust's `h2` take 20.
    pub early_resets: u32,
    /// Interim answers (1xx) to one request; an endpoint that sends more has broken the protocol's sense, if not its word.
    pub interim_answers: u32,
    /// How long a stream that we reset counts at its endpoint if the endpoint cannot be asked, or does not say, whether
    /// it has seen it.
    pub reset_linger: Duration,
    /// How long a peer may take to acknowledge our SETTINGS (RFC 9113 §6.5.3).
    pub settings_ack: Duration,
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
            indexed_headers: crate::indexed_headers::IndexedHeaders::default(),
            header_fields: 128,
            request_line_bytes: 16 * 1024,
            chunk_extension_bytes: 4 * 1024,
            header_block_bytes: 64 * 1024,
            header_block_frames: 32,
            concurrent_streams: 1_000,
            exchanges: 100_000,
            stream_window: 65_535,
            most_stream_window: 1 << 20,
            connection_window: 1 << 20,
            most_connection_window: 8 << 20,
            granted_credit: 64 << 20,
            replay_bytes: 64 * 1024,
            output_high: 128 * 1024,
            output_low: 64 * 1024,
            control_output: 1 << 20,
            tunnel_bytes: 64 * 1024,
            pipes: 64,
            handshakes_per_turn: 16,
            buffered_bytes: 256 << 20,
            interned_bytes: 64 << 20,
            resets: Rate { burst: 2_000, per_second: 500 },
            control_frames: Rate { burst: 2_000, per_second: 500 },
            upstream_resets: Rate { burst: 500, per_second: 33 },
            early_resets: 10,
            interim_answers: 100,
            reset_linger: Duration::from_secs(1),
            settings_ack: Duration::from_secs(10),
        }
    }
}
