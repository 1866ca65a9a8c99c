//! Exchanges that go to another endpoint because their route allows it: when, how often, and what the client sees.

use crate::bench::{Bench, address};
use crate::peer::Seen;
use evenkeel_core::endpoint::EndpointState::{NotReady, Ready, Terminating};
use evenkeel_core::event::EventKind;
use evenkeel_core::id::ServiceId;
use evenkeel_core::policy::{Ejection, Retry, RetryOn, RoutePolicy, ServicePolicy};
use evenkeel_core::reason::{ExchangeOutcome, Limit, RetryReason};
use evenkeel_engine::ConnectFailure;
use evenkeel_engine::PeerEnd;
use evenkeel_wire::http2::ErrorCode;
use std::time::Duration;

const ALL: RetryOn =
    RetryOn { reset: true, timeout: true, gateway_error: true, unavailable: true, resource_exhausted: true };

fn route(retry: Retry) -> RoutePolicy {
    RoutePolicy { retry, ..RoutePolicy::default() }
}

/// A client before endpoints whose route allows this.
fn bench(retry: Retry, endpoints: u16) -> Bench {
    let mut bench = Bench::with_route(ServicePolicy::default(), route(retry), endpoints);
    bench.client();
    bench
}

fn on(on: RetryOn) -> Retry {
    Retry { on, ..Retry::default() }
}

/// The same with stream 1 at the first endpoint.
fn asked(retry: Retry, endpoints: u16) -> Bench {
    let mut bench = bench(retry, endpoints);
    bench.clients[0].request(1, true);
    bench.carry();
    bench.open();
    bench
}

fn retries(bench: &Bench, reason: RetryReason) -> u64 {
    bench.stats.retries_total(reason)
}

#[test]
fn a_gateway_error_is_held_back_and_the_request_goes_to_another_endpoint() {
    for status in ["502", "503", "504"] {
        let mut bench = asked(on(RetryOn { gateway_error: true, ..RetryOn::default() }), 2);
        bench.endpoints[0].headers(1, &[(":status", status), ("x-from", "first")], false);
        bench.carry();
        let second = bench.open();
        bench.endpoints[0].data(1, b"late words of the first", true);
        bench.endpoints[second].headers(1, &[(":status", "200"), ("x-from", "second")], true);
        bench.carry();
        assert_eq!(bench.clients[0].statuses(), [(1, "200")]);
        assert_eq!((bench.clients[0].last("x-from"), bench.clients[0].body.len()), (Some("second"), 0));
        assert_eq!(bench.endpoints[0].resets(), [(1, ErrorCode::Cancel)]);
        assert_eq!(bench.endpoints[second].blocks, bench.endpoints[0].blocks);
        assert_eq!(retries(&bench, RetryReason::GatewayError), 1);
        assert_eq!((bench.gauges().0, bench.engine.open_exchanges()), (0, 0));
    }
}

#[test]
fn an_answer_that_the_route_does_not_name_goes_to_the_client() {
    for (allowed, status) in [(ALL, "500"), (RetryOn { gateway_error: false, ..ALL }, "503")] {
        let mut bench = asked(on(allowed), 2);
        bench.endpoints[0].headers(1, &[(":status", status)], true);
        bench.carry();
        assert_eq!((bench.clients[0].statuses(), bench.asked.len()), (vec![(1, status)], 0));
    }
}

#[test]
fn the_last_answer_goes_to_the_client_as_it_is_when_every_endpoint_was_tried() {
    let mut bench = asked(Retry { attempts: 9, ..on(ALL) }, 2);
    bench.endpoints[0].headers(1, &[(":status", "503"), ("x-from", "first")], true);
    bench.carry();
    let second = bench.open();
    bench.endpoints[second].headers(1, &[(":status", "502"), ("x-from", "second")], false);
    bench.endpoints[second].data(1, b"sorry", true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(1, "502")]);
    assert_eq!(
        (bench.clients[0].last("x-from"), &bench.clients[0].body[..]),
        (Some("second"), &b"sorry"[..])
    );
    assert_eq!(
        (retries(&bench, RetryReason::GatewayError), bench.outcomes(ExchangeOutcome::Completed)),
        (1, 1)
    );
}

#[test]
fn as_many_attempts_as_allowed_are_made_and_no_more() {
    for attempts in 0..4_u32 {
        let mut bench = asked(Retry { attempts, ..on(ALL) }, 8);
        for n in 0..attempts as usize {
            bench.endpoints[n].headers(1, &[(":status", "503")], true);
            bench.carry();
            assert_eq!(bench.clients[0].statuses(), []);
            bench.open();
        }
        bench.endpoints[attempts as usize].headers(1, &[(":status", "503")], true);
        bench.carry();
        assert_eq!((bench.clients[0].statuses(), bench.asked.len()), (vec![(1, "503")], 0), "{attempts}");
    }
}

#[test]
fn a_grpc_status_alone_is_held_back_and_one_behind_headers_is_not() {
    let exhausted = RetryOn { resource_exhausted: true, ..RetryOn::default() };
    let unavailable = RetryOn { unavailable: true, ..RetryOn::default() };
    for (allowed, status, goes_on) in [
        (unavailable, "14", true),
        (exhausted, "8", true),
        (unavailable, "8", false),
        (exhausted, "14", false),
        (ALL, "13", false),
        (ALL, "0", false),
    ] {
        let mut bench = asked(on(allowed), 2);
        bench.endpoints[0].headers(1, &[(":status", "200"), ("grpc-status", status)], true);
        bench.carry();
        assert_eq!(bench.asked.len(), usize::from(goes_on), "{allowed:?} {status}");
        assert_eq!(bench.clients[0].statuses().len(), usize::from(!goes_on));
    }
    let mut bench = asked(on(ALL), 2);
    bench.endpoints[0].answer(1, false);
    bench.endpoints[0].headers(1, &[("grpc-status", "14")], true);
    bench.carry();
    assert_eq!((bench.asked.len(), bench.clients[0].last("grpc-status")), (0, Some("14")));
}

#[test]
fn a_stream_that_is_reset_before_its_answer_goes_on_where_that_is_allowed() {
    for allowed in [true, false] {
        let mut bench = asked(on(RetryOn { reset: allowed, ..RetryOn::default() }), 2);
        bench.endpoints[0].frame(3, 0, 1, &[0, 0, 0, 2]);
        bench.carry();
        assert_eq!(bench.asked.len(), usize::from(allowed));
        let told = if allowed { vec![] } else { vec![(1, ErrorCode::InternalError)] };
        assert_eq!(bench.clients[0].resets(), told);
    }
}

#[test]
fn once_a_client_has_seen_a_part_of_an_answer_it_gets_no_other() {
    for begin in [&[(":status", "103"), ("link", "x")], &[(":status", "200"), ("x", "y")]] {
        let mut bench = asked(on(ALL), 2);
        bench.endpoints[0].headers(1, begin, false);
        bench.carry();
        bench.endpoints[0].frame(3, 0, 1, &[0, 0, 0, 2]);
        bench.carry();
        assert_eq!(bench.clients[0].resets(), [(1, ErrorCode::InternalError)]);
        assert_eq!(bench.asked, []);
    }
}

#[test]
fn what_was_unanswered_on_a_lost_connection_goes_on_and_what_had_begun_is_cut() {
    let mut bench = bench(on(ALL), 1);
    for stream in [1, 3, 5] {
        bench.clients[0].request(stream, true);
    }
    bench.carry();
    bench.open();
    bench.publish([(0, Ready), (1, Ready)].into_iter());
    bench.endpoints[0].answer(3, false);
    bench.carry();
    let key = bench.endpoints[0].key;
    bench.engine.peer_ended(bench.now, key, PeerEnd::Reset);
    bench.carry();
    let second = bench.open();
    bench.endpoints[second].answer(1, true);
    bench.endpoints[second].answer(3, true);
    bench.carry();
    assert_eq!(bench.clients[0].resets(), [(3, ErrorCode::InternalError)]);
    assert_eq!(bench.clients[0].statuses(), [(3, "200"), (1, "200"), (5, "200")]);
    assert_eq!(retries(&bench, RetryReason::Reset), 2);
}

#[test]
fn a_lost_connection_fails_its_endpoint_once_whatever_was_open_on_it() {
    let ejection = Ejection { consecutive_failures: 5, max_share: 1.0, ..Ejection::default() };
    let mut bench = Bench::new(ServicePolicy { ejection, ..ServicePolicy::default() }, 1);
    bench.client();
    for lost in 0..5 {
        bench.publish([(0, Ready), (1, NotReady)].into_iter());
        for n in 0..20 {
            bench.clients[0].request(40 * lost + 2 * n + 1, true);
        }
        bench.carry();
        let place = bench.open();
        bench.publish([(0, Ready), (1, Ready)].into_iter());
        assert!(!bench.is_ejected(0), "{lost} connections were lost");
        let key = bench.endpoints[place].key;
        bench.engine.peer_ended(bench.now, key, PeerEnd::Reset);
        bench.carry();
    }
    assert!(bench.is_ejected(0), "the fifth in a row");
}

#[test]
fn what_is_unanswered_when_its_endpoint_must_be_gone_goes_on_and_nobody_is_blamed() {
    for allowed in [true, false] {
        let ejection = Ejection { consecutive_failures: 1, max_share: 1.0, ..Ejection::default() };
        let policy = ServicePolicy { ejection, ..ServicePolicy::default() };
        let retry = on(RetryOn { reset: allowed, ..RetryOn::default() });
        let mut bench = Bench::with_route(policy, route(retry), 1);
        bench.client();
        bench.clients[0].request(1, true);
        bench.carry();
        bench.open();
        bench.publish([(0, Terminating), (1, Ready)].into_iter());
        bench.pass(Duration::from_secs(31));
        assert_eq!((bench.asked.len(), bench.is_ejected(0)), (usize::from(allowed), false));
        assert_eq!(bench.clients[0].statuses().len(), usize::from(!allowed));
        assert_eq!(bench.outcomes(ExchangeOutcome::Drained), u64::from(!allowed));
    }
}

#[test]
fn a_try_without_an_answer_in_time_goes_on_and_is_cancelled_where_it_was() {
    let timeout = Duration::from_secs(1);
    let mut bench = asked(Retry { per_try_timeout: Some(timeout), ..on(ALL) }, 2);
    bench.pass(timeout - Duration::from_millis(20));
    assert_eq!(bench.asked, []);
    bench.pass(Duration::from_millis(40));
    assert_eq!(bench.endpoints[0].resets(), [(1, ErrorCode::Cancel)]);
    let second = bench.open();
    bench.endpoints[0].answer(1, true);
    bench.endpoints[second].answer(1, true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(1, "200")]);
    assert_eq!(retries(&bench, RetryReason::Timeout), 1);
}

#[test]
fn a_try_that_may_not_go_on_ends_the_exchange_at_its_timeout() {
    let timeout = Some(Duration::from_secs(1));
    for retry in [
        Retry { per_try_timeout: timeout, ..Retry::default() },
        Retry { per_try_timeout: timeout, attempts: 0, ..on(ALL) },
    ] {
        let mut bench = asked(retry, 2);
        bench.pass(Duration::from_millis(1_020));
        assert_eq!(bench.clients[0].statuses(), [(1, "504")]);
        assert_eq!(bench.outcomes(ExchangeOutcome::TryTimeout), 1);
        assert_eq!(bench.engine.open_exchanges(), 0);
    }
}

#[test]
fn an_answer_that_began_in_time_may_take_longer_than_a_try() {
    let mut bench = asked(Retry { per_try_timeout: Some(Duration::from_secs(1)), ..on(ALL) }, 2);
    bench.endpoints[0].answer(1, false);
    bench.carry();
    bench.pass(Duration::from_secs(60));
    bench.endpoints[0].data(1, b"at last", true);
    bench.carry();
    assert_eq!((&bench.clients[0].body[..], bench.clients[0].resets()), (&b"at last"[..], vec![]));
}

/// A request with a body of this many bytes, all of which the first endpoint took.
fn uploaded(length: usize) -> Bench {
    let mut bench = bench(on(ALL), 2);
    bench.clients[0].request(1, false);
    bench.carry();
    bench.open();
    for stream in [0, 1] {
        bench.endpoints[0].frame(8, 0, stream, &[0, 1, 0, 0]);
    }
    let body: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
    let mut parts = body.chunks(16_000).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        bench.clients[0].data(1, part, is_last);
        bench.carry();
    }
    assert_eq!(bench.endpoints[0].body, body);
    bench
}

#[test]
fn a_body_is_sent_again_up_to_what_is_kept_and_one_byte_more_is_not() {
    let mut bench = uploaded(64 * 1024);
    bench.endpoints[0].headers(1, &[(":status", "503")], true);
    bench.carry();
    let second = bench.open();
    for stream in [0, 1] {
        bench.endpoints[second].frame(8, 0, stream, &[0, 1, 0, 0]);
    }
    bench.carry();
    assert_eq!(bench.endpoints[second].body, bench.endpoints[0].body);
    assert!(matches!(bench.endpoints[second].seen.last(), Some(Seen::Data { is_end: true, .. })));

    let mut bench = uploaded(64 * 1024 + 1);
    bench.endpoints[0].headers(1, &[(":status", "503")], true);
    bench.carry();
    assert_eq!((bench.clients[0].statuses(), bench.asked.len()), (vec![(1, "503")], 0));
}

#[test]
fn a_request_that_is_not_whole_or_had_trailers_is_not_sent_again() {
    for trailers in [false, true] {
        let mut bench = bench(on(ALL), 2);
        bench.clients[0].request(1, false);
        bench.carry();
        bench.open();
        bench.clients[0].data(1, b"a part", false);
        if trailers {
            bench.clients[0].headers(1, &[("x-sum", "1")], true);
        }
        bench.carry();
        bench.endpoints[0].headers(1, &[(":status", "503")], true);
        bench.carry();
        assert_eq!((bench.clients[0].statuses(), bench.asked.len()), (vec![(1, "503")], 0));
    }
}

#[test]
fn three_may_be_under_way_again_without_a_budget_and_a_fourth_may_not() {
    let mut bench = bench(Retry { budget: 0.0, ..on(ALL) }, 1);
    for n in 0..5 {
        bench.clients[0].request(2 * n + 1, true);
    }
    bench.carry();
    bench.open();
    bench.publish([(0, Ready), (1, Ready)].into_iter());
    for n in 0..4 {
        bench.endpoints[0].headers(2 * n + 1, &[(":status", "503")], true);
    }
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(7, "503")]);
    assert_eq!(bench.worker.refused_total(Limit::RetryBudget), 1);
    // The first answer of the other endpoint, though not whole, makes room for one more.
    let second = bench.open();
    bench.endpoints[second].answer(1, false);
    bench.carry();
    bench.endpoints[0].headers(9, &[(":status", "503")], true);
    bench.carry();
    assert_eq!(bench.clients[0].statuses(), [(7, "503"), (1, "200")]);
    assert_eq!(retries(&bench, RetryReason::GatewayError), 4);
    assert_eq!(bench.worker.refused_total(Limit::RetryBudget), 1);
}

#[test]
fn what_was_not_processed_goes_on_without_a_budget() {
    let mut bench = bench(Retry { budget: 0.0, ..Retry::default() }, 1);
    for n in 0..20 {
        bench.clients[0].request(2 * n + 1, true);
    }
    bench.carry();
    bench.open();
    bench.publish([(0, Ready), (1, Ready)].into_iter());
    for n in 0..20 {
        bench.endpoints[0].frame(3, 0, 2 * n + 1, &[0, 0, 0, ErrorCode::RefusedStream as u8]);
    }
    bench.carry();
    let second = bench.open();
    assert_eq!(bench.endpoints[second].blocks.len(), 20);
    assert_eq!(retries(&bench, RetryReason::Unprocessed), 20);
    assert_eq!(bench.worker.refused_total(Limit::RetryBudget), 0);
}

#[test]
fn each_failed_try_counts_against_its_endpoint() {
    let ejection = Ejection { consecutive_failures: 1, max_share: 1.0, ..Ejection::default() };
    let policy = ServicePolicy { ejection, ..ServicePolicy::default() };
    let mut bench = Bench::with_route(policy, route(on(ALL)), 3);
    bench.client();
    bench.clients[0].request(1, true);
    bench.carry();
    let mut ports = vec![bench.asked[0].1.port()];
    bench.open();
    bench.endpoints[0].headers(1, &[(":status", "200"), ("grpc-status", "8")], true);
    bench.carry();
    ports.push(bench.asked[0].1.port());
    bench.open();
    bench.endpoints[1].frame(3, 0, 1, &[0, 0, 0, 2]);
    bench.carry();
    assert!(ports.iter().all(|&port| bench.is_ejected(usize::from(port))), "{ports:?}");
}

#[test]
fn a_client_that_leaves_while_its_request_is_under_way_again_leaves_nothing_behind() {
    let mut bench = asked(Retry { budget: 0.0, ..on(ALL) }, 2);
    bench.endpoints[0].headers(1, &[(":status", "503")], true);
    bench.carry();
    bench.open();
    bench.clients[0].frame(3, 0, 1, &[0, 0, 0, 8]);
    bench.carry();
    assert_eq!((bench.engine.open_exchanges(), bench.gauges().0), (0, 0));
    // All three places of the budget are free again.
    for stream in [3, 5, 7] {
        bench.clients[0].request(stream, true);
    }
    bench.carry();
    for place in 0..2 {
        let streams: Vec<u32> =
            bench.endpoints[place].statuses().iter().map(|(s, _)| *s).filter(|&s| s > 1).collect();
        for stream in streams {
            bench.endpoints[place].headers(stream, &[(":status", "503")], true);
        }
        if place == 0 {
            bench.carry();
        }
    }
    bench.carry();
    assert_eq!(bench.worker.refused_total(Limit::RetryBudget), 0);
}

#[test]
fn a_few_failed_exchanges_a_second_are_told_with_their_endpoint_and_all_are_counted() {
    let mut bench = bench(Retry::default(), 1);
    for n in 0..30 {
        bench.clients[0].request(2 * n + 1, true);
    }
    bench.carry();
    bench.open();
    for n in 0..29 {
        bench.endpoints[0].frame(3, 0, 2 * n + 1, &[0, 0, 0, 2]);
    }
    bench.carry();
    bench.pass(Duration::from_secs(1));
    bench.endpoints[0].frame(3, 0, 59, &[0, 0, 0, 2]);
    bench.carry();
    let told: Vec<_> =
        bench.events.iter().filter(|e| matches!(e, EventKind::ExchangeFailed { .. })).collect();
    assert_eq!((told.len(), bench.outcomes(ExchangeOutcome::UpstreamReset)), (11, 30));
    let expected = EventKind::ExchangeFailed {
        service: Some(ServiceId(0)),
        address: Some(address(0)),
        outcome: ExchangeOutcome::UpstreamReset,
        took: Duration::from_secs(1),
        tries: 1,
        left_out: 19,
    };
    assert_eq!(told.last(), Some(&&expected));
}

/// The connection's endpoint says that it processed nothing, and goes.
fn go_away(bench: &mut Bench, endpoint: usize) {
    bench.endpoints[endpoint].frame(7, 0, 0, &[0, 0, 0, 0, 0, 0, 0, ErrorCode::EnhanceYourCalm as u8]);
    bench.carry();
}

#[test]
fn endpoints_that_all_went_away_are_asked_again_on_fresh_connections_while_attempts_last() {
    for endpoints in [1, 2] {
        let mut bench = asked(Retry::default(), endpoints);
        for n in 0..Retry::default().attempts as usize {
            go_away(&mut bench, n);
            assert_eq!(bench.clients[0].statuses(), [], "{endpoints}");
            assert_eq!(bench.open(), n + 1);
        }
        let last = bench.endpoints.len() - 1;
        bench.endpoints[last].answer(1, true);
        bench.carry();
        assert_eq!(bench.clients[0].statuses(), [(1, "200")]);
    }
}

#[test]
fn endpoints_that_go_away_each_time_are_asked_as_often_as_allowed_and_no_more() {
    let mut bench = asked(Retry { attempts: 1, ..Retry::default() }, 1);
    go_away(&mut bench, 0);
    bench.open();
    go_away(&mut bench, 1);
    assert_eq!(bench.clients[0].statuses(), [(1, "503")]);
    assert_eq!((bench.asked.len(), bench.outcomes(ExchangeOutcome::UpstreamGone)), (0, 1));
    assert_eq!(retries(&bench, RetryReason::Unprocessed), 1);
}

#[test]
fn an_exchange_that_was_sent_does_not_end_as_if_nobody_took_a_connection() {
    // One goes away and the other takes no connection; then the first takes none either.
    let mut bench = asked(Retry::default(), 2);
    go_away(&mut bench, 0);
    for _ in 0..2 {
        assert_eq!(bench.clients[0].statuses(), []);
        let (key, _) = bench.asked.remove(0);
        bench.engine.connect_failed(bench.now, key, ConnectFailure::Refused);
        bench.carry();
    }
    assert_eq!(bench.clients[0].statuses(), [(1, "503")]);
    assert_eq!((bench.asked.len(), bench.outcomes(ExchangeOutcome::UpstreamGone)), (0, 1));
    assert_eq!(bench.outcomes(ExchangeOutcome::ConnectFailed), 0);
}
