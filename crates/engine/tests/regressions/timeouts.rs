//! The time of an exchange: its route's, and what a gRPC caller says itself.

use crate::bench::Bench;
use evenkeel_core::policy::{RoutePolicy, ServicePolicy};
use evenkeel_core::reason::ExchangeOutcome;
use evenkeel_wire::http2::ErrorCode;
use std::time::Duration;

const POST: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "http"), (":path", "/s/m"), (":authority", "a")];
const GRPC: (&str, &str) = ("content-type", "application/grpc");

/// A client with this request at the endpoint.
fn asked(request_timeout: Option<Duration>, extra: &[(&str, &str)]) -> Bench {
    let route = RoutePolicy { request_timeout, ..RoutePolicy::default() };
    let mut bench = Bench::with_route(ServicePolicy::default(), route, 1);
    bench.client();
    bench.clients[0].headers(1, &[&POST[..], extra].concat(), true);
    bench.carry();
    bench.open();
    bench
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn the_smaller_of_the_callers_and_the_routes_time_ends_a_grpc_call() {
    for (route, caller, expected) in [
        (None, "500m", 500),
        (Some(ms(2_000)), "500m", 500),
        (Some(ms(500)), "30S", 500),
        (Some(ms(500)), "nonsense", 500),
    ] {
        let mut bench = asked(route, &[("grpc-timeout", caller), GRPC]);
        bench.pass(ms(expected - 20));
        assert_eq!(bench.clients[0].statuses(), [], "{route:?} {caller}");
        bench.pass(ms(40));
        assert_eq!(bench.clients[0].statuses(), [(1, "200")], "{route:?} {caller}");
        assert_eq!(bench.clients[0].last("grpc-status"), Some("4"));
        assert_eq!(bench.endpoints[0].resets(), [(1, ErrorCode::Cancel)]);
        assert_eq!(bench.endpoints[0].last("grpc-timeout"), Some(caller), "it travels on as it came");
        assert_eq!(bench.outcomes(ExchangeOutcome::RequestTimeout), 1);
    }
}

#[test]
fn a_callers_time_that_is_malformed_or_not_of_grpc_ends_nothing() {
    for extra in [&[("grpc-timeout", "1"), GRPC][..], &[("grpc-timeout", "1m")]] {
        let mut bench = asked(None, extra);
        bench.pass(Duration::from_secs(600));
        assert_eq!((bench.clients[0].statuses(), bench.engine.open_exchanges()), (vec![], 1));
        assert_eq!(bench.endpoints[0].last("grpc-timeout"), Some(extra[0].1));
    }
}

#[test]
fn a_stream_that_is_answered_ends_at_its_callers_time_with_a_status() {
    let mut bench = asked(None, &[("grpc-timeout", "1S"), GRPC]);
    bench.endpoints[0].answer(1, false);
    bench.endpoints[0].data(1, b"message", false);
    bench.carry();
    bench.pass(ms(1_020));
    assert_eq!(bench.clients[0].last("grpc-status"), Some("4"));
    assert_eq!(bench.endpoints[0].resets(), [(1, ErrorCode::Cancel)]);
    assert_eq!(bench.clients[0].resets(), []);
}

#[test]
fn each_of_many_streams_ends_at_its_own_time() {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    // In no order: the nearest is neither the first nor the last that came.
    let times: Vec<u64> = (0..90).map(|n| 100 + (n * 37 % 90) * 100).collect();
    for (n, time) in (0..).zip(&times) {
        let timeout = format!("{time}m");
        bench.clients[0].headers(2 * n + 1, &[&POST[..], &[("grpc-timeout", &timeout), GRPC]].concat(), true);
    }
    bench.carry();
    bench.open();
    for passed in 1..=90 {
        bench.pass(ms(100));
        let over = times.iter().filter(|&&t| t + 20 < passed * 100).count();
        let told = bench.clients[0].statuses().len();
        assert!((over..=over + 1).contains(&told), "{told} are over after {passed}00 ms");
    }
    bench.pass(ms(20));
    assert_eq!(bench.engine.open_exchanges(), 0);
}

#[test]
fn calls_that_end_long_before_their_time_leave_no_wake_behind() {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    bench.carry();
    // Past the time that the first header block had, so that nothing nearer is on the wheel.
    bench.pass(Duration::from_secs(11));
    for n in 0..2_000 {
        // Each call's time ends before that of the call before it.
        let timeout = format!("{}m", 250_000 - 10 * n);
        let stream = 2 * n + 1;
        bench.clients[0].headers(stream, &[&POST[..], &[("grpc-timeout", &timeout), GRPC]].concat(), true);
        bench.carry();
        if n == 0 {
            bench.open();
        }
        bench.endpoints[0].answer(stream, true);
        bench.carry();
    }
    // Wakes of their own would be 2000 in a row; this way the engine asks for a look now and then, once a turn of its
    // wheel, until the connection was idle for its hour.
    let mut wakes = 0;
    while bench.engine.sessions() > 0 && wakes < 2_000 {
        let next = bench.engine.next_deadline().expect("an idle connection has its timeout");
        bench.pass(next.since(bench.now));
        wakes += 1;
    }
    assert!((400..1_500).contains(&wakes), "{wakes} wakes in an hour");
    bench.pass(Duration::from_secs(20));
    assert_eq!(bench.engine.next_deadline(), None, "with the last connection the wheel is empty");
}
