//! Shares follow weights, whatever the policy.

use crate::simulation::{Manner, POLICIES, Simulation, spec};
use evenkeel_core::endpoint::EndpointSpec;
use evenkeel_core::policy::{Balance, BalancePolicy, Ejection};

fn with_weights(policy: BalancePolicy, weights: &[u32]) -> Simulation {
    let mut simulation = Simulation::new(5, 1, Balance { policy, ..Balance::default() }, Ejection::default());
    simulation.publish((1..).zip(weights).map(|(port, &weight)| EndpointSpec { weight, ..spec(port) }));
    // Nobody waits in line, so that weights alone tell the endpoints apart.
    (1..)
        .zip(weights)
        .for_each(|(port, _)| simulation.behave(port, Manner { lanes: 32, ..Manner::default() }));
    simulation
}

#[test]
fn weights_one_two_three_give_shares_of_a_sixth_a_third_and_a_half() {
    for policy in POLICIES.into_iter().filter(|policy| *policy != BalancePolicy::LeastConnection) {
        for concurrency in [1, 4, 20] {
            let seen = with_weights(policy, &[1, 2, 3]).calls(30_000, concurrency);
            for port in 1..=3 {
                let (share, fair) = (seen.share(port), f64::from(port) / 6.0);
                assert!(
                    (share / fair - 1.0).abs() < 0.05,
                    "{policy:?} at {concurrency}, {port}: {share:.3} for {fair:.3}"
                );
            }
        }
    }
}

/// The least by load ÷ weight is rounded to whole exchanges, so few of them are no share.
#[test]
fn exactly_the_least_follows_weights_once_there_are_some_exchanges_to_share_out() {
    for concurrency in [1, 60] {
        let seen = with_weights(BalancePolicy::LeastConnection, &[1, 2, 3]).calls(30_000, concurrency);
        for port in 1..=3 {
            let (share, fair) = (seen.share(port), f64::from(port) / 6.0);
            assert!((share / fair - 1.0).abs() < 0.08, "at {concurrency}, {port}: {share:.3} for {fair:.3}");
        }
    }
}

#[test]
fn one_endpoint_with_nearly_all_of_the_weight_gets_nearly_everything() {
    for policy in POLICIES {
        let seen = with_weights(policy, &[96, 1, 1, 1, 1]).calls(20_000, 1);
        assert!((seen.share(1) - 0.96).abs() < 0.01, "{policy:?}: {:.3}", seen.share(1));
    }
}

#[test]
fn weight_zero_gets_nothing() {
    for policy in POLICIES {
        let seen = with_weights(policy, &[1, 0, 3]).calls(2_000, 20);
        assert_eq!(seen.share(2), 0.0, "{policy:?}");
        assert!(seen.share(1) > 0.2, "{policy:?}");
    }
}

#[test]
fn a_weight_that_changes_is_followed() {
    let mut simulation = with_weights(BalancePolicy::PeakEwma, &[1, 1]);
    assert!((simulation.calls(2_000, 4).share(1) - 0.5).abs() < 0.03);
    simulation.publish([EndpointSpec { weight: 3, ..spec(1) }, spec(2)]);
    assert!((simulation.calls(2_000, 4).share(1) - 0.75).abs() < 0.03);
}
