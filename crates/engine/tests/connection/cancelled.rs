//! Streams that were cancelled count at their endpoint, and at their client, until the endpoint can have seen it.

use crate::bench::Bench;
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::{RoutePolicy, ServicePolicy, Upstream};
use evenkeel_core::reason::Limit;
use evenkeel_wire::http2::ErrorCode;
use std::time::Duration;

/// A service whose endpoint takes two streams at once, on one connection, which has answered before if it is to.
fn bench(limits: Limits) -> Bench {
    let upstream = Upstream { max_connections: Some(1), max_streams: 2, ..Upstream::default() };
    let policy = ServicePolicy { upstream, ..ServicePolicy::default() };
    let mut bench = Bench::with_all(policy, RoutePolicy::default(), limits, 1);
    bench.client();
    bench.clients[0].request(1, true);
    bench.carry();
    bench.open();
    bench
}

/// An endpoint that may be asked after each reset whether it has seen it.
fn asking() -> Limits {
    Limits { early_resets: 1, ..Limits::default() }
}

/// A client cancels its streams of these ids as soon as it has asked.
fn cancel(bench: &mut Bench, client: usize, streams: &[u32]) {
    for &stream in streams {
        bench.clients[client].request(stream, true);
        bench.carry();
        bench.clients[client].reset(stream);
        bench.carry();
    }
}

#[test]
fn a_place_is_free_again_when_the_endpoint_answers_the_ping_behind_the_reset() {
    let mut bench = bench(asking());
    bench.endpoints[0].answer(1, true);
    bench.carry();
    cancel(&mut bench, 0, &[3]);
    assert_eq!((bench.endpoints[0].resets(), bench.endpoints[0].pings()), (vec![(3, ErrorCode::Cancel)], 1));
    cancel(&mut bench, 0, &[5]);
    assert_eq!(bench.endpoints[0].pings(), 1, "one at a time");
    bench.clients[0].request(7, true);
    bench.carry();
    assert_eq!(bench.endpoints[0].headers_seen(), 3, "two cancelled streams fill the endpoint");
    bench.endpoints[0].pong();
    bench.carry();
    assert_eq!(bench.endpoints[0].headers_seen(), 4, "one of them is known to be over");
    bench.clients[0].request(9, true);
    bench.carry();
    assert_eq!(bench.endpoints[0].headers_seen(), 4);
}

#[test]
fn without_a_word_from_the_endpoint_no_ping_is_sent_and_the_place_is_free_after_its_time() {
    let linger = Limits::default().reset_linger;
    let mut bench = bench(Limits::default());
    bench.clients[0].reset(1);
    bench.carry();
    cancel(&mut bench, 0, &[3]);
    bench.clients[0].request(5, true);
    bench.carry();
    assert_eq!((bench.endpoints[0].pings(), bench.endpoints[0].headers_seen()), (0, 2));
    bench.pass(linger - Duration::from_millis(20));
    assert_eq!(bench.endpoints[0].headers_seen(), 2);
    bench.pass(Duration::from_millis(40));
    assert_eq!(bench.endpoints[0].headers_seen(), 3);
}

#[test]
fn the_endpoint_is_asked_as_soon_as_it_says_something() {
    let mut bench = bench(asking());
    cancel(&mut bench, 0, &[3]);
    assert_eq!(bench.endpoints[0].pings(), 0);
    bench.endpoints[0].answer(1, true);
    bench.carry();
    assert_eq!(bench.endpoints[0].pings(), 1);
    // The next PING waits for more than the answer to this one.
    bench.endpoints[0].pong();
    bench.carry();
    cancel(&mut bench, 0, &[5]);
    assert_eq!(bench.endpoints[0].pings(), 1);
}

#[test]
fn a_stream_that_the_endpoint_had_ended_holds_no_place() {
    let mut bench = bench(Limits::default());
    bench.endpoints[0].answer(1, true);
    bench.clients[0].request(3, false);
    bench.carry();
    bench.endpoints[0].answer(3, true);
    bench.carry();
    assert_eq!(bench.endpoints[0].resets().len(), 1, "the rest of the request is of no use");
    cancel(&mut bench, 0, &[5]);
    bench.clients[0].request(7, true);
    bench.carry();
    assert_eq!(bench.endpoints[0].headers_seen(), 4);
}

#[test]
fn many_clients_that_cancel_keep_an_endpoint_no_busier_than_its_concurrency() {
    let mut bench = bench(Limits::default());
    bench.clients[0].reset(1);
    bench.carry();
    for client in 1..20 {
        bench.client();
        cancel(&mut bench, client, &[1, 3, 5]);
    }
    assert_eq!(bench.endpoints[0].headers_seen(), 2);
}

#[test]
fn a_cancelled_stream_counts_against_its_client_too() {
    let limits = Limits { concurrent_streams: 2, ..asking() };
    let mut bench = bench(limits);
    bench.endpoints[0].answer(1, true);
    bench.carry();
    cancel(&mut bench, 0, &[3]);
    bench.clients[0].request(5, true);
    bench.carry();
    assert_eq!(bench.refused(Limit::ConcurrentStreams), 0, "the largest number is taken");
    bench.clients[0].request(7, true);
    bench.carry();
    assert_eq!(bench.clients[0].resets(), [(7, ErrorCode::RefusedStream)]);
    assert_eq!(bench.refused(Limit::ConcurrentStreams), 1);
    bench.endpoints[0].pong();
    bench.carry();
    bench.clients[0].request(9, true);
    bench.carry();
    assert_eq!(bench.clients[0].resets().len(), 1);
}

#[test]
fn an_endpoint_that_goes_gives_its_clients_their_places_back() {
    let limits = Limits { concurrent_streams: 1, ..Limits::default() };
    let mut bench = bench(limits);
    bench.clients[0].reset(1);
    bench.carry();
    let key = bench.endpoints[0].key;
    bench.engine.peer_ended(bench.now, key, evenkeel_engine::PeerEnd::Reset);
    bench.clients[0].request(3, true);
    bench.carry();
    assert_eq!(bench.clients[0].resets(), []);
}
