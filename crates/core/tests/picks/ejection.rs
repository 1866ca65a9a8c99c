//! Failing endpoints leave the picks and come back.

use crate::simulation::{Manner, Seen, Simulation, spec};
use evenkeel_core::event::EventKind;
use evenkeel_core::policy::{Balance, BalancePolicy, Ejection};
use evenkeel_core::reason::{EjectReason, PickReason};
use std::collections::BTreeSet;
use std::time::Duration;

const DEAD: Manner = Manner { takes: Duration::from_millis(1), lanes: 8, hiccup_in: 0, fails_percent: 100 };

fn ejections(seen: &Seen) -> Vec<(u16, EjectReason, u64)> {
    let ejected = seen.events.iter().filter_map(|(_, event)| match event {
        EventKind::Ejected { address, reason, duration, .. } => {
            Some((address.port(), *reason, duration.as_secs()))
        }
        _ => None,
    });
    ejected.collect()
}

fn readmissions(seen: &Seen) -> usize {
    seen.events.iter().filter(|(_, event)| matches!(event, EventKind::Readmitted { .. })).count()
}

fn workers(workers: u16, endpoints: u16, ejection: Ejection) -> Simulation {
    let mut simulation = Simulation::new(11, workers, Balance::default(), ejection);
    simulation.publish((1..=endpoints).map(spec));
    simulation
}

#[test]
fn a_dead_endpoint_is_out_within_a_second_and_back_after_it_returns() {
    for policy in crate::simulation::POLICIES {
        for concurrency in [1, 20] {
            let mut simulation = Simulation::of_equals(1, policy, 5);
            simulation.run_for(Duration::from_millis(500), concurrency);
            simulation.behave(2, DEAD);
            let seen = simulation.run_for(Duration::from_millis(900), concurrency);
            assert_eq!(ejections(&seen), [(2, EjectReason::ConsecutiveFailures, 1)], "{policy:?}");
            assert!(seen.failed[&2] <= 5 + concurrency as u64, "{policy:?}: {:?}", seen.failed);
            simulation.behave(2, Manner::default());
            let seen = simulation.run_for(Duration::from_secs(1), concurrency);
            assert_eq!(readmissions(&seen), 1, "{policy:?}");
            let share = simulation.run_for(Duration::from_secs(1), concurrency).share(2);
            assert!((share - 0.2).abs() < 0.03, "{policy:?} at {concurrency}: {share:.3}");
        }
    }
}

#[test]
fn who_fails_at_its_return_is_out_again_at_once_for_twice_as_long() {
    let mut simulation = workers(1, 5, Ejection::default());
    simulation.behave(2, DEAD);
    let seen = simulation.run_for(Duration::from_secs(60), 1);
    let expected: Vec<_> = [1, 2, 4, 8, 16, 30]
        .into_iter()
        .map(|seconds| {
            let first = seconds == 1;
            (2, if first { EjectReason::ConsecutiveFailures } else { EjectReason::Relapse }, seconds)
        })
        .collect();
    assert_eq!(ejections(&seen), expected);
    assert_eq!(seen.failed[&2], 10, "five to be ejected, then one at each return");
    assert_eq!(readmissions(&seen), 0);
}

#[test]
fn a_good_answer_after_the_return_begins_the_row_anew() {
    let mut simulation = workers(1, 5, Ejection::default());
    simulation.behave(2, DEAD);
    simulation.run_for(Duration::from_millis(2_500), 1);
    simulation.behave(2, Manner::default());
    assert_eq!(readmissions(&simulation.run_for(Duration::from_secs(2), 1)), 1);
    simulation.behave(2, DEAD);
    let again = simulation.run_for(Duration::from_millis(900), 1);
    assert_eq!(ejections(&again), [(2, EjectReason::ConsecutiveFailures, 1)]);
}

#[test]
fn what_one_worker_ejects_no_worker_picks() {
    let mut simulation = workers(4, 5, Ejection::default());
    simulation.behave(2, DEAD);
    let seen = simulation.run_for(Duration::from_millis(500), 40);
    assert_eq!(ejections(&seen).len(), 1);
    assert!(!simulation.run_for(Duration::from_millis(400), 40).picks.contains_key(&2));
}

#[test]
fn no_more_than_the_share_is_out_though_more_are_dead_and_all_workers_report() {
    for (max_share, out) in [(0.5, 5), (0.25, 2), (0.05, 1), (1.0, 8), (0.0, 0)] {
        let ejection = Ejection { max_share, base: Duration::from_secs(100), ..Ejection::default() };
        let mut simulation = workers(3, 10, ejection);
        (1..=8).for_each(|port| simulation.behave(port, DEAD));
        let seen = simulation.run_for(Duration::from_secs(1), 30);
        let ports: BTreeSet<u16> = ejections(&seen).into_iter().map(|(port, ..)| port).collect();
        assert_eq!((ports.len(), ejections(&seen).len()), (out, out), "{max_share}");
    }
}

#[test]
fn the_dead_that_may_not_be_ejected_do_not_attract_load_by_failing_fast() {
    let mut simulation = workers(1, 6, Ejection { max_share: 0.0, ..Ejection::default() });
    simulation.behave(2, DEAD);
    simulation.run_for(Duration::from_millis(100), 20);
    let share = simulation.run_for(Duration::from_secs(1), 20).share(2);
    assert!(share < 0.08, "{share:.3}");
}

#[test]
fn the_only_endpoint_stays_however_often_it_fails() {
    let mut simulation = workers(1, 1, Ejection { max_share: 1.0, ..Ejection::default() });
    simulation.behave(1, DEAD);
    let seen = simulation.calls(100, 1);
    assert!(ejections(&seen).is_empty());
    assert!(seen.reasons.iter().all(|reason| *reason == PickReason::Only));
}

#[test]
fn ejections_are_ignored_while_too_few_endpoints_are_left() {
    let ejection = Ejection { max_share: 0.9, panic_threshold: 0.5, ..Ejection::default() };
    let mut simulation = workers(1, 4, ejection);
    (1..=3).for_each(|port| simulation.behave(port, DEAD));
    simulation.run_for(Duration::from_millis(500), 4);
    assert!(simulation.set.endpoints.iter().filter(|e| e.health.is_ejected(simulation.now)).count() > 2);
    let seen = simulation.run_for(Duration::from_millis(100), 4);
    assert!(seen.reasons.contains(&PickReason::Panic));
    assert!((1..=3).all(|port| seen.share(port) > 0.0), "{:?}", seen.picks);
}

#[test]
fn a_failure_now_and_then_ejects_nobody() {
    let mut simulation = Simulation::of_equals(1, BalancePolicy::RoundRobin, 3);
    simulation.behave(2, Manner { fails_percent: 10, ..Manner::default() });
    assert!(ejections(&simulation.calls(3_000, 3)).is_empty());
}
