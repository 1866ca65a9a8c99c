//! What a connection knows that speaks HTTP/2: frames, header tables, windows and scores of its own.

use super::{GoAwaySent, TableOffer};
use crate::output::{BufferPool, Output};
use crate::score::Score;
use crate::window::{Change, Window};
use evenkeel_core::limits::Limits;
use evenkeel_core::time::Moment;
use evenkeel_wire::hpack::{Decoder, Encoder, HeaderList, HeaderStore, IndexPolicy};
use evenkeel_wire::http2::{self, DEFAULT_WINDOW, ErrorCode, FrameReader, Settings};
use std::collections::VecDeque;

/// Streams reset by us that are remembered for each client: as many as it may have open, for they may end together.
pub(crate) const RESET_LATELY: usize = 1024;

/// Answers to DATA that a peer may save up.
const MOST_ANSWERS_DUE: u32 = 4096;

/// Largest DATA frame of ours, so that streams take turns.
const MOST_FRAME: u32 = 16_384;

/// An HTTP/2 connection's own state.
#[derive(Debug)]
pub(crate) struct Http2 {
    pub(crate) goaway_sent: GoAwaySent,
    pub(crate) reader: FrameReader,
    pub(crate) decoder: Decoder,
    pub(crate) encoder: Encoder,
    pub(crate) peer: Settings,
    /// What came since credit was last given back.
    received: u32,
    /// The size of the window in which it came.
    window: Window,
    pub(crate) resets: Score,
    pub(crate) control: Score,
    /// WINDOW_UPDATE and PING frames that DATA of ours gives its peer reason for: they are no flood.
    pub(crate) answers_due: u32,
    /// When our SETTINGS went out, until they are acknowledged.
    pub(crate) settings_sent: Option<Moment>,
    /// Those SETTINGS allow the peer no table.
    pub(crate) is_tableless: bool,
    /// Octets of the preface that are yet to come, on a connection that was HTTP/1 before.
    pub(crate) preface_left: u8,
    /// Streams that we reset lately: what a client had sent before it knew is dropped without complaint.
    pub(crate) reset_lately: VecDeque<u32>,
}

impl Http2 {
    pub(crate) fn new(policy: IndexPolicy, limits: &Limits) -> Self {
        Self {
            goaway_sent: GoAwaySent::No,
            reader: FrameReader::new(super::header_limits(limits)),
            decoder: Decoder::default(),
            encoder: Encoder::new(policy),
            peer: Settings::default(),
            received: 0,
            window: Window::new(limits.connection_window.max(DEFAULT_WINDOW)),
            resets: Score::default(),
            control: Score::default(),
            answers_due: 0,
            settings_sent: None,
            is_tableless: false,
            preface_left: 0,
            reset_lately: VecDeque::new(),
        }
    }

    /// Appends what both sides send first: our settings and the connection's window.
    pub(crate) fn greet(
        &mut self,
        now: Moment,
        is_upstream: bool,
        limits: &Limits,
        table: TableOffer,
        out: &mut Vec<u8>,
    ) {
        self.settings_sent = Some(now);
        self.is_tableless = table == TableOffer::None;
        let default = Settings::default();
        let settings = Settings {
            max_concurrent_streams: if is_upstream {
                default.max_concurrent_streams
            } else {
                limits.concurrent_streams
            },
            header_table_size: if self.is_tableless { 0 } else { default.header_table_size },
            initial_window_size: limits.stream_window,
            max_header_list_size: limits.header_list_bytes as u32,
            enable_connect_protocol: !is_upstream,
            ..default
        };
        if is_upstream {
            out.extend_from_slice(evenkeel_wire::detect::PREFACE);
        }
        http2::put_settings(out, &settings, is_upstream);
        if let Some(more) = limits.connection_window.checked_sub(DEFAULT_WINDOW).filter(|&more| more > 0) {
            http2::put_window_update(out, 0, more);
        }
    }

    pub(crate) fn put_headers(
        &mut self,
        out: &mut Vec<u8>,
        stream: u32,
        is_end: bool,
        list: &HeaderList,
        store: &mut HeaderStore,
    ) {
        http2::put_headers(out, stream, is_end, self.peer.max_frame_size, list, &mut self.encoder, store);
    }

    /// Appends DATA frames; the caller has checked and charged the windows.
    pub(crate) fn put_data(&mut self, out: &mut Vec<u8>, stream: u32, payload: &[u8], is_end: bool) {
        let most = self.peer.max_frame_size.min(MOST_FRAME) as usize;
        let (mut rest, mut frames) = (payload, 0);
        loop {
            let (part, after) = rest.split_at(rest.len().min(most));
            frames += 1;
            http2::put_data_header(out, stream, part.len(), is_end && after.is_empty());
            out.extend_from_slice(part);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        // For each frame the peer may give credit back twice, and measure with a PING how fast it came.
        self.answers_due = (self.answers_due + 3 * frames).min(MOST_ANSWERS_DUE);
    }

    /// Appends RST_STREAM; `is_client`: what the peer sends on the stream before it knows is dropped.
    pub(crate) fn put_reset(&mut self, out: &mut Vec<u8>, stream: u32, code: ErrorCode, is_client: bool) {
        if is_client {
            if self.reset_lately.len() == RESET_LATELY {
                self.reset_lately.pop_front();
            }
            self.reset_lately.push_back(stream);
        }
        http2::put_rst_stream(out, stream, code);
    }

    /// Counts received flow-controlled bytes and gives the credit back in halves of the window; it is never withheld.
    /// True if that is something to write.
    pub(crate) fn took(
        &mut self,
        now: Moment,
        flow_bytes: u32,
        limits: &Limits,
        output: &mut Output,
        pool: &mut BufferPool,
    ) -> bool {
        self.received += flow_bytes;
        if !self.window.is_due(self.received) {
            return false;
        }
        let first = limits.connection_window.max(DEFAULT_WINDOW);
        let mut change = self.window.wish(now, first, limits.most_connection_window.max(first));
        let given = match &mut change {
            Change::None => self.received,
            Change::Grow(more) => self.received + *more,
            Change::Settle(less) => {
                *less = (*less).min(self.received);
                self.received - *less
            }
        };
        self.window.apply(change);
        self.received = 0;
        if given > 0 {
            http2::put_window_update(output.buffer(pool), 0, given);
        }
        given > 0
    }

    /// Gives back what only work needs. What a client had sent before it knew of a reset has come by then.
    pub(crate) fn rest(&mut self, store: &mut HeaderStore) {
        self.decoder.shrink(store);
        self.encoder.shrink();
        self.reset_lately = VecDeque::new();
    }

    /// Gives its header fields back.
    pub(crate) fn clear(&mut self, store: &mut HeaderStore) {
        self.decoder.clear(store);
        self.encoder.clear(store);
    }

    /// Memory that it holds, itself included, but for the reader's.
    pub(crate) fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.encoder.held_bytes() + self.reset_lately.capacity() * 4
    }
}
