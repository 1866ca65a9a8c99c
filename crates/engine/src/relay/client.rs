//! A request begins, or its trailers come.

use super::Engine;
use crate::conn::header_limits;
use crate::exchange::{Exchange, Kind, Leg};
use crate::forwarded;
use crate::grpc_web::Preflight;
use crate::keys::{ConnKey, ExchangeKey};
use crate::request::{Protocol, RequestHead, View, check_request, check_trailers};
use crate::side::Side;
use evenkeel_core::policy::{HeaderRules, Retry, RoutePolicy};
use evenkeel_core::reason::{CloseReason, ExchangeOutcome, Limit};
use evenkeel_core::time::Moment;
use evenkeel_wire::hpack::HeaderList;
use evenkeel_wire::http2::ErrorCode;
use std::time::Duration;

/// Resets lately above which a client's requests go out only once all that came with them was read: most are cancelled
/// by then, and no endpoint need hear of them.
const OFTEN: u32 = 16;

/// A block that names each entry of a full table once, and spells out the rest, decodes to no more than so many times its
/// bytes ...
const HONEST_GROWTH: usize = 40;
/// ... and this. What is more comes of naming entries over and over, and each KiB of it counts as a control frame.
const HONEST_TABLE: usize = 8 * 1024;

impl Engine {
    /// HEADERS from a client.
    pub(super) fn client_headers(
        &mut self,
        now: Moment,
        key: ConnKey,
        stream: u32,
        block: &[u8],
        is_end: bool,
    ) {
        if self.refuse_full_output(now, key) {
            return;
        }
        let Some(list) = self.decode(now, key, block) else { return };
        // What lies beyond the limit was not kept.
        let kept = list.decoded_bytes().min(self.limits.header_list_bytes);
        let grown = kept.saturating_sub(HONEST_GROWTH * block.len() + HONEST_TABLE);
        if grown > 0 && !self.count_controls(now, key, grown / 1024 + 1) {
            self.give_list(list);
            return;
        }
        let conn = &mut self.conns[key];
        if let Some(exchange) = conn.streams.get(stream) {
            self.request_trailers(now, exchange, list, is_end);
            return;
        }
        if stream.is_multiple_of(2) {
            self.give_list(list);
            let (code, reason) = (ErrorCode::ProtocolError, CloseReason::ProtocolError);
            self.refuse_peer(now, key, code, reason, "a request on an even stream");
            return;
        }
        if conn.is_past_goaway(stream) {
            // It crosses our GOAWAY on its way; the block was decoded all the same, for the table's sake.
            conn.highest_stream = conn.highest_stream.max(stream);
            self.give_list(list);
            return;
        }
        if stream <= conn.highest_stream {
            let was_reset = conn.http2().is_some_and(|h| h.reset_lately.contains(&stream));
            self.give_list(list);
            if was_reset {
                self.count_control(now, key);
            } else {
                let (code, reason) = (ErrorCode::StreamClosed, CloseReason::ProtocolError);
                self.refuse_peer(now, key, code, reason, "headers on a stream that has ended");
            }
            return;
        }
        conn.highest_stream = stream;
        if conn.counted_streams() >= self.limits.concurrent_streams as usize {
            self.stats.refused(Limit::ConcurrentStreams);
            self.give_list(list);
            self.refuse_stream(now, key, stream, ErrorCode::RefusedStream);
            return;
        }
        self.request(now, key, stream, list, is_end, false);
    }

    /// A request's headers, whatever they came in, on a stream that is new. `asks_websocket`: by HTTP/1's `Upgrade`.
    pub(super) fn request(
        &mut self,
        now: Moment,
        key: ConnKey,
        stream: u32,
        list: HeaderList,
        is_end: bool,
        asks_websocket: bool,
    ) {
        if self.exchanges.len() >= self.limits.exchanges {
            self.stats.refused(Limit::Exchanges);
            self.give_list(list);
            self.refuse_request(
                now,
                key,
                stream,
                ErrorCode::RefusedStream,
                503,
                "too many exchanges are open",
            );
            return;
        }
        if list.is_truncated() {
            self.stats.refused(Limit::HeaderListBytes);
            let exchange = self.open_exchange(now, key, stream, list, RequestHead::default(), is_end);
            self.answer(now, exchange, ExchangeOutcome::BadRequest, 431);
            return;
        }
        let grpc_web = self.web_of(key);
        let mut list = list;
        let web = grpc_web.as_ref().and_then(|grpc_web| self.begin_web(grpc_web, &mut list));
        let head = match check_request(&list, &self.store) {
            Ok(head) if head.content_length.is_some_and(|n| n > 0) && is_end => {
                return self.bad_request(now, key, stream, list);
            }
            Ok(head) => head,
            Err(_) => return self.bad_request(now, key, stream, list),
        };
        let exchange = self.open_exchange(now, key, stream, list, head, is_end);
        if head.protocol == Some(Protocol::Other) {
            self.answer(now, exchange, ExchangeOutcome::ProtocolNotKnown, 501);
            return;
        }
        if let Some(grpc_web) = &grpc_web {
            self.exchanges[exchange].web = web;
            let request = &self.exchanges[exchange].request;
            if let Some(preflight) = Preflight::of(request, &self.store, grpc_web) {
                return self.answer_preflight(now, exchange, &preflight);
            }
        }
        if asks_websocket || head.protocol == Some(Protocol::WebSocket) {
            if !self.admit_websocket(now, exchange) {
                return;
            }
        } else if head.is_connect {
            self.answer(now, exchange, ExchangeOutcome::BadRequest, 405);
            return;
        }
        self.route(now, key, exchange, head.grpc_timeout);
    }

    /// A request whose headers break the rules (RFC 9113 §8.1.1).
    fn bad_request(&mut self, now: Moment, key: ConnKey, stream: u32, list: HeaderList) {
        self.give_list(list);
        self.exchange_failed(key);
        if let Some(client) = self.conns[key].client() {
            client.listener.stats.cell(self.worker).exchange_ended_unrouted(ExchangeOutcome::BadRequest);
        }
        self.refuse_request(now, key, stream, ErrorCode::ProtocolError, 400, "headers that break the rules");
    }

    /// Refuses a request that never became an exchange: a stream is reset, HTTP/1 gets a status and ends.
    fn refuse_request(
        &mut self,
        now: Moment,
        key: ConnKey,
        stream: u32,
        code: ErrorCode,
        status: u16,
        why: &'static str,
    ) {
        if self.conns[key].http1().is_some() {
            self.refuse_http1(now, key, status, why, CloseReason::BadMessage);
        } else {
            self.refuse_stream(now, key, stream, code);
        }
    }

    /// Resets a stream that never became an exchange.
    pub(super) fn refuse_stream(&mut self, now: Moment, key: ConnKey, stream: u32, code: ErrorCode) {
        if self.count_reset(now, key) {
            self.conns[key].put_reset(stream, code, &mut self.buffers);
            self.mark_dirty(key);
        }
    }

    /// Decodes a block; `None` if the connection was ended for it.
    pub(super) fn decode(&mut self, now: Moment, key: ConnKey, block: &[u8]) -> Option<HeaderList> {
        let mut list = self.take_list();
        let limits = &header_limits(&self.limits);
        let http2 = self.conns[key].http2_mut()?;
        let decoded = http2.decoder.decode(block, limits, &mut self.store, &mut list);
        for _ in 0..self.store.take_refused() {
            self.stats.refused(Limit::InternedBytes);
        }
        let Err(error) = decoded else { return Some(list) };
        self.give_list(list);
        use evenkeel_wire::hpack::DecodeError;
        let (code, reason, detail) = match error {
            DecodeError::Truncated => compression("the block ends inside a field"),
            DecodeError::Integer => compression("an integer of more than five octets"),
            DecodeError::Huffman => compression("a wrong Huffman coding"),
            DecodeError::Index => compression("an index beyond the tables"),
            DecodeError::SizeUpdate => compression("a table size update that is not allowed"),
        };
        self.refuse_peer(now, key, code, reason, detail);
        None
    }

    pub(super) fn open_exchange(
        &mut self,
        now: Moment,
        key: ConnKey,
        stream: u32,
        request: HeaderList,
        head: RequestHead,
        is_end: bool,
    ) -> ExchangeKey {
        let conn = &mut self.conns[key];
        let window = conn.first_window();
        let mut client = Leg::new(Some((key, stream)), window, i64::from(self.limits.stream_window));
        client.is_received = is_end;
        client.announced = head.content_length;
        let exchange = self.exchanges.insert(Exchange {
            client,
            upstream: Leg::new(None, 0, 0),
            service: usize::MAX,
            pool: None,
            waits_since: None,
            began: now,
            deadline: Moment::NEVER,
            sent: now,
            try_deadline: Moment::NEVER,
            retry: Retry::default(),
            request,
            replay: Vec::new(),
            is_replayable: true,
            is_retrying: false,
            request_trailers: None,
            tried: Vec::new(),
            went_away: Vec::new(),
            interim_answers: 0,
            sent_times: 0,
            body_left: None,
            kind: Kind::Message,
            is_tunnel: false,
            upgraded_idle: None,
            heard: now,
            websocket: None,
            is_idempotent: head.is_idempotent,
            is_grpc: head.is_grpc,
            is_head: head.is_head,
            web: None,
            events: None,
            is_answered: false,
        });
        conn.streams.insert(stream, exchange);
        conn.figures.exchanges += 1;
        exchange
    }

    /// Finds the service of a request and gives it there.
    fn route(&mut self, now: Moment, key: ConnKey, exchange: ExchangeKey, grpc_timeout: Option<Duration>) {
        let Some(client) = self.conns[key].client() else { return };
        let address = client.peer.ip();
        let listener = self.snapshot.listener(client.listener.id).unwrap_or(&client.listener);
        let secured = client.secured.as_deref();
        let server_name = secured.and_then(|s| s.server_name.as_deref());
        let view = View { list: &self.exchanges[exchange].request, store: &self.store, server_name };
        let route = listener.routes.find(&view);
        let policy = route.map_or_else(RoutePolicy::default, |r| r.policy);
        let service = route.and_then(|r| self.service_of.get(&r.service).copied());
        let Some(service) = service.filter(|&s| !self.services[s].is_removed) else {
            self.answer(now, exchange, ExchangeOutcome::NoRoute, 404);
            return;
        };
        self.services[service].exchanges += 1;
        let ex = &mut self.exchanges[exchange];
        ex.service = service;
        ex.retry = policy.retry;
        ex.body_left = policy.request_body_bytes;
        ex.upgraded_idle = policy.upgraded_idle;
        if let (Some(most), Some(announced)) = (ex.body_left, ex.client.announced)
            && announced > most
        {
            self.stats.refused(Limit::RequestBodyBytes);
            return self.fail(now, exchange, ExchangeOutcome::BodyTooLarge);
        }
        let ex = &mut self.exchanges[exchange];
        if policy.headers != HeaderRules::default() {
            let (list, store) = (&mut ex.request, &mut self.store);
            let client = forwarded::Client { address, secured };
            forwarded::apply(policy.headers, client, list, store, &mut self.scratch, &mut self.request_ids);
        }
        let timeout = [policy.request_timeout, grpc_timeout].into_iter().flatten().min();
        if let Some(timeout) = timeout {
            ex.deadline = now + timeout;
            self.arm_exchange(exchange, now + timeout);
        }
        let limit = self.limits.resets;
        if self.conns[key].http2_mut().is_some_and(|http2| http2.resets.is_above(now, limit, OFTEN)) {
            self.deferred.push(exchange);
        } else {
            self.dispatch(now, exchange);
        }
    }

    pub(super) fn request_trailers(
        &mut self,
        now: Moment,
        exchange: ExchangeKey,
        list: HeaderList,
        is_end: bool,
    ) {
        let client = &self.exchanges[exchange].client;
        if client.is_received {
            self.give_list(list);
            self.reset_by_fault(now, exchange, Side::Client, ErrorCode::StreamClosed);
        } else if !is_end
            || list.is_truncated()
            || client.announced.is_some_and(|left| left > 0)
            || check_trailers(&list, &self.store).is_err()
        {
            self.give_list(list);
            self.reset_by_fault(now, exchange, Side::Client, ErrorCode::ProtocolError);
        } else {
            self.exchanges[exchange].client.is_received = true;
            self.forward_trailers(now, exchange, Side::Client, list);
        }
    }
}

fn compression(detail: &'static str) -> (ErrorCode, CloseReason, &'static str) {
    (ErrorCode::CompressionError, CloseReason::CompressionError, detail)
}
