//! A drain: what GOAWAY promised holds, and each session is counted once.

use crate::bench::Bench;
use crate::peer::Seen;
use evenkeel_core::policy::ServicePolicy;
use evenkeel_core::reason::CloseReason;
use evenkeel_wire::http2::{ErrorCode, MAX_STREAM_ID};
use std::time::Duration;

/// A client with stream 1 at the endpoint, of which a drain has begun and which has answered the PING.
fn told() -> Bench {
    let mut bench = announced();
    bench.clients[0].frame(6, 1, 0, b"evenkeel");
    bench.carry();
    assert_eq!(bench.clients[0].goaways(), [MAX_STREAM_ID, 1]);
    bench
}

fn announced() -> Bench {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    bench.clients[0].request(1, true);
    bench.carry();
    bench.open();
    bench.engine.begin_drain(bench.now, bench.now + Duration::from_secs(30));
    bench.carry();
    bench
}

#[test]
fn what_crosses_the_last_goaway_is_passed_over_without_a_word() {
    let mut bench = told();
    let before = bench.clients[0].seen.len();
    bench.clients[0].request(3, false);
    bench.clients[0].data(3, b"body", false);
    bench.clients[0].frame(8, 0, 3, &[0, 0, 0, 9]);
    bench.clients[0].headers(3, &[("x-sum", "1")], true);
    bench.carry();
    assert_eq!(bench.clients[0].seen[before..], []);
    bench.endpoints[0].answer(1, true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(1, "200")], "the stream that it promised is answered");
}

#[test]
fn the_last_stream_of_a_goaway_never_rises() {
    let mut bench = told();
    bench.clients[0].request(3, true);
    bench.carry();
    bench.pass(Duration::from_secs(31));
    assert_eq!(bench.clients[0].goaways(), [MAX_STREAM_ID, 1, 1]);
}

#[test]
fn a_session_that_the_deadline_cuts_is_not_counted_as_finished() {
    let mut bench = told();
    bench.pass(Duration::from_secs(31));
    let progress = bench.engine.drain_progress();
    assert_eq!((progress.finished, progress.cut_sessions, progress.cut_exchanges), (0, 1, 1));
    assert_eq!(bench.session_ends(), [CloseReason::DrainDeadline]);
}

#[test]
fn a_client_has_its_second_to_answer_the_ping_whatever_else_wakes_its_connection() {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    bench.clients[0].request(1, true);
    bench.carry();
    bench.open();
    // The deadline of the preface is still armed and fires between the first GOAWAY and the second.
    bench.pass(Duration::from_millis(9_900));
    bench.engine.begin_drain(bench.now, bench.now + Duration::from_secs(30));
    bench.carry();
    bench.pass(Duration::from_millis(200));
    assert_eq!(bench.clients[0].goaways(), [MAX_STREAM_ID]);
    bench.pass(Duration::from_millis(900));
    assert_eq!(bench.clients[0].goaways(), [MAX_STREAM_ID, 1]);
}

#[test]
fn a_stream_opened_before_the_last_goaway_is_served() {
    let mut bench = announced();
    bench.clients[0].request(3, true);
    bench.carry();
    bench.pass(Duration::from_millis(1_100));
    assert_eq!(bench.clients[0].goaways(), [MAX_STREAM_ID, 3]);
    bench.endpoints[0].answer(1, true);
    bench.endpoints[0].answer(3, true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(1, "200"), (3, "200")]);
    assert!(bench.clients[0].is_closed);
    assert_eq!(bench.engine.drain_progress().finished, 1);
}

#[test]
fn a_client_that_trickles_does_not_keep_a_drain_from_its_end() {
    let mut bench = told();
    let key = bench.clients[0].key;
    // The answer is on its way out when the deadline comes; from then on the client takes a byte a second.
    bench.now = bench.now + Duration::from_secs(31);
    bench.engine.tick(bench.now);
    assert!(bench.engine.output(key).len() > 20);
    for _ in 0..8 {
        bench.engine.wrote(bench.now, key, 1);
        bench.now = bench.now + Duration::from_secs(1);
        bench.engine.tick(bench.now);
    }
    assert_eq!(bench.engine.sessions(), 0);
}

#[test]
fn the_reset_of_a_cut_answer_is_still_sent() {
    let mut bench = told();
    bench.endpoints[0].answer(1, false);
    bench.carry();
    bench.pass(Duration::from_secs(31));
    let reset = Seen::Reset { stream: 1, code: ErrorCode::InternalError };
    assert!(bench.clients[0].seen.contains(&reset), "{:?}", bench.clients[0].seen);
}
