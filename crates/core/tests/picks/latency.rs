//! A slower endpoint gets less, the others do not suffer, and it is noticed when it is fast again.

use crate::simulation::{Manner, Simulation, spec};
use evenkeel_core::policy::BalancePolicy;
use std::time::Duration;

const SLOW: Manner = Manner { takes: Duration::from_millis(5), lanes: 8, hiccup_in: 0, fails_percent: 0 };

#[test]
fn an_endpoint_five_times_slower_gets_clearly_less_and_the_others_stay_fast() {
    for concurrency in [1, 20, 100] {
        for seed in 0..4 {
            let mut simulation = Simulation::of_equals(seed, BalancePolicy::PeakEwma, 5);
            let before = simulation.calls(10_000, concurrency).p99(1..=5);
            simulation.behave(3, SLOW);
            simulation.calls(500, concurrency);
            let seen = simulation.calls(10_000, concurrency);
            assert!(seen.share(3) < 0.08, "at {concurrency}, seed {seed}: {:.3}", seen.share(3));
            let after = seen.p99([1, 2, 4, 5]);
            assert!(after < before * 3 / 2, "at {concurrency}, seed {seed}: {before:?} then {after:?}");
        }
    }
}

#[test]
fn a_slow_endpoint_is_still_asked_now_and_then_and_gets_its_share_back_when_it_is_fast_again() {
    for seed in 0..4 {
        let mut simulation = Simulation::of_equals(seed, BalancePolicy::PeakEwma, 5);
        simulation.behave(3, SLOW);
        simulation.calls(2_000, 1);
        let while_slow = simulation.calls(10_000, 1).share(3);
        assert!(while_slow > 0.001 && while_slow < 0.02, "seed {seed}: {while_slow:.4}");
        simulation.behave(3, Manner::default());
        simulation.run_for(Duration::from_secs(2), 1);
        let back = simulation.calls(10_000, 1).share(3);
        assert!(back > 0.18, "seed {seed}: {back:.3}");
    }
}

#[test]
fn least_request_gives_less_to_an_endpoint_that_holds_its_exchanges_longer() {
    let mut simulation = Simulation::of_equals(1, BalancePolicy::LeastRequest, 5);
    simulation.behave(3, SLOW);
    assert!(simulation.calls(10_000, 100).share(3) < 0.10);
}

#[test]
fn an_endpoint_that_fails_fast_now_and_then_does_not_attract_load_by_it() {
    for seed in 0..4 {
        let mut simulation = Simulation::of_equals(seed, BalancePolicy::PeakEwma, 5);
        simulation.behave(3, Manner { fails_percent: 40, ..Manner::default() });
        let seen = simulation.calls(10_000, 20);
        assert!(seen.share(3) < 0.12, "seed {seed}: {:.3}", seen.share(3));
    }
}

#[test]
fn every_worker_publishes_what_it_knows_of_an_endpoints_latency() {
    let mut simulation = Simulation::of_equals(1, BalancePolicy::RoundRobin, 2);
    simulation.publish([spec(1), spec(2)]);
    simulation.behave(2, Manner { takes: Duration::from_millis(3), ..Manner::default() });
    simulation.calls(1_000, 1);
    let ms: Vec<f64> =
        simulation.set.endpoints.iter().map(|e| e.stats.latency_ewma_ns() as f64 / 1e6).collect();
    assert!((0.5..1.5).contains(&ms[0]) && (1.5..4.5).contains(&ms[1]), "{ms:?}");
}
