//! Which endpoint a session goes to, and how many one takes.

use crate::bench::{Bench, EACH, Speaks, speaking};
use evenkeel_core::policy::{ListenerProtocol, RoutePolicy, ServicePolicy};
use evenkeel_core::reason::{ExchangeOutcome, Limit, PickReason};

#[test]
fn websockets_go_to_the_endpoint_that_holds_the_fewest() {
    for endpoint_speaks in EACH {
        let mut bench = Bench::new(speaking(endpoint_speaks), RoutePolicy::default(), 5);
        for _ in 0..50 {
            bench.asking(Speaks::Http1);
        }
        assert_eq!(bench.sessions(), [10; 5], "those that are being opened count");
        assert_eq!(bench.stats.picks_total(PickReason::LeastSessions), 50);
    }
}

#[test]
fn the_most_sessions_of_an_endpoint_are_taken_and_one_more_is_refused() {
    let policy = ServicePolicy { max_sessions: Some(2), ..speaking(Speaks::Http1) };
    let mut bench = Bench::new(policy, RoutePolicy::default(), 2);
    let open: Vec<_> = (0..4).map(|_| bench.standing(Speaks::Http1, Speaks::Http1)).collect();
    assert_eq!(bench.sessions(), [2, 2]);
    let client = bench.asking(Speaks::Http1);
    assert!(bench.lines[client].hear().starts_with(b"HTTP/1.1 503 "));
    assert_eq!(bench.worker.refused_total(Limit::EndpointSessions), 1);
    assert_eq!(bench.outcomes(ExchangeOutcome::EndpointsFull), 1);
    // One that ends makes room.
    bench.end(open[0].0);
    bench.end(open[0].1);
    bench.standing(Speaks::Http1, Speaks::Http1);
}

#[test]
fn a_tunnel_is_a_session_of_its_endpoint_as_long_as_it_lasts() {
    let (policy, route) = (ServicePolicy::default(), RoutePolicy::default());
    let mut bench = Bench::with_listener(policy, route, ListenerProtocol::Tcp, 1);
    let client = bench.client(Speaks::Http1);
    bench.say(client, b"first");
    assert_eq!(bench.sessions(), [1]);
    let endpoint = bench.open(Speaks::Http1);
    assert_eq!(bench.lines[endpoint].hear(), b"first");
    bench.end(client);
    assert_eq!(bench.sessions(), [1]);
    bench.end(endpoint);
    assert_eq!((bench.sessions(), bench.engine.open_exchanges()), (vec![0], 0));
}
