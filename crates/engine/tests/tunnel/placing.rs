//! Which endpoint a tunnel gets, and what its client hears if there is none.

use crate::bench::{Bench, Farewell, Setup};
use evenkeel_core::id::WorkerIndex;
use evenkeel_core::policy::{ServicePolicy, Upstream};
use evenkeel_core::reason::{CloseReason, ExchangeOutcome, Limit};
use std::time::Duration;

#[test]
fn an_endpoint_that_refuses_is_passed_over_and_the_last_refusal_is_told() {
    let mut bench = Bench::new(Setup { endpoints: 3, ..Setup::default() });
    let client = bench.connect();
    let mut refused: Vec<_> = (0..3).map(|_| bench.refuse()).collect();
    refused.sort();
    refused.dedup();
    assert_eq!(refused.len(), 3, "each is asked once");
    assert_eq!(bench.session_ends(), [CloseReason::ConnectFailed]);
    assert_eq!(bench.outcomes(ExchangeOutcome::ConnectFailed), 1);
    assert_eq!((bench.heard(client), bench.peer(client).closed), (vec![], Some(Farewell::Reset)));
}

#[test]
fn an_endpoint_that_does_not_answer_in_time_is_passed_over_too() {
    let mut bench = Bench::new(Setup::default());
    let client = bench.connect();
    bench.say(client, b"hello");
    let first = bench.asked[0].1;
    bench.pass(Duration::from_secs(6));
    assert_eq!(bench.asked.len(), 1);
    assert_ne!(bench.asked[0].1, first);
    let endpoint = bench.open();
    assert_eq!(bench.heard(endpoint), b"hello");
}

#[test]
fn without_an_endpoint_or_a_route_the_client_is_closed_with_the_reason() {
    let mut bench = Bench::new(Setup { endpoints: 0, ..Setup::default() });
    bench.connect();
    assert_eq!(bench.session_ends(), [CloseReason::NoEndpoint]);
    assert_eq!(bench.outcomes(ExchangeOutcome::NoEndpoint), 1);
    let mut bench = Bench::new(Setup { has_default: false, ..Setup::default() });
    let client = bench.connect();
    assert_eq!(bench.session_ends(), [CloseReason::NoRoute]);
    assert_eq!(bench.outcomes(ExchangeOutcome::NoRoute), 1);
    assert_eq!(bench.heard(client), b"");
}

#[test]
fn a_tunnel_goes_to_the_endpoint_with_the_fewest_sessions_and_never_beyond_their_most() {
    let service = ServicePolicy { max_sessions: Some(3), ..ServicePolicy::default() };
    let mut bench = Bench::new(Setup { service, ..Setup::default() });
    let hold = |bench: &Bench, endpoint, sessions| {
        (0..sessions).for_each(|_| bench.endpoint(endpoint).cell(WorkerIndex(0)).session_began());
    };
    hold(&bench, 0, 2);
    hold(&bench, 1, 1);
    bench.connect();
    assert_eq!(bench.asked[0].1.port(), 1);
    hold(&bench, 1, 2);
    bench.connect();
    assert_eq!(bench.asked[1].1.port(), 0);
    hold(&bench, 0, 1);
    bench.connect();
    assert_eq!(bench.asked.len(), 2);
    assert_eq!(bench.session_ends(), [CloseReason::NoEndpoint]);
    assert_eq!(bench.refused(Limit::EndpointSessions), 1);
    assert_eq!(bench.outcomes(ExchangeOutcome::EndpointsFull), 1);
}

#[test]
fn tunnels_take_nothing_of_the_bound_on_shared_connections() {
    let upstream = Upstream { max_connections: Some(1), ..Upstream::default() };
    let service = ServicePolicy { upstream, ..ServicePolicy::default() };
    let mut bench = Bench::new(Setup { service, endpoints: 1, ..Setup::default() });
    let tunnels: Vec<_> = (0..5).map(|_| bench.tunnel()).collect();
    for (client, endpoint) in tunnels {
        bench.say(client, b"hello");
        assert_eq!(bench.heard(endpoint), b"hello");
    }
    assert_eq!(bench.refused(Limit::UpstreamConnections), 0);
}
