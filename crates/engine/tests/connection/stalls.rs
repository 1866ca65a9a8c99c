//! Streams whose peer does not take what waits for them.

use crate::bench::Bench;
use crate::peer::Seen;
use evenkeel_core::policy::{ServicePolicy, Timeouts};
use evenkeel_core::reason::{CloseReason, ExchangeOutcome};
use evenkeel_wire::http2::ErrorCode;
use std::time::Duration;

const STEP: Duration = Duration::from_millis(20);

/// A client with streams 1 and 3, both at the endpoint.
fn bench() -> Bench {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    bench.clients[0].request(1, false);
    bench.clients[0].request(3, false);
    bench.carry();
    bench.open();
    bench
}

/// Answers a stream with as much as its window takes, and a byte more.
fn answer_too_much(bench: &mut Bench, stream: u32) {
    bench.endpoints[0].answer(stream, false);
    for _ in 0..4 {
        bench.endpoints[0].data(stream, &[0; 16_383], false);
    }
    bench.endpoints[0].data(stream, &[0; 4], false);
    bench.clients[0].window(0, 1 << 20);
    bench.carry();
}

#[test]
fn a_stream_that_its_client_does_not_take_is_reset_after_the_send_timeout_and_the_connection_goes_on() {
    let send = Timeouts::default().send;
    let mut bench = bench();
    answer_too_much(&mut bench, 1);
    bench.pass(send - STEP);
    assert_eq!(bench.clients[0].resets(), []);
    bench.pass(2 * STEP);
    assert_eq!(bench.clients[0].resets(), [(1, ErrorCode::InternalError)]);
    assert_eq!(bench.endpoints[0].resets(), [(1, ErrorCode::Cancel)]);
    assert_eq!(bench.ended(ExchangeOutcome::SendTimeout), 1);
    bench.endpoints[0].answer(3, true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses().last(), Some(&(3, "200")));
    assert!(bench.session_ends().is_empty());
}

#[test]
fn a_stream_of_which_something_is_taken_in_time_is_not_reset() {
    let send = Timeouts::default().send;
    let mut bench = bench();
    answer_too_much(&mut bench, 1);
    bench.pass(send - STEP);
    bench.clients[0].window(1, 1);
    bench.carry();
    bench.pass(send - STEP);
    assert_eq!(bench.clients[0].resets(), []);
    bench.clients[0].window(1, 1);
    bench.carry();
    bench.pass(10 * send);
    assert_eq!(bench.clients[0].resets(), [], "nothing waits any more");
}

#[test]
fn a_client_that_opens_no_window_of_its_connection_loses_the_streams_that_wait_for_it() {
    let mut bench = bench();
    bench.endpoints[0].answer(1, false);
    bench.endpoints[0].answer(3, false);
    for stream in [1, 3] {
        for _ in 0..3 {
            bench.endpoints[0].data(stream, &[0; 16_384], false);
        }
    }
    bench.carry();
    bench.pass(Timeouts::default().send + STEP);
    assert_eq!(bench.clients[0].resets(), [(3, ErrorCode::InternalError)]);
}

#[test]
fn an_endpoint_that_does_not_take_a_request_is_given_up_with_an_answer() {
    let mut bench = bench();
    for _ in 0..4 {
        bench.clients[0].data(1, &[0; 16_383], false);
    }
    bench.carry();
    bench.endpoints[0].window(0, 1 << 20);
    bench.carry();
    bench.clients[0].data(1, &[0; 16_383], false);
    bench.carry();
    bench.pass(Timeouts::default().send + STEP);
    let answer = Seen::Headers { stream: 1, status: "504".to_owned(), is_end: false };
    assert!(bench.clients[0].seen.contains(&answer), "{:?}", bench.clients[0].seen);
    assert_eq!(bench.ended(ExchangeOutcome::SendTimeout), 1);
}

/// A client that does not read was ended, and its last bytes wait.
fn closing() -> Bench {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    bench.carry();
    let key = bench.clients[0].key;
    // PRIORITY that depends on itself on no stream at all: a fault of the connection.
    bench.engine.received(bench.now, key, &[0, 0, 5, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
    assert!(!bench.engine.output(key).is_empty());
    bench
}

#[test]
fn a_session_that_is_closing_hears_two_mebibytes_and_is_cut_at_a_byte_more() {
    for (more, ends) in [(0, vec![]), (1, vec![CloseReason::ProtocolError])] {
        let mut bench = closing();
        let key = bench.clients[0].key;
        for _ in 0..32 {
            bench.engine.received(bench.now, key, &[6; 64 * 1024]);
        }
        assert!(!bench.engine.output(key).is_empty());
        bench.engine.received(bench.now, key, &[6; 1][..more]);
        assert_eq!(bench.engine.output(key).is_empty(), more == 1);
        if more == 1 {
            bench.carry();
        }
        assert_eq!(bench.session_ends(), ends);
    }
}
