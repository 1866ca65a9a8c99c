//! One exchange with bodies and trailers, and a connection that breaks after each byte of it in turn.
//!
//! Both connections, both directions, by an end or by a reset. Each time every request ends once, nothing is left, and
//! what another client asks for is not touched by the end of the first one's connection. `EVENKEEL_CUTS=all` breaks at
//! each byte, a usual run at every third.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

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
