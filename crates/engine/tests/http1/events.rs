//! Server-sent events pass at once, over every kind of answer, and are counted.

use crate::peer::Seen;
use crate::world::world;
use evenkeel_core::policy::UpstreamProtocol;
use evenkeel_core::stats::MessageDirection;

const SUBSCRIBE: &str =
    "GET /events HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\nlast-event-id: 41\r\n\r\n";

#[test]
fn events_pass_at_once_in_chunks_and_until_the_end_of_the_connection() {
    for (framing, wrap) in [("transfer-encoding: chunked\r\n", true), ("", false)] {
        let mut w = world(UpstreamProtocol::H1);
        let client = w.client();
        w.say(client, SUBSCRIBE);
        let endpoint = w.open();
        assert!(w.heard(endpoint).contains("last-event-id: 41\r\n"), "the endpoint learns where to go on");
        w.say(endpoint, format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{framing}\r\n"));
        assert!(w.heard(client).contains("content-type: text/event-stream\r\n"), "the head does not wait");
        for n in 1..=3 {
            let event = format!("id: {n}\ndata: x\n\n");
            let bytes = if wrap { format!("{:x}\r\n{event}\r\n", event.len()) } else { event.clone() };
            w.say(endpoint, bytes);
            assert_eq!(w.heard(client), format!("{:x}\r\n{event}\r\n", event.len()));
            assert_eq!(w.stats.messages_total(MessageDirection::Down), n);
        }
        // Half an event passes as well, and is none yet; nor is a comment.
        w.say(endpoint, if wrap { "4\r\n: x\n\r\n" } else { ": x\n" });
        assert_eq!(w.heard(client), "4\r\n: x\n\r\n");
        assert_eq!(w.stats.messages_total(MessageDirection::Down), 3);
    }
}

#[test]
fn events_pass_at_once_over_http_2_on_either_side() {
    let mut w = world(UpstreamProtocol::H2);
    let client = w.client();
    w.say(client, SUBSCRIBE);
    let endpoint = w.open_h2();
    assert_eq!(w.h2(endpoint).last("last-event-id"), Some("41"));
    w.h2(endpoint).headers(
        1,
        &[(":status", "200"), ("content-type", "text/event-stream; charset=utf-8")],
        false,
    );
    w.h2(endpoint).data(1, b"data: 1\n\n", false);
    w.carry();
    assert!(w.heard(client).ends_with("9\r\ndata: 1\n\n\r\n"));

    let mut w = world(UpstreamProtocol::H1);
    let client = w.client_h2();
    w.h2(client).request(1, true);
    w.carry();
    let endpoint = w.open();
    w.say(endpoint, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\nda");
    assert_eq!(w.h2(client).body, b"data: 1\n\nda");
    w.say(endpoint, "ta: 2\n\n");
    assert!(matches!(w.h2(client).seen.last(), Some(Seen::Data { length: 7, is_end: false, .. })));
    assert_eq!(w.stats.messages_total(MessageDirection::Down), 2);
}

#[test]
fn what_is_no_stream_of_events_is_not_counted() {
    for head in ["content-type: text/plain", "content-type: text/event-stream\r\ncontent-encoding: gzip"] {
        let mut w = world(UpstreamProtocol::H1);
        let client = w.client();
        w.say(client, SUBSCRIBE);
        let endpoint = w.open();
        w.say(endpoint, format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\ndata: 1\n\n"));
        assert!(w.heard(client).ends_with("data: 1\n\n\r\n"));
        assert_eq!(w.stats.messages_total(MessageDirection::Down), 0, "{head}");
    }
}
