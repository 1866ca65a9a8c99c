//! How a tunnel's two directions end, and what its peers hear of it.

use crate::bench::{Bench, Farewell, Setup};
use evenkeel_core::endpoint::EndpointState;
use evenkeel_core::event::EventKind;
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::{RoutePolicy, ServicePolicy};
use evenkeel_core::reason::{CloseReason, ExchangeOutcome};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn each_direction_ends_by_itself_and_the_tunnel_with_the_second() {
    for is_client_first in [true, false] {
        let mut bench = Bench::new(Setup::default());
        let (client, endpoint) = bench.tunnel();
        let (first, second) = if is_client_first { (client, endpoint) } else { (endpoint, client) };
        bench.say(first, b"last words");
        bench.end(first);
        assert_eq!((bench.heard(second), bench.peer(second).heard_end), (b"last words".to_vec(), true));
        assert_eq!(bench.peer(first).closed, None);
        bench.say(second, b"an answer all the same");
        assert_eq!(bench.heard(first), b"an answer all the same");
        bench.end(second);
        let closed = [first, second].map(|key| bench.peer(key).closed);
        assert!(closed.iter().all(|how| how.is_some_and(|how| how != Farewell::Reset)), "{closed:?}");
        assert_eq!(bench.outcomes(ExchangeOutcome::Completed), 1);
        assert_eq!(bench.session_ends(), [CloseReason::ClientClosed]);
    }
}

#[test]
fn what_a_client_said_before_its_endpoint_stands_arrives_once_and_its_end_behind_it() {
    let mut bench = Bench::new(Setup::default());
    let client = bench.connect();
    bench.say(client, b"early");
    assert!(!bench.engine.takes_input(client), "it is not read before the endpoint has that");
    bench.end(client);
    let refused = bench.refuse();
    assert_ne!(bench.asked[0].1, refused, "the next endpoint is another one");
    let endpoint = bench.open();
    assert_eq!((bench.heard(endpoint), bench.peer(endpoint).heard_end), (b"early".to_vec(), true));
    bench.say(endpoint, b"late");
    bench.end(endpoint);
    assert_eq!(bench.heard(client), b"late");
    assert_eq!(bench.outcomes(ExchangeOutcome::Completed), 1);
}

#[test]
fn a_client_that_leaves_while_its_endpoint_is_being_connected_to_is_no_fault_of_that() {
    let mut bench = Bench::new(Setup { endpoints: 1, ..Setup::default() });
    for _ in 0..20 {
        let client = bench.connect();
        bench.reset(client);
        assert!(bench.asked.is_empty(), "the connection is not waited for");
    }
    let (client, endpoint) = bench.tunnel();
    bench.say(client, b"hello");
    assert_eq!(bench.heard(endpoint), b"hello");
    assert!(!bench.events.iter().any(|e| matches!(e, EventKind::Ejected { .. })));
}

#[test]
fn a_reset_goes_through_to_the_other_side() {
    for is_client in [true, false] {
        let mut bench = Bench::new(Setup::default());
        let (client, endpoint) = bench.tunnel();
        let (gone, other) = if is_client { (client, endpoint) } else { (endpoint, client) };
        bench.reset(gone);
        assert_eq!(bench.peer(other).closed, Some(Farewell::Reset));
        let reason = if is_client { CloseReason::ClientReset } else { CloseReason::UpstreamReset };
        assert_eq!(bench.session_ends(), [reason]);
    }
}

#[test]
fn an_endpoint_that_is_gone_after_its_last_word_leaves_its_client_the_whole_of_it() {
    let mut bench = Bench::new(Setup::default());
    let (client, endpoint) = bench.tunnel();
    bench.peer(client).takes = Some(0);
    bench.say(endpoint, &[7; 60_000]);
    bench.end(endpoint);
    bench.reset(endpoint);
    // What the client still says reaches nobody, and holds nobody up.
    bench.say(client, &[1; 60_000]);
    bench.take(client, 60_000);
    assert_eq!((bench.heard(client).len(), bench.peer(client).closed), (60_000, Some(Farewell::Whole)));
    assert_eq!(bench.outcomes(ExchangeOutcome::Completed), 1);
}

#[test]
fn a_slow_receiver_gets_the_end_of_a_tunnel_that_is_over_as_it_got_the_rest() {
    let mut bench = Bench::new(Setup::default());
    let (client, endpoint) = bench.tunnel();
    bench.end(client);
    bench.peer(client).takes = Some(0);
    bench.say(endpoint, &[7; 50_000]);
    bench.end(endpoint);
    for _ in 0..5 {
        bench.pass(20 * SECOND);
        bench.take(client, 10_000);
    }
    assert_eq!((bench.heard(client).len(), bench.peer(client).closed), (50_000, Some(Farewell::Whole)));
}

#[test]
fn who_takes_nothing_for_the_send_timeout_is_cut_off() {
    let mut bench = Bench::new(Setup::default());
    let (client, endpoint) = bench.tunnel();
    bench.peer(client).takes = Some(0);
    bench.say(endpoint, b"hello");
    bench.pass(59 * SECOND);
    assert_eq!(bench.session_ends(), []);
    bench.pass(2 * SECOND);
    bench.pass(6 * SECOND);
    assert_eq!(bench.session_ends(), [CloseReason::SendTimeout]);
    assert_eq!(bench.peer(endpoint).closed, Some(Farewell::Reset));
}

#[test]
fn a_direction_holds_no_more_than_its_bound_and_goes_on_when_there_is_room() {
    let limits = Limits::default();
    let mut bench = Bench::new(Setup::default());
    let (client, endpoint) = bench.tunnel();
    bench.peer(client).takes = Some(0);
    let mut sent = 0;
    while bench.engine.takes_input(endpoint) {
        bench.say(endpoint, &[7; 16_384]);
        sent += 16_384;
        assert!(sent <= limits.output_high + limits.tunnel_bytes + 16_384, "{sent} bytes are held");
    }
    assert!(bench.engine.takes_input(client), "the other direction is not concerned");
    bench.take(client, usize::MAX);
    assert!(bench.engine.takes_input(endpoint));
    assert_eq!(bench.heard(client).len(), sent);
}

#[test]
fn silence_ends_a_tunnel_only_where_that_is_asked_for_and_only_of_both_sides() {
    let route = RoutePolicy { upgraded_idle: Some(10 * SECOND), ..RoutePolicy::default() };
    let mut bench = Bench::new(Setup { route, ..Setup::default() });
    let (client, endpoint) = bench.tunnel();
    for _ in 0..10 {
        bench.pass(9 * SECOND);
        bench.say(endpoint, b"still here");
    }
    assert_eq!(bench.session_ends(), []);
    bench.pass(9 * SECOND);
    assert_eq!(bench.session_ends(), []);
    bench.pass(2 * SECOND);
    assert_eq!(bench.session_ends(), [CloseReason::UpgradedIdle]);
    assert_eq!(bench.outcomes(ExchangeOutcome::UpgradedIdle), 1);
    let closed = [client, endpoint].map(|key| bench.peer(key).closed);
    assert!(closed.iter().all(|how| how.is_some_and(|how| how != Farewell::Reset)), "{closed:?}");

    // Bytes that the event loop moves by itself are none the less bytes.
    let mut bench = Bench::new(Setup { route, ..Setup::default() });
    let (client, endpoint) = bench.tunnel();
    for _ in 0..10 {
        bench.pass(9 * SECOND);
        assert_eq!(bench.engine.may_splice(endpoint), Some(client));
        bench.engine.spliced(bench.now, endpoint, 1_000);
    }
    assert_eq!(bench.session_ends(), []);

    let mut bench = Bench::new(Setup::default());
    bench.tunnel();
    for _ in 0..50 {
        bench.pass(3_600 * SECOND);
    }
    assert_eq!(bench.session_ends(), []);
}

#[test]
fn a_drain_lets_tunnels_go_on_until_its_deadline() {
    let mut bench = Bench::new(Setup::default());
    let (client, endpoint) = bench.tunnel();
    let deadline = bench.now + 30 * SECOND;
    bench.engine.begin_drain(bench.now, deadline);
    bench.pass(29 * SECOND);
    bench.say(client, b"still");
    assert_eq!(bench.heard(endpoint), b"still");
    bench.pass(2 * SECOND);
    assert_eq!(bench.session_ends(), [CloseReason::DrainDeadline]);
    assert_eq!(bench.outcomes(ExchangeOutcome::Drained), 1);
    assert_eq!(bench.engine.drain_progress().cut_sessions, 1);
    assert_eq!(bench.peer(client).closed, Some(Farewell::Reset));
}

#[test]
fn an_endpoint_that_terminates_keeps_its_tunnels_until_its_service_s_deadline() {
    let service = ServicePolicy { drain_deadline: Some(20 * SECOND), ..ServicePolicy::default() };
    let mut bench = Bench::new(Setup { service, endpoints: 1, ..Setup::default() });
    let (client, endpoint) = bench.tunnel();
    bench.publish(EndpointState::Terminating, 2);
    bench.pass(19 * SECOND);
    bench.say(client, b"still");
    assert_eq!(bench.heard(endpoint), b"still");
    let other = bench.tunnel();
    bench.pass(2 * SECOND);
    assert_eq!(bench.session_ends(), [CloseReason::EndpointTerminating]);
    bench.say(other.0, b"elsewhere");
    assert_eq!(bench.heard(other.1), b"elsewhere");
}

#[test]
fn a_direction_may_be_spliced_while_nothing_of_it_waits_and_neither_side_has_ended_it() {
    let mut bench = Bench::new(Setup::default());
    let client = bench.connect();
    assert_eq!(bench.engine.may_splice(client), None);
    let endpoint = bench.open();
    assert_eq!(bench.engine.may_splice(client), Some(endpoint));
    bench.peer(client).takes = Some(0);
    bench.say(endpoint, b"hello");
    assert_eq!(bench.engine.may_splice(endpoint), None, "it would overtake what waits");
    bench.take(client, 5);
    assert_eq!(bench.engine.may_splice(endpoint), Some(client));
    bench.end(client);
    assert_eq!(bench.engine.may_splice(client), None);
    assert_eq!(bench.engine.may_splice(endpoint), Some(client));
}

#[test]
fn a_receiver_that_takes_nothing_of_a_pipe_for_the_send_timeout_is_cut_off_too() {
    let mut bench = Bench::new(Setup::default());
    let (_, endpoint) = bench.tunnel();
    bench.engine.splice_stalled(bench.now, endpoint);
    bench.pass(50 * SECOND);
    bench.engine.spliced(bench.now, endpoint, 1);
    bench.engine.splice_stalled(bench.now, endpoint);
    bench.pass(50 * SECOND);
    assert_eq!(bench.session_ends(), []);
    bench.pass(11 * SECOND);
    assert_eq!(bench.session_ends(), [CloseReason::SendTimeout]);
}
