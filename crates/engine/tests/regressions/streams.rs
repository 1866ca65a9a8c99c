//! Frames of one stream: what is passed on, and what is no reason to end a connection.

use crate::bench::Bench;
use crate::peer::Seen;
use evenkeel_core::policy::ServicePolicy;
use evenkeel_engine::ConnectFailure;
use evenkeel_wire::http2::ErrorCode;
use std::time::Duration;

#[test]
fn padding_does_not_become_an_empty_frame_on_the_other_side() {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    bench.clients[0].request(1, false);
    bench.carry();
    bench.open();
    bench.clients[0].frame(0, 0x8, 1, &[2, b'a', b'b', 0, 0]);
    bench.clients[0].frame(0, 0, 1, &[]);
    bench.carry();
    let is_data = |s: &&Seen| matches!(s, Seen::Data { .. });
    let data: Vec<_> = bench.endpoints[0].seen.iter().filter(is_data).collect();
    assert_eq!(data, [&Seen::Data { stream: 1, length: 2, is_end: false }]);
}

#[test]
fn an_answer_to_head_has_no_body() {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    let head = [(":method", "HEAD"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
    bench.clients[0].headers(1, &head, true);
    bench.carry();
    bench.open();
    bench.endpoints[0].headers(1, &[(":status", "200"), ("content-length", "4")], false);
    bench.endpoints[0].data(1, b"body", true);
    bench.carry();
    assert_eq!(bench.clients[0].resets(), [(1, ErrorCode::InternalError)]);
    assert_eq!(bench.endpoints[0].resets(), [(1, ErrorCode::ProtocolError)]);
}

#[test]
fn an_answer_to_head_may_end_with_an_empty_frame() {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    let head = [(":method", "HEAD"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
    bench.clients[0].headers(1, &head, true);
    bench.carry();
    bench.open();
    bench.endpoints[0].headers(1, &[(":status", "200"), ("content-length", "4")], false);
    bench.endpoints[0].data(1, b"", true);
    bench.carry();
    assert_eq!(bench.clients[0].seen.last(), Some(&Seen::Data { stream: 1, length: 0, is_end: true }));
}

#[test]
fn a_client_whose_uploads_were_all_answered_early_keeps_its_connection() {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    let streams = (0..200).map(|n| 2 * n + 1);
    for stream in streams.clone() {
        bench.clients[0].request(stream, false);
    }
    bench.carry();
    // Nobody listens: each is answered 503, and reset because the rest of the request is of no use.
    for (key, _) in std::mem::take(&mut bench.asked) {
        bench.engine.connect_failed(bench.now, key, ConnectFailure::Refused);
    }
    bench.carry();
    assert_eq!(bench.clients[0].resets().len(), 200);
    for stream in streams {
        bench.clients[0].headers(stream, &[("x-sum", "1")], true);
    }
    bench.carry();
    assert_eq!(bench.clients[0].goaways(), []);
}

#[test]
fn a_connection_that_is_always_inside_some_header_block_is_not_slow() {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    bench.carry();
    // Each read ends within a block, but never twice within the same one.
    let block = [0x83, 0x84, 0x86, 0x41, 1, b'a'];
    for n in 0..15 {
        let stream = 2 * n + 1;
        bench.clients[0].frame(1, 0x1, stream, &block[..3]);
        bench.carry();
        bench.pass(Duration::from_secs(1));
        bench.clients[0].frame(9, 0x4, stream, &block[3..]);
    }
    assert_eq!(bench.clients[0].goaways(), []);
}
