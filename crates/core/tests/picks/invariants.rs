//! What holds of every pick, after any row of sets, reports, policies and moments.

use crate::simulation::{POLICIES, Simulation, spec};
use evenkeel_core::balancer::Report;
use evenkeel_core::endpoint::{Endpoint, EndpointSpec, EndpointState};
use evenkeel_core::id::EndpointId;
use evenkeel_core::policy::{Balance, Ejection};
use evenkeel_core::reason::{NoPickReason, PickReason};
use proptest::prelude::*;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Publish(Vec<(u16, u32, EndpointState)>),
    Policy(usize, f64, f64),
    Wait(u64),
    Report(usize, bool),
    Exchange,
}

fn step() -> impl Strategy<Value = Step> {
    let state = prop::sample::select(EndpointState::ALL);
    let endpoints = prop::collection::vec((1_u16..9, 0_u32..4, state), 0..8);
    prop_oneof![
        1 => endpoints.prop_map(Step::Publish),
        1 => (0..POLICIES.len(), 0.0..1.0_f64, 0.0..1.0_f64).prop_map(|(p, share, panic)| Step::Policy(p, share, panic)),
        2 => (0_u64..3_000).prop_map(Step::Wait),
        20 => (0_usize..8, prop::bool::weighted(0.3)).prop_map(|(which, well)| Step::Report(which, well)),
        5 => Just(Step::Exchange),
    ]
}

/// Sends one exchange to one endpoint after the other until nobody is left, and checks each pick.
fn exchange(simulation: &mut Simulation) -> Result<(), TestCaseError> {
    let (now, set) = (simulation.now, simulation.set.clone());
    let mut tried: Vec<EndpointId> = Vec::new();
    let serves = |e: &&Endpoint| e.spec.state.is_serving() && e.spec.weight > 0;
    loop {
        let untried: Vec<&Endpoint> =
            set.endpoints.iter().filter(serves).filter(|e| !tried.contains(&e.id)).collect();
        let pick = match simulation.balancers[0].pick(now, &tried) {
            Ok(pick) => pick,
            Err(reason) => {
                prop_assert!(untried.is_empty(), "{reason} though {} serve", untried.len());
                let expected = match (set.endpoints.len(), tried.len()) {
                    (0, _) => NoPickReason::NoEndpoints,
                    (_, 0) => NoPickReason::NoneServing,
                    _ => NoPickReason::AllTried,
                };
                prop_assert_eq!(reason, expected);
                return Ok(());
            }
        };
        let picked = untried.iter().find(|e| e.id == pick.endpoint);
        prop_assert!(picked.is_some(), "{pick:?} is none of those that serve and were not tried");
        let picked = picked.unwrap();
        prop_assert_eq!(picked.spec.address, pick.address);
        let is_ready = picked.spec.state == EndpointState::Ready;
        prop_assert_eq!(is_ready, pick.reason != PickReason::LastResort);
        prop_assert!(is_ready || untried.iter().all(|e| e.spec.state != EndpointState::Ready));
        prop_assert!(!picked.health.is_ejected(now) || !is_ready || pick.reason == PickReason::Panic);
        prop_assert!(pick.reason != PickReason::Retried || !tried.is_empty());
        tried.push(pick.endpoint);
    }
}

proptest! {
    #[test]
    fn a_pick_serves_has_a_weight_was_not_tried_and_is_there_while_anybody_is(
        seed: u64, steps in prop::collection::vec(step(), 1..150)
    ) {
        let mut simulation = Simulation::new(seed, 2, Balance::default(), Ejection::default());
        for step in steps {
            match step {
                Step::Publish(specs) => simulation.publish(
                    specs.into_iter().map(|(port, weight, state)| EndpointSpec { weight, state, ..spec(port) }),
                ),
                Step::Policy(policy, max_share, panic_threshold) => {
                    let balance = Balance { policy: POLICIES[policy], slow_start: Duration::from_secs(2) };
                    let ejection = Ejection { consecutive_failures: 2, max_share, panic_threshold, ..Ejection::default() };
                    simulation.balancers.iter_mut().for_each(|b| b.set_policy(balance, ejection));
                }
                Step::Wait(ms) => simulation.now = simulation.now + Duration::from_millis(ms),
                Step::Report(which, is_well) => {
                    let report = if is_well { Report::Answered(Duration::from_millis(1)) } else { Report::Failed };
                    let now = simulation.now;
                    if let Some(id) = simulation.set.endpoints.get(which).map(|e| e.id) {
                        simulation.balancers[which % 2].report(now, id, report);
                    }
                }
                Step::Exchange => exchange(&mut simulation)?,
            }
        }
        exchange(&mut simulation)?;
    }
}
