//! New endpoints: their share comes within a second, or along the ramp of slow start, and is neither more nor less.

use crate::simulation::{Simulation, spec};
use evenkeel_core::endpoint::{EndpointSpec, EndpointState};
use evenkeel_core::policy::{Balance, BalancePolicy, Ejection};
use std::time::Duration;

#[test]
fn from_three_to_five_the_new_two_take_their_share_within_a_second_and_are_not_flooded() {
    for concurrency in [1, 20, 100] {
        for seed in 0..8 {
            let mut simulation = Simulation::of_equals(seed, BalancePolicy::PeakEwma, 3);
            simulation.run_for(Duration::from_secs(2), concurrency);
            simulation.publish((1..=5).map(spec));
            let seen = simulation.run_for(Duration::from_secs(1), concurrency);
            let new = seen.share(4) + seen.share(5);
            assert!((0.36..0.44).contains(&new), "at {concurrency}, seed {seed}: {new:.3}");
        }
    }
}

#[test]
fn from_five_to_three_by_terminating_ones_gives_these_no_pick_any_more() {
    let mut simulation = Simulation::of_equals(1, BalancePolicy::PeakEwma, 5);
    simulation.calls(1_000, 20);
    simulation.publish((1..=5).map(|port| EndpointSpec {
        state: if port > 3 { EndpointState::Terminating } else { EndpointState::Ready },
        ..spec(port)
    }));
    let seen = simulation.calls(1_000, 20);
    assert_eq!(seen.picks.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn slow_start_gives_a_new_endpoint_the_share_of_its_ramp() {
    for policy in [BalancePolicy::PeakEwma, BalancePolicy::LeastRequest, BalancePolicy::RoundRobin] {
        let balance = Balance { policy, slow_start: Duration::from_secs(10) };
        let mut simulation = Simulation::new(2, 1, balance, Ejection::default());
        simulation.publish([spec(1), spec(2), spec(3)]);
        let level = simulation.run_for(Duration::from_secs(1), 6).skew(3);
        assert!(level < 1.05, "{policy:?}: those of the beginning do not start slowly, {level:.3}");
        simulation.publish((1..=4).map(spec));
        for second in 0..10 {
            let seen = simulation.run_for(Duration::from_secs(1), 6);
            let weight = 0.1 + 0.9 * (f64::from(second) + 0.5) / 10.0;
            let fair = weight / (3.0 + weight);
            let share = seen.share(4);
            assert!((share - fair).abs() < 0.02, "{policy:?}, second {second}: {share:.3} for {fair:.3}");
        }
        let share = simulation.run_for(Duration::from_secs(1), 6).share(4);
        assert!((share - 0.25).abs() < 0.015, "{policy:?} after the ramp: {share:.3}");
    }
}
