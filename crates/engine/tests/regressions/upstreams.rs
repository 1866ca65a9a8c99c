//! Connections to endpoints: who waits for one, and who is blamed when there is none.

use crate::bench::Bench;
use evenkeel_core::endpoint::EndpointState::{NotReady, Ready, Terminating};
use evenkeel_core::policy::{Ejection, RoutePolicy, ServicePolicy, Upstream};
use evenkeel_engine::{ConnectFailure, PeerEnd};
use evenkeel_wire::http2::ErrorCode;
use std::time::Duration;

fn policy(upstream: Upstream) -> ServicePolicy {
    ServicePolicy { upstream, ..ServicePolicy::default() }
}

#[test]
fn exchanges_that_were_reset_while_they_waited_leave_their_places() {
    let mut bench = Bench::new(policy(Upstream { pending: 4, ..Upstream::default() }), 1);
    bench.client();
    for n in 0..4 {
        bench.clients[0].request(2 * n + 1, true);
        bench.carry();
        bench.clients[0].frame(3, 0, 2 * n + 1, &[0, 0, 0, 8]);
    }
    bench.clients[0].request(9, true);
    bench.carry();
    bench.open();
    bench.endpoints[0].answer(1, true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(9, "200")]);
    assert_eq!(bench.gauges(), (0, 1));
}

#[test]
fn the_only_endpoint_still_serves_when_it_begins_to_terminate_while_it_is_connected_to() {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    bench.clients[0].request(1, true);
    bench.carry();
    bench.publish([(0, Terminating)].into_iter());
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), []);
    bench.open();
    bench.endpoints[0].answer(1, true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(1, "200")]);
    assert_eq!(bench.gauges(), (0, 0), "a terminating endpoint's connection closes when it is idle");
}

#[test]
fn who_waits_for_an_endpoint_that_begins_to_terminate_goes_to_another() {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    bench.clients[0].request(1, true);
    bench.carry();
    bench.publish([(0, Terminating), (1, Ready)].into_iter());
    bench.carry();
    assert_eq!(bench.asked.iter().map(|(_, at)| at.port()).collect::<Vec<_>>(), [1]);
    bench.open();
    bench.endpoints[0].answer(1, true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(1, "200")]);
}

#[test]
fn who_waits_gets_the_place_of_a_connection_that_ends() {
    let upstream =
        Upstream { max_connections: Some(2), max_requests_per_connection: Some(1), ..Upstream::default() };
    let mut bench = Bench::new(policy(upstream), 1);
    bench.client();
    for stream in [1, 3] {
        bench.clients[0].request(stream, true);
        bench.carry();
        bench.open();
    }
    bench.clients[0].request(5, true);
    bench.carry();
    assert_eq!(bench.asked, [], "both connections have carried their most");
    bench.endpoints[0].answer(1, true);
    bench.carry();
    assert_eq!(bench.asked.len(), 1, "one has closed, so there is room for another");
    let third = bench.open();
    bench.endpoints[third].answer(1, true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(1, "200"), (5, "200")]);
}

#[test]
fn an_endpoint_is_not_ejected_because_we_have_no_descriptor() {
    let ejection = Ejection { consecutive_failures: 1, max_share: 1.0, ..Ejection::default() };
    let mut bench = Bench::new(ServicePolicy { ejection, ..ServicePolicy::default() }, 2);
    bench.client();
    bench.clients[0].request(1, true);
    bench.carry();
    for _ in 0..2 {
        let (key, _) = bench.asked.remove(0);
        bench.engine.connect_failed(bench.now, key, ConnectFailure::NoDescriptors);
        bench.carry();
    }
    assert_eq!(bench.clients[0].statuses(), [(1, "503")]);
    assert!(!bench.is_ejected(0) && !bench.is_ejected(1));
}

#[test]
fn a_request_that_may_have_been_processed_is_never_sent_again() {
    let mut bench = Bench::new(ServicePolicy::default(), 2);
    bench.client();
    bench.clients[0].request(1, true);
    bench.clients[0].request(3, true);
    bench.carry();
    while !bench.asked.is_empty() {
        bench.open();
    }
    let before: usize = bench.endpoints.iter().map(|e| e.statuses().len()).sum();
    assert_eq!(before, 2);
    let keys: Vec<_> = bench.endpoints.iter().map(|e| e.key).collect();
    for key in keys {
        bench.engine.peer_ended(bench.now, key, PeerEnd::Reset);
    }
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(1, "503"), (3, "503")]);
    assert_eq!(bench.asked, []);
}

#[test]
fn what_a_goaway_says_was_not_processed_goes_on_and_the_rest_is_waited_for() {
    let mut bench = Bench::new(ServicePolicy::default(), 1);
    bench.client();
    bench.clients[0].request(1, true);
    bench.clients[0].request(3, true);
    bench.carry();
    bench.open();
    bench.publish([(0, Ready), (1, Ready)].into_iter());
    bench.endpoints[0].frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, ErrorCode::NoError as u8]);
    bench.carry();
    bench.open();
    bench.endpoints[0].answer(1, true);
    bench.endpoints[1].answer(1, true);
    bench.carry();
    let mut statuses = bench.clients[0].statuses();
    statuses.sort_unstable();
    assert_eq!(statuses, [(1, "200"), (3, "200")]);
    assert!(bench.endpoints[0].is_closed);
}

#[test]
fn requests_whose_time_ends_together_may_end_each_other() {
    let upstream =
        Upstream { max_connections: Some(1), max_requests_per_connection: Some(1), ..Upstream::default() };
    let route = RoutePolicy { request_timeout: Some(Duration::from_secs(2)), ..RoutePolicy::default() };
    let mut bench = Bench::with_route(policy(upstream), route, 1);
    bench.client();
    bench.clients[0].request(1, true);
    bench.carry();
    bench.open();
    for n in 1..20 {
        bench.clients[0].request(2 * n + 1, true);
    }
    bench.carry();
    bench.publish([(0, NotReady)].into_iter());
    bench.carry();
    // The end of the first frees its connection, which ends; nobody is left to take those that waited for it.
    bench.pass(Duration::from_secs(3));
    assert_eq!(bench.clients[0].statuses().len(), 20);
    assert_eq!(bench.engine.open_exchanges(), 0);
}
