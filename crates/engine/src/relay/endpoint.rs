//! The endpoint answers: interim and final headers, trailers, resets, GOAWAY.

use super::Engine;
use super::websocket::Success;
use crate::conn::Conn;
use crate::exchange::Kind;
use crate::keys::{ConnKey, ExchangeKey};
use crate::request::{ResponseHead, check_response, check_trailers};
use crate::side::Side;
use evenkeel_core::balancer::Report;
use evenkeel_core::reason::{CloseReason, ExchangeOutcome, Limit, RetryReason};
use evenkeel_core::time::Moment;
use evenkeel_wire::hpack::HeaderList;
use evenkeel_wire::http2::ErrorCode;

/// `grpc-status` UNAVAILABLE: the endpoint says that it cannot serve.
const GRPC_UNAVAILABLE: u32 = 14;
/// `grpc-status` RESOURCE_EXHAUSTED: the endpoint, or a quota, has no room.
const GRPC_RESOURCE_EXHAUSTED: u32 = 8;

/// What an answer would be sent again for, where the route allows it. `is_end`: the headers are all of it.
fn failure_of(head: ResponseHead, is_end: bool) -> Option<RetryReason> {
    match (head.status, head.grpc_status.filter(|_| is_end)) {
        (502..=504, _) => Some(RetryReason::GatewayError),
        (_, Some(GRPC_UNAVAILABLE)) => Some(RetryReason::Unavailable),
        (_, Some(GRPC_RESOURCE_EXHAUSTED)) => Some(RetryReason::ResourceExhausted),
        _ => None,
    }
}

impl Engine {
    /// HEADERS from an endpoint.
    pub(super) fn endpoint_headers(
        &mut self,
        now: Moment,
        key: ConnKey,
        stream: u32,
        block: &[u8],
        is_end: bool,
    ) {
        let Some(list) = self.decode(now, key, block) else { return };
        let conn = &self.conns[key];
        let Some(exchange) = conn.streams.get(stream) else {
            let is_unopened = conn.is_unopened(stream);
            self.give_list(list);
            if is_end {
                self.unheard_stream_ended(now, key, stream, false);
            }
            if is_unopened {
                let (code, reason) = (ErrorCode::ProtocolError, CloseReason::ProtocolError);
                self.refuse_peer(now, key, code, reason, "an answer on a stream that was not opened");
            }
            return;
        };
        if list.is_truncated() {
            self.stats.refused(Limit::HeaderListBytes);
            self.give_list(list);
            self.reset_by_fault(now, exchange, Side::Upstream, ErrorCode::ProtocolError);
            return;
        }
        self.answered(now, exchange, list, is_end);
    }

    /// Headers of an answer, whatever they came in: interim or final ones, or trailers.
    pub(super) fn answered(&mut self, now: Moment, exchange: ExchangeKey, list: HeaderList, is_end: bool) {
        if self.exchanges[exchange].upstream.is_received {
            self.give_list(list);
            self.reset_by_fault(now, exchange, Side::Upstream, ErrorCode::StreamClosed);
        } else if self.exchanges[exchange].is_answered {
            self.response_trailers(now, exchange, list, is_end);
        } else {
            match check_response(&list, &self.store) {
                Ok(head) if head.status < 200 => self.interim(now, exchange, list, head, is_end),
                Ok(head) => self.response(now, exchange, list, head, is_end),
                Err(_) => {
                    self.give_list(list);
                    self.reset_by_fault(now, exchange, Side::Upstream, ErrorCode::ProtocolError);
                }
            }
        }
    }

    /// 1xx travels on as it is (RFC 9110 §15.2); 101 has no meaning in HTTP/2.
    fn interim(
        &mut self,
        now: Moment,
        exchange: ExchangeKey,
        list: HeaderList,
        head: ResponseHead,
        is_end: bool,
    ) {
        if is_end || head.status == 101 {
            self.give_list(list);
            self.reset_by_fault(now, exchange, Side::Upstream, ErrorCode::ProtocolError);
            return;
        }
        let ex = &mut self.exchanges[exchange];
        ex.interim_answers += 1;
        if ex.interim_answers > self.limits.interim_answers {
            self.stats.refused(Limit::InterimAnswers);
            self.give_list(list);
            self.reset_by_fault(now, exchange, Side::Upstream, ErrorCode::EnhanceYourCalm);
            return;
        }
        if ex.kind == Kind::WebSocket {
            // Whoever opens a WebSocket has no use for it, and the handshake may still be taken elsewhere.
            return self.give_list(list);
        }
        if let Some((client, stream)) = ex.client.at {
            if self.is_output_full(client) {
                return self.shed(now, exchange, list);
            }
            // What cannot be said to this client is left out: it is no answer yet.
            let _ = self.conns[client].put_interim(stream, &list, &mut self.store, &mut self.buffers);
            self.mark_dirty(client);
        }
        self.give_list(list);
        // The client has seen something of this endpoint.
        self.stay(exchange);
    }

    fn response(
        &mut self,
        now: Moment,
        exchange: ExchangeKey,
        mut list: HeaderList,
        head: ResponseHead,
        is_end: bool,
    ) {
        if (200..300).contains(&head.status) && self.exchanges[exchange].kind == Kind::WebSocket {
            match self.meaning_of_success(exchange, is_end) {
                Success::Stands => return self.websocket_stands(now, exchange, list),
                Success::Answer => {}
                Success::Fault => {
                    self.give_list(list);
                    return self.reset_by_fault(now, exchange, Side::Upstream, ErrorCode::ProtocolError);
                }
            }
        }
        let ex = &mut self.exchanges[exchange];
        ex.upstream.is_received = is_end;
        let has_no_body = ex.is_head || matches!(head.status, 204 | 304);
        ex.upstream.announced = if has_no_body { Some(0) } else { head.content_length };
        if is_end && ex.upstream.announced.is_some_and(|left| left > 0) {
            self.give_list(list);
            self.reset_by_fault(now, exchange, Side::Upstream, ErrorCode::ProtocolError);
            return;
        }
        let failure = failure_of(head, is_end).filter(|&reason| {
            // Calls that are refused for want of resources say something of the endpoint only where they are sent
            // again; there it must not seem the fastest of all.
            reason != RetryReason::ResourceExhausted || ex.retry.on.allows(reason)
        });
        let has_failed = failure.is_some() || head.grpc_status == Some(GRPC_UNAVAILABLE);
        let report = if has_failed { Report::Failed } else { Report::Answered(now.since(ex.sent)) };
        if let Some(pool) = ex.pool {
            self.report(now, pool, report);
        }
        if failure.is_some_and(|reason| self.try_again(now, exchange, reason)) {
            self.give_list(list);
            return;
        }
        self.stay(exchange);
        self.end_retry(exchange);
        if head.status == 200 && !is_end {
            self.follow_events(now, exchange, &list);
        }
        let ex = &mut self.exchanges[exchange];
        ex.is_answered = true;
        ex.try_deadline = Moment::NEVER;
        let Some((client, stream)) = self.exchanges[exchange].client.at else { return self.give_list(list) };
        if self.is_output_full(client) {
            self.exchanges[exchange].is_answered = false;
            return self.shed(now, exchange, list);
        }
        if let Some(web) = &mut self.exchanges[exchange].web {
            web.translate_answer(&mut list, &mut self.store);
        }
        let put = self.conns[client].put_response(stream, is_end, &list, &mut self.store, &mut self.buffers);
        if put.is_err() {
            self.exchanges[exchange].is_answered = false;
            self.give_list(list);
            return self.fail(now, exchange, ExchangeOutcome::UpstreamProtocolError);
        }
        self.exchanges[exchange].client.is_sent = is_end;
        self.give_list(list);
        self.mark_dirty(client);
        if is_end {
            self.end_if_answered(now, exchange);
        }
        self.free_upstream_if_ended(now, exchange);
    }

    pub(super) fn response_trailers(
        &mut self,
        now: Moment,
        exchange: ExchangeKey,
        list: HeaderList,
        is_end: bool,
    ) {
        let client = self.exchanges[exchange].client.at;
        if client.is_some_and(|(client, _)| self.is_output_full(client)) {
            return self.shed(now, exchange, list);
        }
        let ex = &mut self.exchanges[exchange];
        let checked = check_trailers(&list, &self.store);
        let is_short = ex.upstream.announced.is_some_and(|left| left > 0);
        match checked {
            Ok(status) if is_end && !is_short => {
                ex.upstream.is_received = true;
                if let (Some(pool), Some(GRPC_UNAVAILABLE)) = (ex.pool, status) {
                    self.report(now, pool, Report::Failed);
                }
                self.forward_trailers(now, exchange, Side::Upstream, list);
                self.free_upstream_if_ended(now, exchange);
            }
            _ => {
                self.give_list(list);
                self.reset_by_fault(now, exchange, Side::Upstream, ErrorCode::ProtocolError);
            }
        }
    }

    /// A client that asks and does not read: what it would be told is not piled up, and its exchange ends.
    pub(super) fn shed(&mut self, now: Moment, exchange: ExchangeKey, list: HeaderList) {
        self.stats.refused(Limit::ControlOutput);
        self.give_list(list);
        self.fail(now, exchange, ExchangeOutcome::Shed);
    }

    /// RST_STREAM from either peer.
    pub(super) fn peer_reset(&mut self, now: Moment, key: ConnKey, stream: u32, code: ErrorCode) {
        let conn = &mut self.conns[key];
        if conn.is_unopened(stream) {
            let (code, reason) = (ErrorCode::ProtocolError, CloseReason::ProtocolError);
            self.refuse_peer(now, key, code, reason, "a reset of a stream that was not opened");
            return;
        }
        let is_client = conn.is_client();
        let found = conn.streams.remove(stream);
        if is_client && !self.count_reset(now, key) {
            // The connection was ended for it, and with it whatever was open; this stream was taken out before.
            if let Some(exchange) = found {
                self.drop_client_leg(now, exchange, ExchangeOutcome::ClientReset);
            }
            return;
        }
        let Some(exchange) = found else { return self.unheard_stream_ended(now, key, stream, true) };
        if is_client {
            self.drop_client_leg(now, exchange, ExchangeOutcome::ClientReset);
            return;
        }
        let ex = &mut self.exchanges[exchange];
        ex.upstream.at = None;
        if self.keep_answer(now, exchange) {
            self.upstream_stream_ended(now, key);
            return;
        }
        let ex = &self.exchanges[exchange];
        if code == ErrorCode::RefusedStream && ex.is_replayable {
            self.move_on(now, exchange, ExchangeOutcome::UpstreamReset);
        } else {
            if !ex.is_answered
                && let Some(pool) = ex.pool
            {
                self.report(now, pool, Report::Failed);
            }
            if !self.try_again(now, exchange, RetryReason::Reset) {
                self.pass_reset(now, exchange, code);
            }
        }
        self.upstream_stream_ended(now, key);
    }

    /// GOAWAY (RFC 9113 §6.8): no new streams; those that an endpoint did not process go elsewhere.
    pub(super) fn peer_goes_away(&mut self, now: Moment, key: ConnKey, last_stream: u32) {
        let conn = &mut self.conns[key];
        let Some(upstream) = conn.upstream_mut() else {
            if conn.streams.is_empty() {
                self.end_conn(now, key, CloseReason::ClientGoAway, Some(ErrorCode::NoError));
            } else if let Some(client) = conn.client_mut() {
                client.is_leaving = true;
            }
            return;
        };
        upstream.is_retiring = true;
        let last = upstream.goaway.map_or(last_stream, |before| before.min(last_stream));
        upstream.goaway = Some(last);
        let open = conn.streams.in_order();
        for (id, exchange) in open.into_iter().filter(|(id, _)| *id > last) {
            if let Some(conn) = self.conns.get_mut(key) {
                conn.streams.remove(id);
            }
            if let Some(ex) = self.exchanges.get_mut(exchange) {
                ex.upstream.at = None;
                if self.keep_answer(now, exchange) {
                    continue;
                }
                self.move_on(now, exchange, ExchangeOutcome::UpstreamGone);
            }
        }
        let Some(pool) = self.conns.get(key).and_then(Conn::upstream).map(|u| u.pool) else { return };
        if self.pools.get(pool).is_some_and(|p| !p.pending.is_empty()) {
            self.redistribute(now, pool);
        }
        self.upstream_stream_ended(now, key);
    }
}
