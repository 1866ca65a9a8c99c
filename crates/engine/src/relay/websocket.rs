//! WebSockets (RFC 6455, RFC 8441): the opening handshake of each to each, frames on their way, and their ends.
//!
//! A request to open one is kept as it came, with a key of ours where it came by extended CONNECT; what goes out is made of
//! that, as the endpoint's connection speaks. Once both sides have agreed it is a tunnel whose bytes pass
//! `crate::websocket`, which says where a frame of ours has its place. Payload is never looked at or copied for it.
//!
//! Pings of ours are answered by pongs that the other peer did not ask for. They are taken out where they came in one read
//! and behind a frame that ended a message or a control frame, which is nearly always; else they pass, which RFC 6455 §5.5.3
//! allows.

use super::Engine;
use super::close::LAST_BYTES;
use crate::conn::Input;
use crate::exchange::Kind;
use crate::keys::{ConnKey, ExchangeKey, PoolKey};
use crate::side::Side;
use crate::websocket::{Boundary, End, Passed, Pings, WebSocket};
use evenkeel_core::balancer::Report;
use evenkeel_core::policy::UpstreamProtocol;
use evenkeel_core::reason::{CloseReason, ExchangeOutcome};
use evenkeel_core::session::SessionProtocol;
use evenkeel_core::stats::MessageDirection;
use evenkeel_core::time::Moment;
use evenkeel_wire::hpack::{Field, HeaderList, HeaderStore, Name};
use evenkeel_wire::http1::Unwritable;
use evenkeel_wire::websocket::handshake::{self, HandshakeFault};
use evenkeel_wire::websocket::{self, Fault};
use std::num::NonZeroU16;
use std::time::Duration;

/// Close code of a peer that goes away (RFC 6455 §7.4.1): the process, or a session that nobody uses.
pub(super) const GOING_AWAY: u16 = 1001;

/// Close code that asks the client to come again (IANA registry): its endpoint goes.
const SERVICE_RESTART: u16 = 1012;

/// Close code of a session whose other peer is not there any more.
const INTERNAL_ERROR: u16 = 1011;

/// What a close frame without a code counts as (RFC 6455 §7.1.5).
const NO_STATUS: u16 = 1005;

/// Intervals after which a ping that nothing came after means that nobody is there.
const UNANSWERED: u32 = 2;

const KEY: &str = "sec-websocket-key";
const VERSION: &[u8] = b"sec-websocket-version";
const ACCEPT: &str = "sec-websocket-accept";

/// What a 2xx means that answers a request to open a WebSocket.
pub(super) enum Success {
    /// The WebSocket stands.
    Stands,
    /// The endpoint does not know WebSockets and says something else.
    Answer,
    /// It would be taken for a WebSocket, which it is not.
    Fault,
}

/// The value of a header that must not come twice; `None` without it.
fn only<'a>(list: &'a HeaderList, store: &'a HeaderStore, name: &[u8]) -> Result<Option<&'a [u8]>, ()> {
    let mut all = list.fields().iter().filter(|f| list.name_bytes(f, store) == name);
    let first = all.next().map(|f| list.value(f, store));
    if all.next().is_some() { Err(()) } else { Ok(first) }
}

/// Appends the regular fields that cross from one handshake to another.
fn copy_crossing(from: &HeaderList, into: &mut HeaderList, store: &HeaderStore) {
    for field in from.fields() {
        let name = from.name_bytes(field, store);
        let stays =
            field.name.is_pseudo() || field.name == Name::ContentLength || handshake::is_of_http1(name);
        if let (false, Ok(name)) = (stays, std::str::from_utf8(name)) {
            into.push(name, from.value(field, store));
        }
    }
}

/// The tracker's word for a fault.
fn fault_word(fault: Fault) -> &'static str {
    match fault {
        Fault::ReservedOpcode => "a frame of a reserved opcode",
        Fault::ControlFragmented => "a control frame in fragments",
        Fault::ControlTooLong => "a control frame of more than 125 octets",
        Fault::CloseCodeCut => "a close frame with half a code",
        Fault::LengthNotMinimal => "a frame's length in more octets than it needs",
        Fault::LengthTooLarge => "a frame's length of more than 63 bits",
        Fault::NotMasked => "a frame of a client without a mask",
        Fault::Masked => "a frame of a server with a mask",
        Fault::NothingToContinue => "a continuation of no message",
        Fault::MessageInterrupted => "a message inside another one",
    }
}

impl Engine {
    /// Holds a request to open a WebSocket to its rules, and sees to it that it has a key. False if it was refused.
    pub(super) fn admit_websocket(&mut self, now: Moment, exchange: ExchangeKey) -> bool {
        let nonce = self.nonces.make();
        let ex = &mut self.exchanges[exchange];
        let Some((key, _)) = ex.client.at else { return false };
        let (is_http1, store) = (self.conns[key].http1().is_some(), &mut self.store);
        let list = &mut ex.request;
        let checked = match (only(list, store, VERSION), only(list, store, KEY.as_bytes())) {
            (Ok(version), Ok(said)) if is_http1 => match list.find(Name::Method, store) {
                Some(b"GET") => handshake::check_request(version, said).map_err(HandshakeFault::status),
                _ => Err(400),
            },
            // There a status that speaks of upgrades has no meaning.
            (Ok(version), _) if !is_http1 && !ex.client.is_received => {
                handshake::check_version(version).map_err(|_| 400)
            }
            _ => Err(400),
        };
        if let Err(status) = checked {
            self.answer(now, exchange, ExchangeOutcome::WebSocketRefused, status);
            return false;
        }
        ex.kind = Kind::WebSocket;
        // What follows are frames, however long.
        ex.client.announced = None;
        if !is_http1 {
            let is_of_http1: Vec<bool> = {
                let is_it = |f: &Field| handshake::is_of_http1(list.name_bytes(f, store));
                list.fields().iter().map(is_it).collect()
            };
            let mut drop = is_of_http1.into_iter();
            list.retain_fields(store, |_| !drop.next().unwrap_or_default());
            list.push(KEY, &handshake::key_of(nonce));
        }
        true
    }

    /// Whether a WebSocket goes to its endpoint on a stream of a shared HTTP/2 connection. Where the protocol is left to
    /// find out, HTTP/1 is what endpoints take: unless one is known to speak HTTP/2 only, or has said on a connection that
    /// is open that it takes WebSockets there, and the client came by HTTP/2 too.
    pub(super) fn goes_over_http2(&self, exchange: ExchangeKey, pool_key: PoolKey) -> bool {
        let pool = &self.pools[pool_key];
        let ex = &self.exchanges[exchange];
        match self.services[pool.service].service.policy.upstream.protocol {
            UpstreamProtocol::H1 => false,
            UpstreamProtocol::H2 => true,
            UpstreamProtocol::Auto if pool.is_http1 == Some(false) => true,
            UpstreamProtocol::Auto => {
                let takes = |key: &ConnKey| self.conns.get(*key).is_some_and(|c| c.takes_websockets());
                ex.client.at.is_some_and(|(key, _)| self.conns[key].http2().is_some())
                    && pool.conns.iter().any(takes)
            }
        }
    }

    /// Whether this connection takes the exchange; if it is a WebSocket for which it does not, that goes its own way, or is
    /// refused.
    pub(super) fn may_take_websocket(&mut self, now: Moment, exchange: ExchangeKey, key: ConnKey) -> bool {
        let ex = &mut self.exchanges[exchange];
        let conn = &self.conns[key];
        if ex.kind != Kind::WebSocket || conn.http2().is_none() || conn.takes_websockets() {
            return true;
        }
        ex.waits_since = None;
        let protocol = self.services[ex.service].service.policy.upstream.protocol;
        match ex.pool.filter(|_| protocol == UpstreamProtocol::Auto) {
            Some(pool) => self.open_own(now, exchange, pool),
            None => self.fail(now, exchange, ExchangeOutcome::WebSocketNotTaken),
        }
        false
    }

    /// Puts the request on an endpoint's wire, in what is spoken there.
    pub(super) fn put_websocket_request(
        &mut self,
        exchange: ExchangeKey,
        key: ConnKey,
        stream: u32,
    ) -> Result<(), Unwritable> {
        let mut list = self.take_list();
        let (conn, ex) = (&mut self.conns[key], &mut self.exchanges[exchange]);
        let is_http2 = conn.http2().is_some();
        // Nothing follows in HTTP/1 before the endpoint has agreed.
        ex.upstream.is_sent = !is_http2;
        let put = if is_http2 {
            list.push(":method", b"CONNECT");
            list.push(":protocol", b"websocket");
            for name in [Name::Scheme, Name::Authority, Name::Path] {
                if let Some(value) = ex.request.find(name, &self.store) {
                    list.push(name.text(), value);
                }
            }
            copy_crossing(&ex.request, &mut list, &self.store);
            conn.put_request(stream, false, &list, &mut self.store, &mut self.buffers)
        } else {
            conn.put_request(stream, true, &ex.request, &mut self.store, &mut self.buffers)
        };
        self.give_list(list);
        put
    }

    /// Whether a 101 proves that the endpoint has read the key that it was sent (RFC 6455 §4.1).
    pub(super) fn is_accepted(&self, exchange: ExchangeKey, answer: &HeaderList) -> bool {
        let ex = &self.exchanges[exchange];
        let said = only(answer, &self.store, ACCEPT.as_bytes());
        let key = only(&ex.request, &self.store, KEY.as_bytes());
        ex.kind == Kind::WebSocket
            && matches!((key, said), (Ok(Some(key)), Ok(Some(said))) if handshake::is_accepted(key, said))
    }

    /// What a 2xx to a request of this kind means. By HTTP/2 it is a consent, by HTTP/1 it is none.
    pub(super) fn meaning_of_success(&self, exchange: ExchangeKey, is_end: bool) -> Success {
        let ex = &self.exchanges[exchange];
        let is_http2 = |at: Option<(ConnKey, u32)>| {
            at.and_then(|(key, _)| self.conns.get(key)).is_some_and(|conn| conn.http2().is_some())
        };
        match (is_http2(ex.upstream.at), is_http2(ex.client.at)) {
            (true, _) if !is_end => Success::Stands,
            (false, false) => Success::Answer,
            _ => Success::Fault,
        }
    }

    /// The endpoint agreed: the answer goes to the client, and what follows are frames.
    pub(super) fn websocket_stands(&mut self, now: Moment, exchange: ExchangeKey, list: HeaderList) {
        let ex = &self.exchanges[exchange];
        let (Some((client, stream)), Some((upstream, _))) = (ex.client.at, ex.upstream.at) else {
            return self.give_list(list);
        };
        if self.is_output_full(client) {
            return self.shed(now, exchange, list);
        }
        if let Some(pool) = ex.pool {
            let took = now.since(ex.sent);
            self.report(now, pool, Report::Answered(took));
        }
        let put = self.put_consent(exchange, client, stream, &list);
        self.give_list(list);
        if put.is_err() {
            return self.fail(now, exchange, ExchangeOutcome::UpstreamProtocolError);
        }
        self.mark_dirty(client);
        let ex = &mut self.exchanges[exchange];
        let early = std::mem::take(&mut ex.replay);
        let mut has_ended = ex.client.is_received;
        self.stands(now, exchange);
        self.begin_websocket(now, exchange);
        self.speak_raw(upstream);
        let unread = if self.conns[client].http1().is_some() {
            // A request that asks for a WebSocket has no body, but its stream goes on.
            (self.exchanges[exchange].client.is_received, has_ended) = (false, false);
            let unread = self.speak_raw(client);
            self.session_speaks(client, SessionProtocol::WebSocket);
            self.resume(client);
            unread
        } else {
            Vec::new()
        };
        self.exchanges[exchange].upstream.is_sent = false;
        // What came by HTTP/2 before the endpoint's consent waited.
        if !early.is_empty() || has_ended {
            self.websocket_bytes(now, exchange, Side::Client, &early, has_ended);
        }
        self.drop_replay(early);
        if !unread.is_empty() && self.exchanges.has(exchange) {
            self.raw_bytes(now, client, &unread);
        }
        let is_ended = self.conns.get(client).is_some_and(|c| c.input == Input::Ended);
        if is_ended && self.exchanges.get(exchange).is_some_and(|ex| !ex.client.is_received) {
            // The client had ended its side while its answer was under way.
            self.body(now, exchange, Side::Client, &[], true);
        }
    }

    /// Says to the client that its WebSocket stands, in what it speaks.
    fn put_consent(
        &mut self,
        exchange: ExchangeKey,
        client: ConnKey,
        stream: u32,
        answer: &HeaderList,
    ) -> Result<(), Unwritable> {
        let mut list = self.take_list();
        let is_http1 = self.conns[client].http1().is_some();
        list.push(":status", if is_http1 { b"101" } else { b"200" });
        copy_crossing(answer, &mut list, &self.store);
        if is_http1 {
            let ex = &self.exchanges[exchange];
            if let Ok(Some(key)) = only(&ex.request, &self.store, KEY.as_bytes()) {
                list.push(ACCEPT, &handshake::accept_of(key));
            }
        }
        let put = self.conns[client].put_upgraded(stream, &list, &mut self.store, &mut self.buffers);
        self.give_list(list);
        put
    }

    fn begin_websocket(&mut self, now: Moment, exchange: ExchangeKey) {
        let ex = &mut self.exchanges[exchange];
        let mut websocket = WebSocket::new(now);
        let service = &self.services[ex.service].service;
        service.stats.cell(self.worker).websocket_began();
        let interval = service.policy.websocket.ping_interval;
        if interval.is_some() {
            websocket.pings = Some(Box::new(Pings::new(now)));
        }
        ex.websocket = Some(Box::new(websocket));
        if let Some(interval) = interval {
            let at = ex.deadline.min(now + interval);
            ex.deadline = at;
            self.arm_exchange(exchange, at);
        }
        self.lasts(now, exchange);
    }

    /// Bytes of a WebSocket, of which those go on that may.
    pub(super) fn websocket_bytes(
        &mut self,
        now: Moment,
        exchange: ExchangeKey,
        side: Side,
        payload: &[u8],
        is_end: bool,
    ) {
        let Some(websocket) = &mut self.exchanges[exchange].websocket else { return };
        if websocket.is_cut(side) {
            return self.credit(now, exchange, side, payload.len() as u32);
        }
        let passed = websocket.pass(now, side, payload);
        if passed.messages > 0 || passed.closed.is_some() {
            self.count_messages(exchange, side, &passed);
        }
        let ends_here = passed.fault.is_some() || passed.is_at_end;
        // The end of a side is not told where we say how it ends.
        let tells_end = is_end && !ends_here && !passed.is_ordered;
        let is_whole = passed.goes_on == payload.len() && passed.swallowed.is_none();
        if is_whole && passed.held.bytes().is_empty() {
            if !payload.is_empty() || tells_end {
                self.forward(now, exchange, side, payload, tells_end);
            }
        } else {
            self.forward_parts(now, exchange, side, payload, &passed, tells_end);
        }
        if !ends_here && !passed.is_ordered {
            return;
        }
        let Some(ex) = self.exchanges.get(exchange) else { return };
        if let Some(fault) = passed.fault {
            self.websocket_fault(now, exchange, side, fault);
        } else if let Some((websocket, end)) = ex.websocket.as_ref().and_then(|w| Some((w, w.end?)))
            && (passed.is_at_end || is_end || websocket.is_at(side, end.boundary))
        {
            self.end_direction(now, exchange, side);
        }
    }

    /// Passes on what may go on of a slice, with what was held back before it.
    fn forward_parts(
        &mut self,
        now: Moment,
        exchange: ExchangeKey,
        side: Side,
        payload: &[u8],
        passed: &Passed,
        is_end: bool,
    ) {
        let (from, to) = passed.swallowed.unwrap_or((passed.goes_on, passed.goes_on));
        for part in [passed.held.bytes(), &payload[..from], &payload[to..passed.goes_on]] {
            if !part.is_empty() && self.exchanges.has(exchange) {
                self.forward(now, exchange, side, part, false);
            }
        }
        if to > from && self.exchanges.has(exchange) {
            self.credit(now, exchange, side, (to - from) as u32);
        }
        if is_end && self.exchanges.has(exchange) {
            self.forward(now, exchange, side, &[], true);
        }
    }

    /// Counts messages, and keeps the code of a close frame, for the records of both connections.
    fn count_messages(&mut self, exchange: ExchangeKey, side: Side, passed: &Passed) {
        let ex = &self.exchanges[exchange];
        let direction = match side {
            Side::Client => MessageDirection::Up,
            Side::Upstream => MessageDirection::Down,
        };
        let service = &self.services[ex.service].service;
        service.stats.cell(self.worker).messages(direction, passed.messages);
        let code = passed.closed.map(|code| code.unwrap_or(NO_STATUS)).and_then(NonZeroU16::new);
        let (from, to) = (ex.leg(side).at, ex.leg(side.other()).at);
        if let Some(conn) = from.and_then(|(key, _)| self.conns.get_mut(key)) {
            conn.figures.messages_in += passed.messages;
            conn.figures.close_code_in = code.or(conn.figures.close_code_in);
        }
        if let Some(conn) = to.and_then(|(key, _)| self.conns.get_mut(key)) {
            conn.figures.messages_out += passed.messages;
            conn.figures.close_code_out = code.or(conn.figures.close_code_out);
        }
    }

    /// A peer broke the rules of frames: the other one is told so at once, and answers; what it still says, and that answer,
    /// arrive, and then both sides end.
    fn websocket_fault(&mut self, now: Moment, exchange: ExchangeKey, side: Side, fault: Fault) {
        let ex = &mut self.exchanges[exchange];
        if let Some((key, _)) = ex.leg(side).at {
            self.conns[key].detail = Some(fault_word(fault));
        }
        let (pool, is_ordered) = (ex.pool, ex.websocket.as_ref().is_some_and(|w| w.end.is_some()));
        if let (Side::Upstream, Some(pool)) = (side, pool) {
            self.report(now, pool, Report::Failed);
        }
        if !is_ordered {
            self.order_end(
                now,
                exchange,
                End {
                    code: fault.close_code(),
                    boundary: Boundary::Close,
                    outcome: ExchangeOutcome::WebSocketFault,
                    reason: CloseReason::WebSocketFault,
                },
            );
        }
        self.end_direction(now, exchange, side);
        self.end_directions_at(now, exchange, Boundary::Close);
    }

    /// Ends a WebSocket where its directions allow it, or a few seconds from now.
    fn end_websocket(&mut self, now: Moment, exchange: ExchangeKey, end: End) {
        let Some(websocket) = &self.exchanges[exchange].websocket else { return };
        if websocket.end.is_none() {
            self.order_end(now, exchange, end);
            self.end_directions_at(now, exchange, end.boundary);
        }
    }

    fn order_end(&mut self, now: Moment, exchange: ExchangeKey, end: End) {
        let ex = &mut self.exchanges[exchange];
        if let Some(websocket) = &mut ex.websocket {
            websocket.end = Some(end);
        }
        ex.deadline = now + LAST_BYTES;
        self.arm_exchange(exchange, now + LAST_BYTES);
    }

    /// Ends the directions that stand at this boundary; the client hears first.
    fn end_directions_at(&mut self, now: Moment, exchange: ExchangeKey, boundary: Boundary) {
        for from in [Side::Upstream, Side::Client] {
            let Some(ex) = self.exchanges.get(exchange) else { return };
            // Of a side that has ended nothing comes any more.
            let is_there = |w: &WebSocket| ex.leg(from).is_received || w.is_at(from, boundary);
            if ex.websocket.as_ref().is_some_and(|w| !w.is_cut(from) && is_there(w)) {
                self.end_direction(now, exchange, from);
            }
        }
    }

    /// Ends one direction with a close frame, unless one went by; with the second one, both sides end.
    fn end_direction(&mut self, now: Moment, exchange: ExchangeKey, from: Side) {
        let Some(websocket) = &mut self.exchanges[exchange].websocket else { return };
        let Some(end) = websocket.end else { return };
        // Inside a frame, and behind a close frame, there is no place for one.
        let has_place = websocket.is_at(from, Boundary::Frame) && !websocket.is_closed(from);
        websocket.cut(from);
        let is_last = websocket.is_cut(from.other());
        if has_place {
            self.put_close(now, exchange, from.other(), end);
        }
        if !is_last {
            return;
        }
        for to in [Side::Client, Side::Upstream] {
            let Some(ex) = self.exchanges.get_mut(exchange) else { return };
            let leg = ex.leg_mut(to);
            if !leg.is_sent && leg.at.is_some() {
                leg.ends_after_backlog = true;
                if !leg.is_blocked {
                    self.flush_leg(now, exchange, to);
                }
            }
        }
        self.end_if_answered(now, exchange);
    }

    fn put_close(&mut self, now: Moment, exchange: ExchangeKey, to: Side, end: End) {
        let mask = (to == Side::Upstream).then(|| self.nonces.mask());
        let mut frame = std::mem::take(&mut self.scratch);
        frame.clear();
        websocket::put_close(&mut frame, mask, end.code, end.reason.code());
        if let Some((key, _)) = self.exchanges[exchange].leg(to).at {
            self.conns[key].figures.close_code_out = NonZeroU16::new(end.code);
        }
        self.put_frame(now, exchange, to, &frame);
        self.scratch = frame;
    }

    /// Puts a frame of ours behind what was sent to a peer.
    fn put_frame(&mut self, now: Moment, exchange: ExchangeKey, to: Side, frame: &[u8]) {
        let leg = self.exchanges[exchange].leg_mut(to);
        if leg.at.is_none() || leg.is_sent || leg.ends_after_backlog {
            return;
        }
        self.backlog_bytes += leg.backlog.push(frame);
        if !leg.is_blocked {
            self.flush_leg(now, exchange, to);
        }
    }

    /// The time that a WebSocket was given to end is over.
    pub(super) fn end_in_vain(&mut self, now: Moment, exchange: ExchangeKey) {
        for from in [Side::Upstream, Side::Client] {
            let websocket = self.exchanges.get(exchange).and_then(|ex| ex.websocket.as_ref());
            if websocket.is_some_and(|w| !w.is_cut(from)) {
                self.end_direction(now, exchange, from);
            }
        }
        if let Some(end) = self.exchanges.get(exchange).and_then(|ex| ex.websocket.as_ref()?.end) {
            self.break_off(now, exchange, end.outcome, end.reason);
        }
    }

    /// Ends a WebSocket now: its peers are told so where there is a place for it.
    pub(super) fn cut_websocket(
        &mut self,
        now: Moment,
        exchange: ExchangeKey,
        code: u16,
        reason: CloseReason,
    ) {
        self.cut_websocket_as(now, exchange, code, ExchangeOutcome::Drained, reason);
    }

    /// The same, for another outcome than a drain's.
    pub(super) fn cut_websocket_as(
        &mut self,
        now: Moment,
        exchange: ExchangeKey,
        code: u16,
        outcome: ExchangeOutcome,
        reason: CloseReason,
    ) {
        self.end_websocket(now, exchange, End { code, boundary: Boundary::Frame, outcome, reason });
        if self.exchanges.has(exchange) {
            self.end_in_vain(now, exchange);
        }
    }

    /// The endpoint of this connection goes, or has gone: WebSockets on it end and their clients come again. True if it
    /// is one's own and ends with it.
    pub(super) fn end_websockets_of(&mut self, now: Moment, key: ConnKey, reason: CloseReason) -> bool {
        let Some(conn) = self.conns.get(key) else { return true };
        let is_own = conn.http2().is_none();
        let open = conn.streams.in_order();
        let mut ends_itself = false;
        for (_, exchange) in open {
            if self.exchanges.get(exchange).is_none_or(|ex| ex.websocket.is_none()) {
                continue;
            }
            if is_own {
                let (code, boundary) = (SERVICE_RESTART, Boundary::Message);
                let end = End { code, boundary, outcome: ExchangeOutcome::Drained, reason };
                self.end_websocket(now, exchange, end);
                ends_itself = true;
            } else {
                self.cut_websocket(now, exchange, SERVICE_RESTART, reason);
            }
        }
        ends_itself
    }

    /// How often a WebSocket's peers are to be heard.
    fn ping_interval(&self, exchange: ExchangeKey) -> Option<Duration> {
        self.services[self.exchanges[exchange].service].service.policy.websocket.ping_interval
    }

    /// When a ping of a WebSocket is due, or its time is over; `None` where there are none.
    pub(super) fn next_ping(&self, now: Moment, exchange: ExchangeKey) -> Option<Moment> {
        let pings = self.exchanges[exchange].websocket.as_ref()?.pings.as_ref()?;
        let interval = self.ping_interval(exchange)?;
        let next = [pings.client, pings.endpoint].map(|peer| match peer.pinged {
            // Once it is answered, the next one is due before that.
            Some(pinged) => (pinged + interval * UNANSWERED).min(now + interval),
            None => peer.heard + interval,
        });
        let next = next[0].min(next[1]);
        // Whatever could not be pinged just now is in an interval.
        Some(if next > now { next } else { now + interval })
    }

    /// Pings the peers of a WebSocket that were silent for an interval, and ends it if one has not answered for two.
    pub(super) fn check_pings(&mut self, now: Moment, exchange: ExchangeKey) {
        let Some(interval) = self.ping_interval(exchange) else { return };
        for side in [Side::Client, Side::Upstream] {
            let nonce = self.nonces.make();
            let ex = &mut self.exchanges[exchange];
            let is_taking = {
                let leg = ex.leg(side);
                // Who does not take what waits is for the send timeout.
                leg.at.is_some() && leg.backlog.is_empty() && !leg.is_sent
            };
            let Some(websocket) = &mut ex.websocket else { return };
            let from = side.other();
            let has_place = websocket.is_at(from, Boundary::Frame) && !websocket.is_closed(from);
            // Behind its close frame a peer answers nothing.
            let is_there = !websocket.is_closed(side);
            let Some(peer) = websocket.pings.as_mut().map(|pings| pings.of(side)) else { return };
            match peer.pinged {
                Some(pinged) if pinged + interval * UNANSWERED <= now && is_there => {
                    let (code, boundary) = (INTERNAL_ERROR, Boundary::Frame);
                    let (outcome, reason) = (ExchangeOutcome::PingTimeout, CloseReason::PingTimeout);
                    self.end_websocket(now, exchange, End { code, boundary, outcome, reason });
                    return;
                }
                None if peer.heard + interval <= now && has_place && is_taking && is_there => {
                    let payload = peer.ping(now, nonce);
                    let mask = (side == Side::Upstream).then(|| self.nonces.mask());
                    let mut frame = std::mem::take(&mut self.scratch);
                    frame.clear();
                    websocket::put_ping(&mut frame, mask, &payload);
                    self.put_frame(now, exchange, side, &frame);
                    self.scratch = frame;
                    if !self.exchanges.has(exchange) {
                        return;
                    }
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::Conn;
    use crate::exchange::{Exchange, Leg};

    #[test]
    fn an_idle_websocket_costs_no_more_than_1600_bytes() {
        let parts = [
            ("two connections", 2 * size_of::<Conn>()),
            ("exchange", size_of::<Exchange>()),
            ("of that, two legs", 2 * size_of::<Leg>()),
            ("websocket", size_of::<WebSocket>()),
        ];
        println!("{parts:?}");
        let sum = parts[0].1 + parts[1].1 + parts[3].1;
        assert!(sum <= 1_600, "{sum} bytes: {parts:?}");
    }
}
