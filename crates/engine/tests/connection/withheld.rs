//! Clients that cancel as fast as they ask, and what their endpoint hears of it.

use crate::bench::Bench;
use crate::peer::Seen;
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::{ServicePolicy, Upstream};
use evenkeel_wire::http2::ErrorCode;
use std::time::Duration;

/// One endpoint with one connection, and a client.
fn bench() -> Bench {
    let upstream = Upstream { max_connections: Some(1), ..Upstream::default() };
    let mut bench = Bench::new(ServicePolicy { upstream, ..ServicePolicy::default() }, 1);
    bench.client();
    bench.clients[0].request(1, true);
    bench.carry();
    bench.open();
    bench.endpoints[0].answer(1, true);
    bench.carry();
    bench
}

/// A client asks for these, and wants them no more when the endpoint has heard of them.
fn cancel(bench: &mut Bench, streams: impl Iterator<Item = u32> + Clone) {
    for stream in streams.clone() {
        bench.clients[0].request(stream, true);
    }
    bench.carry();
    for stream in streams {
        bench.clients[0].reset(stream);
    }
    bench.carry();
}

/// The same, all in one read.
fn cancel_at_once(bench: &mut Bench, streams: impl Iterator<Item = u32>) {
    for stream in streams {
        bench.clients[0].request(stream, true);
        bench.clients[0].reset(stream);
    }
    bench.carry();
}

fn odd(from: u32, count: u32) -> impl Iterator<Item = u32> + Clone {
    (0..count).map(move |n| from + 2 * n)
}

#[test]
fn an_endpoint_hears_of_few_early_resets_at_once_and_of_more_when_it_has_seen_those() {
    let most = Limits::default().early_resets as usize;
    let mut bench = bench();
    cancel(&mut bench, odd(3, 30));
    assert_eq!(bench.endpoints[0].resets().len(), most);
    assert_eq!(bench.endpoints[0].pings(), 1);
    // It has seen them, and may be asked again once it has answered somebody.
    bench.endpoints[0].pong();
    bench.carry();
    assert_eq!(bench.endpoints[0].resets().len(), 2 * most);
    bench.pass(Duration::from_millis(1_010));
    assert_eq!(bench.endpoints[0].resets().len(), 30, "without a word from it, time tells");
    assert_eq!(bench.clients[0].resets(), []);
}

#[test]
fn a_withheld_reset_is_not_needed_when_the_endpoint_ends_the_call() {
    let mut bench = bench();
    cancel(&mut bench, odd(3, 11));
    assert_eq!(bench.endpoints[0].resets().len(), 10);
    bench.endpoints[0].answer(23, false);
    bench.endpoints[0].data(23, b"unheard", true);
    bench.carry();
    bench.pass(Duration::from_secs(3));
    assert_eq!(bench.endpoints[0].resets().len(), 10);
    assert_eq!(bench.clients[0].statuses(), [(1, "200")]);
}

#[test]
fn cancelled_calls_hold_their_places_and_others_wait_for_them() {
    let mut bench = bench();
    cancel(&mut bench, odd(3, 100));
    bench.clients[0].request(203, true);
    bench.carry();
    let asked =
        |bench: &Bench| bench.endpoints[0].seen.iter().filter(|s| matches!(s, Seen::Headers { .. })).count();
    assert_eq!(asked(&bench), 101, "the first, and as many as one connection takes");
    bench.endpoints[0].pong();
    bench.carry();
    assert_eq!(asked(&bench), 102);
    bench.endpoints[0].answer(203, true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(1, "200"), (203, "200")]);
}

#[test]
fn resets_of_calls_that_were_answered_are_told_at_once() {
    let mut bench = bench();
    for stream in odd(3, 30) {
        bench.clients[0].request(stream, true);
    }
    bench.carry();
    for stream in odd(3, 30) {
        bench.endpoints[0].answer(stream, false);
    }
    bench.carry();
    for stream in odd(3, 30) {
        bench.clients[0].reset(stream);
    }
    bench.carry();
    let resets = bench.endpoints[0].resets();
    assert_eq!(resets.len(), 30);
    assert!(resets.iter().all(|(_, code)| *code == ErrorCode::Cancel));
}

#[test]
fn what_a_client_that_cancels_often_cancels_at_once_never_reaches_an_endpoint() {
    let mut bench = bench();
    cancel_at_once(&mut bench, odd(3, 17));
    let before = bench.endpoints[0].headers_seen();
    cancel_at_once(&mut bench, odd(37, 40));
    assert_eq!(bench.endpoints[0].headers_seen(), before);
    // What it means is asked as ever.
    bench.endpoints[0].pong();
    bench.clients[0].request(117, true);
    bench.carry();
    assert_eq!(bench.endpoints[0].headers_seen(), before + 1);
    // At the endpoint it follows the eighteen that it has heard of.
    bench.endpoints[0].answer(37, true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(1, "200"), (117, "200")]);
}
