//! One exchange with bodies and trailers, and what may end it at each of its points in turn.
//!
//! Connections break after each byte: both connections, both directions, by an end or by a reset. Each time every request ends once, nothing is left, and
//! what another client asks for is not touched by the end of the first one's connection. `EVENKEEL_CUTS=all` breaks at
//! each byte, a usual run at every third. And each side gives up its streams, or its
//! connection, at each frame that comes and each time that it writes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use evenkeel_testkit::simulation::http2::Failure;
use evenkeel_testkit::simulation::network::{Break, Cut, End};
use evenkeel_testkit::simulation::{Scenario, run};

fn stride() -> usize {
    if std::env::var_os("EVENKEEL_CUTS").is_some_and(|v| v == "all") { 1 } else { 3 }
}

/// Breaks a link at its points; gives how many requests were complete at each of them.
fn break_everywhere(link: u32, side: u8, how: Break) -> Vec<usize> {
    let whole = run(&Scenario::cut(None), false).unwrap();
    assert_eq!((whole.requests, whole.complete), (4, 4), "nothing breaks");
    let bytes = whole.written[link as usize][usize::from(side)];
    assert!(bytes > 150, "{bytes} bytes are no exchange");
    let cut_at = |at| {
        let cut = Cut { end: End { link, side }, at, how };
        let report = run(&Scenario::cut(Some(cut)), false).unwrap_or_else(|why| {
            panic!("link {link} side {side} {how:?} after {at} of {bytes} bytes: {why}")
        });
        report.complete
    };
    (0..bytes).step_by(stride()).map(cut_at).collect()
}

#[test]
fn a_client_whose_connection_breaks_anywhere_takes_nobody_with_it() {
    for side in [0, 1] {
        for how in [Break::End, Break::Reset] {
            let complete = break_everywhere(0, side, how);
            assert!(complete.iter().all(|&n| n >= 3), "{complete:?}: the other client's are complete");
            assert!(complete.contains(&3), "{complete:?}: the cut hits");
        }
    }
}

#[test]
fn an_upstream_that_breaks_anywhere_fails_what_it_had_and_nothing_later() {
    for side in [0, 1] {
        for how in [Break::End, Break::Reset] {
            let complete = break_everywhere(2, side, how);
            assert!(complete.iter().all(|&n| n >= 2), "{complete:?}: what comes later is served");
            assert!(complete.iter().any(|&n| n < 4), "{complete:?}: the cut hits");
        }
    }
}

/// More events than either side has.
const EVENTS: u32 = 60;

/// How many requests are complete when something happens at each event.
fn at_each_event(set: impl Fn(&mut Scenario, u32)) -> Vec<usize> {
    let complete_at = |event| {
        let mut scenario = Scenario::cut(None);
        set(&mut scenario, event);
        run(&scenario, false).unwrap_or_else(|why| panic!("at event {event}: {why}")).complete
    };
    (1..EVENTS).map(complete_at).collect()
}

#[test]
fn a_client_that_cancels_at_any_event_takes_nobody_with_it() {
    let complete = at_each_event(|scenario, event| scenario.clients[0].cancels_at = Some(event));
    assert!(complete.iter().all(|&n| n >= 3), "{complete:?}: the other client's are complete");
    assert!(complete.iter().filter(|&&n| n == 3).count() > 5, "{complete:?}: it is cancelled at many points");
}

#[test]
fn an_endpoint_that_gives_up_at_any_event_fails_what_it_had_and_nothing_later() {
    for failure in [Failure::Reset(2), Failure::Reset(7), Failure::Reset(0), Failure::GoAway, Failure::Break]
    {
        let complete =
            at_each_event(|scenario, event| scenario.endpoints[0].fails_at = Some((event, failure)));
        assert!(complete.iter().all(|&n| n >= 2), "{failure:?} {complete:?}: what comes later is served");
        assert!(complete.iter().any(|&n| n < 4), "{failure:?} {complete:?}: something fails");
    }
}
