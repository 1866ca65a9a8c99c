//! Equal endpoints get equal shares.

use crate::simulation::{Manner, POLICIES, Simulation};
use evenkeel_core::policy::{Balance, BalancePolicy, Ejection};
use std::time::Duration;

#[test]
fn five_equal_endpoints_are_level_over_ten_thousand_calls_at_any_concurrency() {
    for policy in POLICIES {
        for concurrency in [1, 20, 100] {
            for seed in 0..8 {
                let seen = Simulation::of_equals(seed, policy, 5).calls(10_000, concurrency);
                let skew = seen.skew(5);
                assert!(skew <= 1.10, "{policy:?} at {concurrency}, seed {seed}: {skew:.3}");
            }
        }
    }
}

#[test]
fn chance_is_not_left_to_level_a_few_hundred_calls() {
    for policy in [BalancePolicy::PeakEwma, BalancePolicy::LeastRequest, BalancePolicy::RoundRobin] {
        for seed in 0..20 {
            let skew = Simulation::of_equals(seed, policy, 5).calls(200, 1).skew(5);
            assert!(skew <= 1.10, "{policy:?}, seed {seed}: {skew:.3}");
        }
    }
}

/// A first answer that takes long (a cold start) or one now and then (a collection of garbage) is no reason to pass an
/// endpoint over.
#[test]
fn hiccups_of_equal_endpoints_leave_them_level() {
    let hiccups = Manner { hiccup_in: 100, ..Manner::default() };
    for concurrency in [1, 20, 100] {
        for seed in 0..8 {
            let mut simulation = Simulation::of_equals(seed, BalancePolicy::PeakEwma, 5);
            (1..=5).for_each(|port| simulation.behave(port, hiccups));
            let skew = simulation.calls(10_000, concurrency).skew(5);
            assert!(skew <= 1.10, "at {concurrency}, seed {seed}: {skew:.3}");
        }
    }
}

#[test]
fn a_stall_of_one_endpoint_at_the_start_is_forgotten_soon() {
    for concurrency in [1, 20] {
        for seed in 0..8 {
            let mut simulation = Simulation::of_equals(seed, BalancePolicy::PeakEwma, 5);
            simulation.behave(1, Manner { takes: Duration::from_millis(50), ..Manner::default() });
            simulation.calls(100, concurrency);
            simulation.behave(1, Manner::default());
            let skew = simulation.calls(10_000, concurrency).skew(5);
            assert!(skew <= 1.10, "at {concurrency}, seed {seed}: {skew:.3}");
        }
    }
}

#[test]
fn several_workers_together_are_level() {
    for policy in POLICIES {
        let balance = Balance { policy, ..Balance::default() };
        let mut simulation = Simulation::new(3, 4, balance, Ejection::default());
        simulation.publish((1..=5).map(crate::simulation::spec));
        let skew = simulation.calls(10_000, 40).skew(5);
        assert!(skew <= 1.10, "{policy:?}: {skew:.3}");
    }
}

#[test]
fn a_failure_in_a_hundred_everywhere_leaves_equal_endpoints_level() {
    let flaky = Manner { fails_percent: 1, ..Manner::default() };
    for seed in 0..8 {
        let mut simulation = Simulation::of_equals(seed, BalancePolicy::PeakEwma, 5);
        (1..=5).for_each(|port| simulation.behave(port, flaky));
        let skew = simulation.calls(10_000, 20).skew(5);
        assert!(skew <= 1.10, "seed {seed}: {skew:.3}");
    }
}
