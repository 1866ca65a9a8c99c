//! Server-sent events: bytes pass as they come, and beside them their events are counted and the id is kept that a client
//! would come again with.

use super::Engine;
use crate::keys::ExchangeKey;
use evenkeel_core::stats::MessageDirection;
use evenkeel_core::time::Moment;
use evenkeel_wire::hpack::{HeaderList, Name};
use evenkeel_wire::sse::EventTracker;

/// The media type of a stream of events (WHATWG HTML §9.2).
const EVENT_STREAM: &[u8] = b"text/event-stream";

/// Whether a content type is that of a stream of events, with parameters or without.
fn is_event_stream(content_type: &[u8]) -> bool {
    let end = content_type.iter().position(|b| matches!(b, b';' | b' ' | b'\t'));
    content_type[..end.unwrap_or(content_type.len())].eq_ignore_ascii_case(EVENT_STREAM)
}

impl Engine {
    /// Follows the events of an answer with these headers, if it has any. What is encoded cannot be followed.
    pub(super) fn follow_events(&mut self, now: Moment, exchange: ExchangeKey, list: &HeaderList) {
        let is_stream = list.find(Name::ContentType, &self.store).is_some_and(is_event_stream);
        if is_stream && list.find(Name::ContentEncoding, &self.store).is_none() {
            self.exchanges[exchange].events = Some(Box::new(EventTracker::new()));
            self.lasts(now, exchange);
        }
    }

    /// A part of such an answer.
    pub(super) fn count_events(&mut self, exchange: ExchangeKey, part: &[u8]) {
        let ex = &mut self.exchanges[exchange];
        let Some(tracker) = &mut ex.events else { return };
        let ended = tracker.take(part).events;
        if ended == 0 {
            return;
        }
        let (client, upstream) = (ex.client.at, ex.upstream.at);
        if let Some(state) = self.services.get(ex.service) {
            state.service.stats.cell(self.worker).messages(MessageDirection::Down, ended);
        }
        if let Some(conn) = client.and_then(|(key, _)| self.conns.get_mut(key)) {
            conn.figures.messages_out += ended;
        }
        if let Some(conn) = upstream.and_then(|(key, _)| self.conns.get_mut(key)) {
            conn.figures.messages_in += ended;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_events_is_known_by_its_media_type() {
        for (content_type, is_one) in [
            (&b"text/event-stream"[..], true),
            (b"Text/Event-Stream; charset=utf-8", true),
            (b"text/event-stream;x", true),
            (b"text/event-streams", false),
            (b"text/plain", false),
            (b"", false),
        ] {
            assert_eq!(is_event_stream(content_type), is_one, "{content_type:?}");
        }
    }
}
