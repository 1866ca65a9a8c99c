//! Bytes to frames, and each frame to whom it concerns. What belongs to the connection itself is done here.

use super::Engine;
use super::close::UNHEARD_BYTES;
use super::drain::PING as DRAIN_PING;
use crate::conn::{Conn, GoAwaySent, Phase, Role, Speech};
use crate::keys::ConnKey;
use evenkeel_core::policy::ListenerProtocol;
use evenkeel_core::reason::{CloseReason, Limit};
use evenkeel_core::time::Moment;
use evenkeel_wire::detect::{Detected, PREFACE, detect};
use evenkeel_wire::http2::{self, ErrorCode, Fault, Frame, MAX_WINDOW, ReadError};

/// A frame of a body smaller than this, with more to come, is nothing that a sender in good faith makes many of: a gRPC
/// message has a prefix of five octets.
const LEAST_DATA: u32 = 5;

/// As many streams are visited at the cost of a frame when SETTINGS move their windows.
const STREAMS_A_FRAME: usize = 16;

/// The fatal alert protocol_version (RFC 8446 §6.2), which TLS clients show as what it is.
const TLS_ALERT: &[u8] = &[0x15, 3, 1, 0, 2, 2, 70];

impl Engine {
    /// Bytes came from a peer.
    pub fn received(&mut self, now: Moment, key: ConnKey, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        conn.figures.bytes_in += bytes.len() as u64;
        match conn.phase {
            Phase::Closing(reason) => {
                conn.unheard += bytes.len();
                if conn.unheard > UNHEARD_BYTES {
                    self.cut_conn(now, key, reason);
                }
            }
            Phase::Securing | Phase::Connecting | Phase::Handshaking => {}
            Phase::Detecting => {
                let Some(client) = conn.client_mut() else { return };
                let mut first = std::mem::take(&mut client.first_bytes);
                first.extend_from_slice(bytes);
                self.detect(now, key, first);
            }
            Phase::Greeting | Phase::Open => self.received_in(now, key, bytes),
        }
        self.relieve(now);
    }

    /// Bytes in what is spoken on a connection.
    pub(super) fn received_in(&mut self, now: Moment, key: ConnKey, bytes: &[u8]) {
        match self.conns[key].speech {
            Speech::Http2(_) => self.frames(now, key, bytes),
            Speech::Http1(_) => self.http1_bytes(now, key, bytes),
            Speech::Raw => self.raw_bytes(now, key, bytes),
            Speech::Unknown => {}
        }
    }

    /// Decides what a client speaks.
    fn detect(&mut self, now: Moment, key: ConnKey, first: Vec<u8>) {
        let protocol = self.protocol_of(key);
        if protocol == ListenerProtocol::Tcp {
            return self.find_server_name(now, key, first);
        }
        let is_http_only = protocol == ListenerProtocol::Http;
        let (answer, reason) = match detect(&first) {
            Detected::NeedMore => {
                if let Some(client) = self.conns[key].client_mut() {
                    client.first_bytes = first;
                }
                return;
            }
            Detected::Http2 => {
                self.begin_session(key, Phase::Greeting, Conn::new_http2(true, &self.limits));
                self.greet(now, key);
                self.frames(now, key, &first[PREFACE.len()..]);
                return;
            }
            Detected::Http1 => {
                self.begin_session(key, Phase::Open, Speech::Http1(Box::default()));
                // The whole head is to come in time, its first line included.
                let conn = &mut self.conns[key];
                conn.header_since = Some(conn.idle_since);
                self.http1_bytes(now, key, &first);
                return;
            }
            Detected::Tls if is_http_only => (TLS_ALERT, CloseReason::ClientSpokeTls),
            Detected::Garbage if is_http_only => (&[][..], CloseReason::ClientSpokeGarbage),
            Detected::Tls => return self.find_server_name(now, key, first),
            Detected::Garbage => return self.begin_tunnel(now, key, None, &first),
        };
        self.conns[key].output.buffer(&mut self.buffers).extend_from_slice(answer);
        self.end_conn(now, key, reason, None);
    }

    /// What a client's listener takes.
    pub(super) fn protocol_of(&self, key: ConnKey) -> ListenerProtocol {
        let Some(client) = self.conns[key].client() else { return ListenerProtocol::Http };
        self.snapshot.listener(client.listener.id).unwrap_or(&client.listener).policy.protocol
    }

    fn frames(&mut self, now: Moment, key: ConnKey, bytes: &[u8]) {
        let mut input = bytes;
        if self.conns[key].http2().is_some_and(|http2| http2.preface_left > 0)
            && !self.take_preface(key, &mut input)
        {
            return self.refuse_stranger(now, key);
        }
        let Some(http2) = self.conns[key].http2_mut() else { return };
        let mut reader = std::mem::take(&mut http2.reader);
        let held = reader.held_bytes();
        let mut has_whole_frame = false;
        loop {
            match reader.next(&mut input) {
                Ok(Some(frame)) => {
                    has_whole_frame |= frame != Frame::HeadersPart;
                    self.frame(now, key, frame);
                }
                Ok(None) => break,
                Err(error) => self.read_failed(now, key, error),
            }
            if self.conns.get(key).is_none_or(|c| c.is_closing()) {
                break;
            }
        }
        for exchange in std::mem::take(&mut self.deferred) {
            if self.exchanges.has(exchange) {
                self.dispatch(now, exchange);
            }
        }
        self.reader_bytes -= held;
        let Some(conn) = self.conns.get_mut(key) else { return };
        self.reader_bytes += reader.held_bytes();
        let is_inside_block = reader.is_inside_block();
        if let Some(http2) = conn.http2_mut() {
            http2.reader = reader;
        }
        // Whatever was unfinished before is whole once anything but a part of it came.
        if !is_inside_block || has_whole_frame {
            conn.header_since = None;
        }
        if is_inside_block && conn.header_since.is_none() {
            conn.header_since = Some(now);
            let timeout = self.timeouts_of(key).header;
            self.arm_conn(key, now + timeout);
        }
    }

    fn read_failed(&mut self, now: Moment, key: ConnKey, error: ReadError) {
        let conn = &self.conns[key];
        if conn.phase == Phase::Greeting && !conn.is_client() {
            return self.refuse_stranger(now, key);
        }
        let reason = match error.fault {
            Fault::Size => CloseReason::FrameSizeError,
            Fault::BlockFrames => {
                self.stats.refused(Limit::HeaderBlockFrames);
                CloseReason::ContinuationFlood
            }
            Fault::BlockBytes => {
                self.stats.refused(Limit::HeaderBlockBytes);
                CloseReason::ContinuationFlood
            }
            Fault::SettingsValue if error.code == ErrorCode::FlowControlError => {
                CloseReason::FlowControlError
            }
            _ => CloseReason::ProtocolError,
        };
        self.refuse_peer(now, key, error.code, reason, fault_word(error.fault));
    }

    /// Ends a connection whose peer's first frame was not SETTINGS (RFC 9113 §3.4): nothing was asked of it yet.
    fn refuse_stranger(&mut self, now: Moment, key: ConnKey) {
        let is_client = self.conns[key].is_client();
        let reason = if is_client { CloseReason::ProtocolError } else { CloseReason::NotHttp2 };
        self.refuse_peer(now, key, ErrorCode::ProtocolError, reason, "no SETTINGS came first");
    }

    /// Ends a connection whose peer broke a rule.
    pub(super) fn refuse_peer(
        &mut self,
        now: Moment,
        key: ConnKey,
        code: ErrorCode,
        reason: CloseReason,
        detail: &'static str,
    ) {
        self.conns[key].detail = Some(detail);
        self.end_conn(now, key, reason, Some(code));
    }

    fn frame(&mut self, now: Moment, key: ConnKey, frame: Frame<'_>) {
        let conn = &mut self.conns[key];
        if conn.phase == Phase::Greeting && !matches!(frame, Frame::Settings(_)) {
            return self.refuse_stranger(now, key);
        }
        if let Role::Upstream(upstream) = &conn.role
            && !upstream.has_spoken
            && matches!(frame, Frame::Data { .. } | Frame::Headers { .. })
        {
            self.endpoint_spoke(key);
        }
        let conn = &mut self.conns[key];
        let is_client = conn.is_client();
        let is_known =
            !conn.is_client() || matches!(frame, Frame::Headers { stream, .. } if conn.is_unopened(stream));
        let Some(http2) = conn.http2_mut() else { return };
        match frame {
            Frame::Data { stream, payload, flow_bytes, is_end, frame_payload, .. } => {
                // Parts of a frame are as small as the network made them, and say nothing. An endpoint's crumbs are many
                // streams' answers, and each goes to a client that wants it.
                let least = if is_client { LEAST_DATA } else { 1 };
                match frame_payload {
                    Some(whole) if whole < least && !is_end => {
                        if !self.count_control(now, key) {
                            return;
                        }
                    }
                    Some(1..) => http2.control.forgive(),
                    Some(0) | None => {}
                }
                self.data(now, key, stream, payload, flow_bytes, is_end);
            }
            Frame::Headers { stream, block, is_end } => {
                if is_known {
                    http2.control.forgive();
                }
                if is_client {
                    self.client_headers(now, key, stream, block, is_end);
                } else {
                    self.endpoint_headers(now, key, stream, block, is_end);
                }
            }
            Frame::RstStream { stream, code } => self.peer_reset(now, key, stream, code),
            Frame::WindowUpdate { .. } | Frame::Ping { is_ack: false, .. } if http2.answers_due == 0 => {
                if self.count_control(now, key) {
                    self.answer_to_data(now, key, frame);
                }
            }
            Frame::WindowUpdate { .. } | Frame::Ping { is_ack: false, .. } => {
                http2.answers_due -= 1;
                self.answer_to_data(now, key, frame);
            }
            Frame::Settings(payload) => self.settings(now, key, payload),
            Frame::SettingsAck => self.settings_answered(now, key),
            Frame::HeadersPart => {}
            Frame::Ping { is_ack: true, data } => self.ping_answered(now, key, data),
            Frame::GoAway { last_stream, .. } => {
                if self.count_control(now, key) {
                    self.peer_goes_away(now, key, last_stream);
                }
            }
            Frame::Priority | Frame::Unknown => {
                self.count_control(now, key);
            }
            Frame::StreamFault { stream, fault } => self.stream_fault(now, key, stream, fault),
        }
    }

    /// What a peer says when it gets DATA, and may say without.
    fn answer_to_data(&mut self, now: Moment, key: ConnKey, frame: Frame<'_>) {
        let conn = &mut self.conns[key];
        match frame {
            Frame::WindowUpdate { stream: 0, increment } => {
                conn.send_window += i64::from(increment);
                if conn.send_window > i64::from(MAX_WINDOW) {
                    let reason = CloseReason::FlowControlError;
                    self.refuse_peer(now, key, ErrorCode::FlowControlError, reason, "a window beyond 2^31-1");
                    return;
                }
                self.pump(now, key);
            }
            Frame::WindowUpdate { stream, increment } => self.stream_window(now, key, stream, increment),
            Frame::Ping { data, .. } if !self.refuse_full_output(now, key) => {
                http2::put_ping(self.conns[key].output.buffer(&mut self.buffers), true, data);
                self.mark_dirty(key);
            }
            _ => {}
        }
    }

    /// Counts a frame that costs us and brings nothing; false if the connection was ended for it.
    pub(super) fn count_control(&mut self, now: Moment, key: ConnKey) -> bool {
        self.count_controls(now, key, 1)
    }

    /// The same for a frame that costs as much as so many.
    pub(super) fn count_controls(&mut self, now: Moment, key: ConnKey, frames: usize) -> bool {
        let control = self.conns[key].http2_mut().map(|http2| &mut http2.control);
        if control.is_some_and(|score| !score.add_many(now, self.limits.control_frames, frames)) {
            self.stats.refused(Limit::ControlFrames);
            let (code, reason) = (ErrorCode::EnhanceYourCalm, CloseReason::ControlFlood);
            self.refuse_peer(now, key, code, reason, "more control or empty frames than work");
            return false;
        }
        !self.refuse_full_output(now, key)
    }

    /// Whether more waits for a peer than headers and control frames may add to the mark of bodies.
    pub(super) fn is_output_full(&self, key: ConnKey) -> bool {
        self.conns[key].output.len() > self.limits.control_output + self.limits.output_high
    }

    /// Ends a connection whose peer asks for more while it does not take what it asked for; true if so.
    pub(super) fn refuse_full_output(&mut self, now: Moment, key: ConnKey) -> bool {
        let is_full = self.is_output_full(key);
        if is_full {
            self.stats.refused(Limit::ControlOutput);
            let (code, reason) = (ErrorCode::EnhanceYourCalm, CloseReason::OutputFull);
            self.refuse_peer(now, key, code, reason, "asks for answers and does not read them");
        }
        is_full
    }

    /// Counts a stream that was reset, by the peer or by us for its fault; false if the connection was ended for it.
    pub(super) fn count_reset(&mut self, now: Moment, key: ConnKey) -> bool {
        let Some(conn) = self.conns.get_mut(key) else { return false };
        if conn.is_closing() {
            return false;
        }
        if conn.is_client()
            && conn.http2_mut().is_some_and(|http2| !http2.resets.add(now, self.limits.resets))
        {
            self.stats.refused(Limit::Resets);
            let (code, reason) = (ErrorCode::EnhanceYourCalm, CloseReason::ResetFlood);
            self.refuse_peer(now, key, code, reason, "too many streams reset");
            return false;
        }
        true
    }

    fn settings(&mut self, now: Moment, key: ConnKey, payload: &[u8]) {
        if !self.count_control(now, key) {
            return;
        }
        let conn = &mut self.conns[key];
        let is_greeting = conn.phase == Phase::Greeting;
        let is_client = conn.is_client();
        let Some(http2) = conn.http2_mut() else { return };
        let change = match http2.peer.apply(payload) {
            Ok(change) => change,
            Err(error) => return self.read_failed(now, key, error),
        };
        if let Some(smallest) = change.smallest_table {
            http2.encoder.set_peer_limit(smallest as usize, &mut self.store);
            http2.encoder.set_peer_limit(http2.peer.header_table_size as usize, &mut self.store);
        }
        http2::put_settings_ack(conn.output.buffer(&mut self.buffers));
        if is_greeting && is_client {
            conn.phase = Phase::Open;
        }
        self.mark_dirty(key);
        if change.window_delta != 0 {
            let visits = self.conns[key].streams.len() / STREAMS_A_FRAME;
            if visits > 0 && !self.count_controls(now, key, visits) {
                return;
            }
            if !self.shift_windows(now, key, change.window_delta) {
                return;
            }
        }
        match (is_greeting, is_client) {
            (true, true) if self.drain.is_some() => self.announce_end(now, key),
            (_, true) => {}
            (true, false) => self.upstream_ready(now, key),
            (false, false) => self.serve_pending(now, key),
        }
    }

    fn settings_answered(&mut self, now: Moment, key: ConnKey) {
        let Some(http2) = self.conns[key].http2_mut() else { return };
        if http2.settings_sent.take().is_none() {
            self.count_control(now, key);
        } else if http2.is_tableless {
            http2.decoder.set_limit(0, &mut self.store);
        }
    }

    /// A frame that is wrong for its stream only.
    fn stream_fault(&mut self, now: Moment, key: ConnKey, stream: u32, fault: Fault) {
        let conn = &self.conns[key];
        let side = conn.side();
        let code = if fault == Fault::Size { ErrorCode::FrameSizeError } else { ErrorCode::ProtocolError };
        if let Some(exchange) = conn.streams.get(stream) {
            self.reset_by_fault(now, exchange, side, code);
        } else if conn.is_unopened(stream) {
            // RST_STREAM may not be sent for it (RFC 9113 §6.4).
            let reason = CloseReason::ProtocolError;
            self.refuse_peer(now, key, code, reason, fault_word(fault));
        } else if self.count_reset(now, key) {
            self.conns[key].put_reset(stream, code, &mut self.buffers);
            self.mark_dirty(key);
        }
    }

    fn ping_answered(&mut self, now: Moment, key: ConnKey, data: [u8; 8]) {
        if data == DRAIN_PING && matches!(self.conns[key].goaway_sent(), GoAwaySent::Announced(_)) {
            self.finish_announcement(now, key);
        } else if !self.resets_were_seen(now, key, data) {
            self.count_control(now, key);
        }
    }
}

/// The parser's word for a fault.
fn fault_word(fault: Fault) -> &'static str {
    match fault {
        Fault::Size => "a frame of a wrong size",
        Fault::Stream => "a frame on a stream where its type may not be",
        Fault::Padding => "padding longer than the payload",
        Fault::Interleaved => "a header block that another frame interrupts",
        Fault::BlockFrames => "a header block of too many frames",
        Fault::BlockBytes => "a header block of too many bytes",
        Fault::Push => "a push that was not allowed",
        Fault::SettingsValue => "a setting out of its range",
        Fault::ZeroIncrement => "a window update of nothing",
        Fault::SelfDependency => "a stream that depends on itself",
    }
}
