//! Bytes of an HTTP/1 connection to messages (RFC 9112): heads, bodies, and what stands between two messages.
//!
//! A client's requests are taken one after the other: the next head is read when the exchange before it is over, and
//! until then what came stays unread, first in `tail` and then in the socket. `client` and `endpoint` go on with the same
//! header lists as they do for HTTP/2.

use super::Engine;
use super::learn::{FirstBytes, first_bytes};
use crate::conn::{Conn, Input, Phase, Reading, Speech};
use crate::keys::{ConnKey, ExchangeKey};
use crate::side::Side;
use evenkeel_core::limits::Limits;
use evenkeel_core::reason::{CloseReason, ExchangeOutcome, Limit};
use evenkeel_core::time::Moment;
use evenkeel_wire::detect::PREFACE;
use evenkeel_wire::http1::{self, ChunkError, Framing, HeadError, HeadLimits, Part, ResponseTo, Upgrade};
use evenkeel_wire::http2::ErrorCode;

/// Body bytes of a request that are read and dropped once its answer has ended, so that the connection can go on.
const MOST_DISCARDED: usize = 256 * 1024;

/// Of an endpoint's connection that has more to say than it was asked for.
const LEFT_OVER: &str = "bytes that answer no request";

/// What a look at the unread bytes brought.
enum Step {
    /// So many of them were read.
    Took(usize),
    /// More must come first, or the exchange must end.
    Wait,
    /// The connection ended, or is HTTP/1 no more.
    Over,
}

fn head_limits(limits: &Limits) -> HeadLimits {
    HeadLimits {
        bytes: limits.header_list_bytes,
        fields: limits.header_fields as usize,
        line: limits.request_line_bytes,
    }
}

impl Engine {
    /// Bytes came on an HTTP/1 connection.
    pub(super) fn http1_bytes(&mut self, now: Moment, key: ConnKey, bytes: &[u8]) {
        let Some(http1) = self.conns[key].http1_mut() else { return };
        if http1.tail.is_empty() {
            let taken = self.read_messages(now, key, bytes);
            self.keep_tail(key, Vec::new(), &bytes[taken..]);
        } else {
            self.reader_bytes -= http1.held_bytes();
            let mut tail = std::mem::take(&mut http1.tail);
            tail.extend_from_slice(bytes);
            let taken = self.read_messages(now, key, &tail);
            tail.drain(..taken);
            self.keep_tail(key, tail, &[]);
        }
    }

    /// Keeps what could not be read yet.
    fn keep_tail(&mut self, key: ConnKey, mut tail: Vec<u8>, rest: &[u8]) {
        let Some(conn) = self.conns.get_mut(key).filter(|c| !c.is_closing()) else { return };
        let Some(http1) = conn.http1_mut() else { return };
        tail.extend_from_slice(rest);
        if tail.is_empty() {
            return;
        }
        http1.tail = tail;
        self.reader_bytes += http1.held_bytes();
        if matches!(http1.reading, Reading::Done) && conn.input == Input::Open {
            conn.input = Input::Paused;
        }
    }

    /// Reads messages and parts of them; how many bytes.
    fn read_messages(&mut self, now: Moment, key: ConnKey, input: &[u8]) -> usize {
        let mut at = 0;
        while at < input.len() {
            let Some(conn) = self.conns.get(key).filter(|c| !c.is_closing()) else { return input.len() };
            let Some(http1) = conn.http1() else {
                // What came behind the change of protocol is in the new one.
                self.received_in(now, key, &input[at..]);
                return input.len();
            };
            let is_client = conn.is_client();
            let step = match http1.reading {
                Reading::Head if is_client => self.request_head(now, key, &input[at..]),
                Reading::Head => self.response_head(now, key, &input[at..]),
                Reading::Done if is_client => Step::Wait,
                Reading::Done => self.left_over(now, key, &input[at..]),
                Reading::Trailers => self.trailer_section(now, key, &input[at..]),
                Reading::Length(_) | Reading::Chunked(_) | Reading::UntilClose => {
                    self.body_part(now, key, &input[at..])
                }
            };
            match step {
                Step::Took(n) => at += n,
                Step::Wait => break,
                Step::Over => {}
            }
        }
        at
    }

    /// The exchange of the message that is under way; none if it has ended before the message.
    fn current(&self, key: ConnKey) -> Option<ExchangeKey> {
        let conn = self.conns.get(key)?;
        conn.streams.get(conn.highest_stream)
    }

    fn request_head(&mut self, now: Moment, key: ConnKey, input: &[u8]) -> Step {
        let mut list = self.take_list();
        let limits = head_limits(&self.limits);
        let conn = &mut self.conns[key];
        let scheme = conn.scheme();
        let Some(http1) = conn.http1_mut() else { return Step::Over };
        let read =
            http1::read_request(input, &mut http1.scanned, scheme, &limits, &mut list, &mut self.store);
        let (n, line) = match read {
            Ok(Some(whole)) => whole,
            Ok(None) => {
                self.give_list(list);
                self.await_head(now, key);
                return Step::Wait;
            }
            Err(error) => {
                self.give_list(list);
                self.bad_message(now, key, error);
                return Step::Over;
            }
        };
        let is_head = list.find(evenkeel_wire::hpack::Name::Method, &self.store) == Some(b"HEAD");
        let conn = &mut self.conns[key];
        conn.header_since = None;
        conn.highest_stream = conn.highest_stream.wrapping_add(if conn.highest_stream == 0 { 1 } else { 2 });
        let stream = conn.highest_stream;
        let asked = line.upgrade.filter(|_| line.minor > 0);
        if asked == Some(Upgrade::H2c) && self.change_to_http2(now, key, line.http2_settings.of(input)) {
            self.first_stream(now, key, list);
            return Step::Took(n);
        }
        let is_draining = self.drain.is_some();
        let conn = &mut self.conns[key];
        let Some(http1) = conn.http1_mut() else { return Step::Over };
        http1.minor = line.minor;
        http1.is_last = !line.keeps_alive || is_draining;
        http1.to = ResponseTo { is_head, is_connect: false, asked_upgrade: asked };
        http1.begin_body(line.framing);
        let is_end = !http1.is_inside_body();
        if line.expects_continue && !is_end {
            list.push("expect", b"100-continue");
        }
        self.request(now, key, stream, list, is_end, asked == Some(Upgrade::WebSocket));
        Step::Took(n)
    }

    /// Whether a part of an answer came to what was asked last.
    fn has_spoken(&self, key: ConnKey) -> bool {
        self.conns[key].http1().is_some_and(|http1| http1.has_spoken)
    }

    /// A head is not whole: it has to be so in time.
    fn await_head(&mut self, now: Moment, key: ConnKey) {
        let conn = &mut self.conns[key];
        if conn.header_since.is_none() {
            conn.header_since = Some(now);
            let timeout = self.timeouts_of(key).header;
            self.arm_conn(key, now + timeout);
        }
    }

    fn response_head(&mut self, now: Moment, key: ConnKey, input: &[u8]) -> Step {
        if self.conns[key].upstream().is_some_and(|u| u.served < 2) && !self.has_spoken(key) {
            match first_bytes(input) {
                FirstBytes::NeedMore => {
                    self.await_head(now, key);
                    return Step::Wait;
                }
                FirstBytes::Http2 if self.spoke_http2(now, key, self.current(key)) => return Step::Over,
                FirstBytes::Http2 | FirstBytes::Other => {}
            }
        }
        let Some(exchange) = self.current(key) else { return self.left_over(now, key, input) };
        if self.conns[key].is_unasked() {
            // It came before the request that it would be taken for an answer to, which goes elsewhere.
            self.conns[key].detail = Some(LEFT_OVER);
            self.cut_conn(now, key, CloseReason::BadMessage);
            return Step::Over;
        }
        let mut list = self.take_list();
        let limits = head_limits(&self.limits);
        let Some(http1) = self.conns[key].http1_mut() else { return Step::Over };
        let to = http1.to;
        let read = http1::read_response(input, &mut http1.scanned, to, &limits, &mut list, &mut self.store);
        let (n, line) = match read {
            Ok(Some(whole)) => whole,
            Ok(None) => {
                self.give_list(list);
                // It may think as long as the request may take, but what it has begun to say it says.
                self.await_head(now, key);
                return Step::Wait;
            }
            Err(error) => {
                self.give_list(list);
                self.bad_message(now, key, error);
                return Step::Over;
            }
        };
        self.conns[key].header_since = None;
        let Some(http1) = self.conns[key].http1_mut() else { return Step::Over };
        http1.has_spoken = true;
        http1.minor = line.minor;
        if line.status == 101 {
            self.changed_protocol(now, exchange, list);
            return Step::Took(n);
        }
        if line.status < 200 {
            self.answered(now, exchange, list, false);
            return Step::Took(n);
        }
        http1.is_last |= !line.keeps_alive;
        http1.begin_body(line.framing);
        let is_end = matches!(line.framing, Framing::None | Framing::Length(0));
        if is_end {
            self.is_followed(key, input.len() - n);
        }
        self.answered(now, exchange, list, is_end);
        Step::Took(n)
    }

    /// A part of a body. What belongs to an exchange that has ended is dropped.
    fn body_part(&mut self, now: Moment, key: ConnKey, input: &[u8]) -> Step {
        let exchange = self.current(key);
        let conn = &mut self.conns[key];
        let side = conn.side();
        let Some(http1) = conn.http1_mut() else { return Step::Over };
        let (mut rest, mut is_end) = (input, false);
        let payload = match &mut http1.reading {
            Reading::Length(left) => {
                let n = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= n as u64;
                is_end = *left == 0;
                rest = &input[n..];
                &input[..n]
            }
            Reading::Chunked(reader) => match reader.next(&mut rest) {
                Ok(Part::Data(data)) => data,
                Ok(Part::NeedMore) => return Step::Took(input.len() - rest.len()),
                Ok(Part::Trailers) => {
                    http1.reading = Reading::Trailers;
                    return Step::Took(input.len() - rest.len());
                }
                Err(error) => {
                    if error == ChunkError::ExtensionBytes {
                        self.stats.refused(Limit::ChunkExtensionBytes);
                    }
                    self.bad_body(now, key, "a body of chunks that break the rules");
                    return Step::Over;
                }
            },
            _ => {
                rest = &[];
                input
            }
        };
        if is_end {
            http1.reading = Reading::Done;
            self.is_followed(key, rest.len());
        }
        match exchange {
            Some(exchange) => self.body(now, exchange, side, payload, is_end),
            None => self.discard(now, key, payload.len(), is_end),
        }
        Step::Took(input.len() - rest.len())
    }

    fn trailer_section(&mut self, now: Moment, key: ConnKey, input: &[u8]) -> Step {
        let exchange = self.current(key);
        let mut list = self.take_list();
        let limits = head_limits(&self.limits);
        let conn = &mut self.conns[key];
        let side = conn.side();
        let Some(http1) = conn.http1_mut() else { return Step::Over };
        let read = http1::read_trailers(input, &mut http1.scanned, &limits, &mut list, &mut self.store);
        let n = match read {
            Ok(Some(n)) => n,
            Ok(None) => {
                self.give_list(list);
                self.await_head(now, key);
                return Step::Wait;
            }
            Err(error) => {
                self.give_list(list);
                if let Some(limit) = limit_of(error) {
                    self.stats.refused(limit);
                }
                self.bad_body(now, key, error.why());
                return Step::Over;
            }
        };
        http1.reading = Reading::Done;
        conn.header_since = None;
        self.is_followed(key, input.len() - n);
        match exchange {
            None => {
                self.give_list(list);
                self.discard(now, key, 0, true);
            }
            Some(exchange) if list.fields().is_empty() => {
                self.give_list(list);
                self.body(now, exchange, side, &[], true);
            }
            Some(exchange) if side == Side::Client => self.request_trailers(now, exchange, list, true),
            Some(exchange) => self.response_trailers(now, exchange, list, true),
        }
        Step::Took(n)
    }

    /// Drops the rest of a request of which the answer has ended.
    fn discard(&mut self, now: Moment, key: ConnKey, bytes: usize, is_end: bool) {
        let Some(http1) = self.conns[key].http1_mut() else { return };
        http1.discarded += bytes;
        if http1.discarded > MOST_DISCARDED {
            self.end_conn(now, key, CloseReason::NotReusable, None);
        } else if is_end {
            self.next_message(now, key);
        }
    }

    /// Bytes of an endpoint that belong to no answer: the connection is of no further use, and they are dropped.
    fn left_over(&mut self, now: Moment, key: ConnKey, input: &[u8]) -> Step {
        if self.current(key).is_none() {
            self.conns[key].detail = Some(LEFT_OVER);
            self.end_conn(now, key, CloseReason::BadMessage, None);
        } else {
            self.is_followed(key, input.len());
        }
        Step::Took(input.len())
    }

    /// So many bytes came with the end of an endpoint's answer, behind it. Whatever they are, they answer nothing that is
    /// asked later, so nothing is (RFC 9112 §9.2).
    fn is_followed(&mut self, key: ConnKey, bytes: usize) {
        let conn = &mut self.conns[key];
        if bytes == 0 || conn.is_client() {
            return;
        }
        conn.detail = Some(LEFT_OVER);
        if let Some(http1) = conn.http1_mut() {
            http1.is_last = true;
        }
    }

    /// The exchange of a client's message is over: the next one, or the end.
    pub(super) fn next_message(&mut self, now: Moment, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        let is_draining = self.drain.is_some();
        let is_ended = conn.input == Input::Ended;
        let (is_aborted, is_bad) = (conn.is_aborted, conn.detail.is_some());
        let Some(http1) = conn.http1_mut() else { return };
        if http1.is_last || is_draining {
            let reason = match (is_bad, is_draining) {
                (true, _) => CloseReason::BadMessage,
                (false, true) => CloseReason::DrainFinished,
                (false, false) => CloseReason::ClientClosed,
            };
            if is_aborted {
                self.cut_conn(now, key, CloseReason::NotReusable);
            } else {
                self.drain_progress.finished += u64::from(is_draining && !self.is_drain_cut());
                self.end_conn(now, key, reason, None);
            }
            return;
        }
        if http1.is_inside_body() {
            // What is left of the request is read and dropped, for as long as a head may take.
            if conn.header_since.is_none() {
                conn.header_since = Some(now);
                let timeout = self.timeouts_of(key).header;
                self.arm_conn(key, now + timeout);
            }
            self.resume(key);
            return;
        }
        conn.header_since = None;
        let Some(http1) = conn.http1_mut() else { return };
        http1.reading = Reading::Head;
        http1.discarded = 0;
        if http1.tail.is_empty() {
            if is_ended {
                self.end_conn(now, key, CloseReason::ClientClosed, None);
            } else {
                self.resume(key);
            }
            return;
        }
        self.reader_bytes -= http1.held_bytes();
        let mut tail = std::mem::take(&mut http1.tail);
        let taken = self.read_messages(now, key, &tail);
        tail.drain(..taken);
        self.keep_tail(key, tail, &[]);
        let is_waiting = self
            .conns
            .get(key)
            .and_then(Conn::http1)
            .is_some_and(|h| h.tail.is_empty() || matches!(h.reading, Reading::Head));
        if is_waiting {
            self.resume(key);
        }
        if is_ended && self.conns.get(key).is_some_and(|c| c.is_idle() && !c.is_closing()) {
            self.end_conn(now, key, CloseReason::ClientClosed, None);
        }
    }

    /// Reads a connection again that was paused.
    pub(super) fn resume(&mut self, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        if conn.input == Input::Paused {
            conn.input = Input::Open;
            self.actions.push(crate::action::Action::Resume { conn: key });
        }
    }

    /// A head that breaks the rules: a client is told so, and the connection ends, since nobody knows where the next
    /// message begins.
    fn bad_message(&mut self, now: Moment, key: ConnKey, error: HeadError) {
        if let Some(limit) = limit_of(error) {
            self.stats.refused(limit);
        }
        if self.conns[key].is_client() {
            self.refuse_http1(now, key, error.status(), error.why(), CloseReason::BadMessage);
        } else {
            self.bad_body(now, key, error.why());
        }
    }

    /// A message whose exchange is under way breaks the rules.
    fn bad_body(&mut self, now: Moment, key: ConnKey, why: &'static str) {
        let exchange = self.current(key);
        let conn = &mut self.conns[key];
        conn.detail = Some(why);
        let side = conn.side();
        if let Some(http1) = conn.http1_mut() {
            http1.is_last = true;
        }
        match (exchange, side) {
            (Some(exchange), Side::Client) if !self.exchanges[exchange].is_answered => {
                if let Some(http1) = self.conns[key].http1_mut() {
                    http1.is_last = true;
                }
                self.leave_upstream(now, exchange, Some(ErrorCode::Cancel));
                self.answer(now, exchange, ExchangeOutcome::BadRequest, 400);
            }
            (Some(exchange), _) => self.reset_by_fault(now, exchange, side, ErrorCode::ProtocolError),
            (None, _) => {}
        }
        self.settle(now);
        self.end_conn(now, key, CloseReason::BadMessage, None);
    }

    /// A client's head is not whole in time: who sent some of it is told so (RFC 9110 §15.5.9). False if nothing of a
    /// request came, so that there is nothing to answer.
    pub(super) fn refuse_slow_head(&mut self, now: Moment, key: ConnKey) -> bool {
        let conn = &mut self.conns[key];
        if let Some(first) = conn.client_mut().map(|c| std::mem::take(&mut c.first_bytes))
            && conn.phase == Phase::Detecting
            && first.first().is_some_and(u8::is_ascii_uppercase)
            && first.contains(&b' ')
            && !PREFACE.starts_with(&first)
        {
            self.begin_session(key, Phase::Open, Speech::Http1(Box::default()));
        } else if !conn.is_client()
            || !conn.is_idle()
            || conn.http1().is_none_or(|h| !matches!(h.reading, Reading::Head) || h.tail.is_empty())
        {
            return false;
        }
        let why = "the request's head did not come in time";
        self.refuse_http1(now, key, 408, why, CloseReason::HeaderTimeout);
        true
    }

    /// Answers a request that never became an exchange, and ends the connection.
    pub(super) fn refuse_http1(
        &mut self,
        now: Moment,
        key: ConnKey,
        status: u16,
        why: &'static str,
        reason: CloseReason,
    ) {
        let conn = &mut self.conns[key];
        conn.detail = Some(why);
        self.exchange_failed(key);
        if let Some(client) = self.conns[key].client() {
            client.listener.stats.cell(self.worker).exchange_ended_unrouted(ExchangeOutcome::BadRequest);
        }
        let mut list = self.take_list();
        let is_head = false;
        list.push(":status", status.to_string().as_bytes());
        list.push("content-type", b"text/plain");
        list.push("content-length", why.len().to_string().as_bytes());
        let conn = &mut self.conns[key];
        let stream = conn.highest_stream;
        if let Some(http1) = conn.http1_mut() {
            http1.is_last = true;
            http1.to = ResponseTo { is_head, is_connect: false, asked_upgrade: None };
        }
        if conn.put_response(stream, false, &list, &mut self.store, &mut self.buffers).is_ok() {
            conn.put_body(stream, why.as_bytes(), true, &mut self.buffers);
        }
        self.give_list(list);
        self.end_conn(now, key, reason, None);
    }
}

/// The limit that a head is over.
fn limit_of(error: HeadError) -> Option<Limit> {
    match error {
        HeadError::LineTooLong => Some(Limit::RequestLineBytes),
        HeadError::TooManyBytes => Some(Limit::HeaderListBytes),
        HeadError::TooManyFields | HeadError::TooManyOptions => Some(Limit::HeaderFields),
        _ => None,
    }
}
