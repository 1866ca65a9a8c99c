//! Answers of our own: what a client is told when its exchange cannot go on.

use super::Engine;
use crate::conn::Conn;
use crate::exchange::Kind;
use crate::grpc_web::WebCall;
use crate::keys::{ConnKey, ExchangeKey};
use evenkeel_core::reason::ExchangeOutcome;
use evenkeel_core::time::Moment;
use evenkeel_wire::hpack::static_id;
use evenkeel_wire::http2::ErrorCode;

impl Engine {
    /// An exchange cannot go on: the client gets an answer that says why, or a reset if its answer had begun.
    pub(super) fn fail(&mut self, now: Moment, exchange: ExchangeKey, outcome: ExchangeOutcome) {
        let status = match outcome {
            ExchangeOutcome::UpstreamProtocolError | ExchangeOutcome::WebSocketNotTaken => 502,
            ExchangeOutcome::BodyTooLarge => 413,
            ExchangeOutcome::RequestTimeout
            | ExchangeOutcome::TryTimeout
            | ExchangeOutcome::PendingTimeout
            | ExchangeOutcome::SendTimeout => 504,
            _ => 503,
        };
        self.leave_upstream(now, exchange, Some(ErrorCode::Cancel));
        self.answer(now, exchange, outcome, status);
    }

    /// Answers by ourselves and ends the exchange, which has no upstream stream (any more).
    pub(super) fn answer(
        &mut self,
        now: Moment,
        exchange: ExchangeKey,
        outcome: ExchangeOutcome,
        status: u16,
    ) {
        let ex = &self.exchanges[exchange];
        if ex.kind == Kind::Tunnel {
            return self.cut_tunnel(now, exchange, outcome);
        }
        let (is_grpc, is_answered, is_head) = (ex.is_grpc, ex.is_answered, ex.is_head);
        let web = self.exchanges[exchange].web.take();
        let ex = &self.exchanges[exchange];
        let is_cut = !ex.client.backlog.is_empty() || ex.upstream.announced.is_some_and(|left| left > 0);
        let mut reset = (!ex.client.is_received).then_some(ErrorCode::NoError);
        let Some((key, stream)) = ex.client.at else { return self.finish(now, exchange, outcome) };
        self.exchange_failed(key);
        let conn = &mut self.conns[key];
        if let Some(http1) = conn.http1_mut().filter(|_| reset.is_some()) {
            http1.is_last = true;
        }
        let web_end = web.as_ref().filter(|web| is_answered && !web.passes_answer && !is_cut);
        if let Some(end) = web_end.map(|web| end_of_web_answer(web, outcome)) {
            let window = self.exchanges[exchange].client.send_window.min(conn.send_window).max(0) as usize;
            if end.len() <= window {
                conn.put_body(stream, &end, true, &mut self.buffers);
                self.mark_dirty(key);
            } else {
                reset = Some(ErrorCode::InternalError);
            }
        } else if is_answered && (!is_grpc || is_cut || web.is_some()) {
            reset = Some(ErrorCode::InternalError);
        } else {
            let mut list = self.take_list();
            if !is_answered {
                let status = if is_grpc { "200".to_owned() } else { status.to_string() };
                match static_id(":status", &status) {
                    Some(id) => list.push_static(id, &mut self.store),
                    None => list.push(":status", status.as_bytes()),
                }
                let of_grpc = web.as_ref().map_or(&b"application/grpc"[..], |web| web.content_type());
                list.push("content-type", if is_grpc { of_grpc } else { b"text/plain" });
                if let Some(web) = &web {
                    web.put_cors(&mut list, &mut self.store);
                }
            }
            if outcome == ExchangeOutcome::WebSocketRefused {
                // The version that is taken (RFC 6455 §4.4).
                list.push("sec-websocket-version", b"13");
            }
            let text = format!("{}: {}", outcome.code(), outcome.why());
            if is_grpc {
                list.push("grpc-status", grpc_status(outcome).as_bytes());
                list.push("grpc-message", text.as_bytes());
            }
            let has_body = !is_grpc && !is_head;
            let conn = &mut self.conns[key];
            if has_body && conn.http1().is_some() {
                list.push("content-length", text.len().to_string().as_bytes());
            }
            if is_answered {
                conn.put_trailers(stream, &list, &mut self.store, &mut self.buffers);
            } else {
                // What we say ourselves can be said in every version.
                let _ = conn.put_response(stream, !has_body, &list, &mut self.store, &mut self.buffers);
            }
            if has_body {
                // A window that is closed is no reason to wait: the status says enough.
                let window =
                    self.exchanges[exchange].client.send_window.min(conn.send_window).max(0) as usize;
                let body = &text.as_bytes()[..text.len().min(window)];
                conn.put_body(stream, body, true, &mut self.buffers);
            }
            self.give_list(list);
            self.mark_dirty(key);
        }
        self.leave_client(now, exchange, reset);
        self.count_unrouted(exchange, key, outcome);
        self.finish(now, exchange, outcome);
    }

    /// Counts an exchange that ends before it has a service.
    pub(super) fn count_unrouted(&self, exchange: ExchangeKey, key: ConnKey, outcome: ExchangeOutcome) {
        if self.exchanges[exchange].service == usize::MAX
            && let Some(client) = self.conns.get(key).and_then(Conn::client)
        {
            client.listener.stats.cell(self.worker).exchange_ended_unrouted(outcome);
        }
    }
}

/// The end of an answer of gRPC-Web that had begun.
fn end_of_web_answer(web: &WebCall, outcome: ExchangeOutcome) -> Vec<u8> {
    let (mut end, text) = (Vec::new(), format!("{}: {}", outcome.code(), outcome.why()));
    let trailers =
        [(&b"grpc-status"[..], grpc_status(outcome).as_bytes()), (&b"grpc-message"[..], text.as_bytes())];
    let mut writer = web.writer;
    writer.end(&mut end, trailers.into_iter());
    end
}

/// The status of the gRPC status codes document that an outcome is for a caller.
const fn grpc_status(outcome: ExchangeOutcome) -> &'static str {
    match outcome {
        ExchangeOutcome::RequestTimeout | ExchangeOutcome::TryTimeout => "4",
        ExchangeOutcome::PendingOverflow | ExchangeOutcome::Shed => "8",
        ExchangeOutcome::NoRoute => "12",
        ExchangeOutcome::UpstreamProtocolError | ExchangeOutcome::BadRequest => "13",
        _ => "14",
    }
}
