//! Calls of gRPC-Web on their way through the relay: bodies and trailers in the client's form, and answers of our own.

use super::Engine;
use crate::grpc_web::{Preflight, WebCall};
use crate::keys::{ConnKey, ExchangeKey};
use crate::side::Side;
use evenkeel_core::policy::GrpcWeb;
use evenkeel_core::reason::ExchangeOutcome;
use evenkeel_core::time::Moment;
use evenkeel_wire::hpack::HeaderList;
use evenkeel_wire::http2::ErrorCode;
use std::sync::Arc;

impl Engine {
    /// The translation of a client's listener, if it is on.
    pub(super) fn web_of(&self, key: ConnKey) -> Option<Arc<GrpcWeb>> {
        let client = self.conns[key].client()?;
        let listener = self.snapshot.listener(client.listener.id).unwrap_or(&client.listener);
        listener.policy.grpc_web.clone()
    }

    /// Answers a question of a browser before its call.
    pub(super) fn answer_preflight(&mut self, now: Moment, exchange: ExchangeKey, preflight: &Preflight) {
        let Some((key, stream)) = self.exchanges[exchange].client.at else { return };
        let mut list = self.take_list();
        preflight.put(&mut list);
        let conn = &mut self.conns[key];
        // What we say ourselves can be said in every version.
        let _ = conn.put_response(stream, true, &list, &mut self.store, &mut self.buffers);
        if let Some(client) = conn.client() {
            client.listener.stats.cell(self.worker).exchange_ended_unrouted(ExchangeOutcome::Completed);
        }
        self.give_list(list);
        self.mark_dirty(key);
        let is_unread = !self.exchanges[exchange].client.is_received;
        self.leave_client(now, exchange, is_unread.then_some(ErrorCode::NoError));
        self.finish(now, exchange, ExchangeOutcome::Completed);
    }

    /// Passes a part of a translated call's body on.
    pub(super) fn forward_web(
        &mut self,
        now: Moment,
        exchange: ExchangeKey,
        side: Side,
        payload: &[u8],
        is_end: bool,
    ) {
        let Some(web) = &mut self.exchanges[exchange].web else { return };
        let passes = if side == Side::Client { !web.is_text() } else { web.passes_answer };
        if passes {
            return self.forward(now, exchange, side, payload, is_end);
        }
        let mut part = std::mem::take(&mut self.scratch);
        part.clear();
        let is_sound = match side {
            Side::Client => {
                web.decoder.decode(payload, &mut part).is_ok() && (!is_end || web.decoder.finish().is_ok())
            }
            Side::Upstream => {
                web.writer.put(&mut part, payload);
                if is_end {
                    web.writer.end(&mut part, std::iter::empty());
                } else {
                    // A message is not to wait for the next one's first octets.
                    web.writer.flush(&mut part);
                }
                true
            }
        };
        if is_sound {
            let less = payload.len().saturating_sub(part.len());
            self.credit(now, exchange, side, less as u32);
            if !part.is_empty() || is_end {
                self.forward(now, exchange, side, &part, is_end);
            }
        } else {
            self.leave_upstream(now, exchange, Some(ErrorCode::Cancel));
            self.answer(now, exchange, ExchangeOutcome::BadRequest, 400);
        }
        self.scratch = part;
    }

    /// Trailers of an endpoint are the end of the body for a client of gRPC-Web. Gives the list back if they pass as they
    /// are.
    pub(super) fn end_web_body(
        &mut self,
        now: Moment,
        exchange: ExchangeKey,
        list: HeaderList,
    ) -> Option<HeaderList> {
        let web = self.exchanges[exchange].web.as_deref_mut().filter(|web| !web.passes_answer);
        let Some(web) = web else { return Some(list) };
        let mut part = std::mem::take(&mut self.scratch);
        part.clear();
        let store = &self.store;
        let fields = list.fields().iter().map(|f| (list.name_bytes(f, store), list.value(f, store)));
        web.writer.end(&mut part, fields);
        self.give_list(list);
        self.forward(now, exchange, Side::Upstream, &part, true);
        self.scratch = part;
        None
    }

    /// Makes a request of gRPC-Web one of gRPC.
    pub(super) fn begin_web(&mut self, web: &GrpcWeb, list: &mut HeaderList) -> Option<Box<WebCall>> {
        WebCall::begin(list, &mut self.store, web).map(Box::new)
    }
}
