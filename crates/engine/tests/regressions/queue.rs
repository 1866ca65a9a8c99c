//! Exchanges that wait for a connection or a stream: how many, how long, and what their waiting says of the endpoint.

use crate::bench::Bench;
use evenkeel_core::policy::{Ejection, ServicePolicy, Upstream};
use evenkeel_core::reason::{ExchangeOutcome, Limit};
use std::time::Duration;

/// A client before one endpoint.
fn bench(upstream: Upstream) -> Bench {
    let mut bench = Bench::new(ServicePolicy { upstream, ..ServicePolicy::default() }, 1);
    bench.client();
    bench
}

#[test]
fn as_many_as_allowed_wait_and_one_more_is_refused_at_once() {
    let mut bench = bench(Upstream { pending: 4, ..Upstream::default() });
    for n in 0..5 {
        bench.clients[0].request(2 * n + 1, true);
    }
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(9, "503")]);
    assert_eq!(bench.outcomes(ExchangeOutcome::PendingOverflow), 1);
    assert_eq!(bench.worker.refused_total(Limit::Pending), 1);
    bench.open();
    for n in 0..4 {
        bench.endpoints[0].answer(2 * n + 1, true);
    }
    bench.carry();
    assert_eq!(bench.clients[0].statuses()[1..], [(1, "200"), (3, "200"), (5, "200"), (7, "200")]);
}

#[test]
fn who_waits_for_a_stream_is_served_until_the_deadline_and_refused_behind_it() {
    let upstream = Upstream {
        max_connections: Some(1),
        max_streams: 1,
        pending_timeout: Duration::from_secs(2),
        ..Upstream::default()
    };
    for (passed, expected) in [(1_980, "200"), (2_020, "504")] {
        let mut bench = bench(upstream);
        for stream in [1, 3] {
            bench.clients[0].request(stream, true);
        }
        bench.carry();
        bench.open();
        bench.pass(Duration::from_millis(passed));
        bench.endpoints[0].answer(1, true);
        bench.carry();
        if expected == "200" {
            bench.endpoints[0].answer(3, true);
            bench.carry();
        }
        assert!(bench.clients[0].statuses().contains(&(3, expected)), "after {passed} ms");
        assert_eq!(bench.outcomes(ExchangeOutcome::PendingTimeout), u64::from(expected == "504"));
    }
}

#[test]
fn all_who_wait_in_vain_for_one_connection_fail_the_endpoint_once() {
    let upstream = Upstream { pending_timeout: Duration::from_secs(1), ..Upstream::default() };
    let ejection = Ejection { consecutive_failures: 3, max_share: 1.0, ..Ejection::default() };
    let mut bench = Bench::new(ServicePolicy { upstream, ejection, ..ServicePolicy::default() }, 2);
    bench.client();
    for n in 0..20 {
        bench.clients[0].request(2 * n + 1, true);
    }
    bench.carry();
    bench.pass(Duration::from_millis(1_020));
    assert!(!bench.is_ejected(0) && !bench.is_ejected(1), "each has failed once");
    bench.pass(Duration::from_millis(1_020));
    assert_eq!(bench.clients[0].statuses().len(), 20, "both were tried");
    assert!(!bench.is_ejected(0) && !bench.is_ejected(1), "each has failed twice");
}

#[test]
fn each_of_a_queue_waits_its_own_time() {
    let upstream = Upstream {
        max_connections: Some(1),
        max_streams: 1,
        pending_timeout: Duration::from_secs(2),
        ..Upstream::default()
    };
    let mut bench = bench(upstream);
    bench.clients[0].request(1, true);
    bench.carry();
    bench.open();
    for n in 1..10 {
        bench.clients[0].request(2 * n + 1, true);
        bench.carry();
        bench.pass(Duration::from_millis(100));
    }
    // The first has waited 0.9 s by now.
    bench.pass(Duration::from_millis(1_080));
    assert_eq!(bench.clients[0].statuses(), []);
    for over in 1..10 {
        bench.pass(Duration::from_millis(if over == 1 { 40 } else { 100 }));
        assert_eq!(bench.clients[0].statuses().len(), over, "one each tenth of a second");
    }
    bench.pass(Duration::from_secs(9));
    bench.endpoints[0].answer(1, true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses().last(), Some(&(1, "200")));
}
