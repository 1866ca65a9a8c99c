//! Who is picked when the ready endpoints do not suffice, and why.

use crate::simulation::{POLICIES, Simulation, spec};
use evenkeel_core::balancer::{Balancer, Report};
use evenkeel_core::endpoint::{EndpointSpec, EndpointState};
use evenkeel_core::id::EndpointId;
use evenkeel_core::policy::{Balance, BalancePolicy, Ejection};
use evenkeel_core::reason::{NoPickReason, PickReason};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

fn of(policy: BalancePolicy, states: &[EndpointState]) -> Simulation {
    let mut simulation = Simulation::new(7, 1, Balance { policy, ..Balance::default() }, Ejection::default());
    let specs = (1..).zip(states).map(|(port, &state)| EndpointSpec { state, ..spec(port) });
    simulation.publish(specs);
    simulation
}

/// Port and reason of a pick.
fn pick(simulation: &mut Simulation, tried: &[EndpointId]) -> Result<(u16, PickReason), NoPickReason> {
    let now = simulation.now;
    simulation.balancers[0].pick(now, tried).map(|pick| (pick.address.port(), pick.reason))
}

fn id(simulation: &Simulation, port: u16) -> EndpointId {
    simulation.set.endpoints.iter().find(|e| e.spec.address.port() == port).unwrap().id
}

/// Ejects the endpoint for a second.
fn fail_out(simulation: &mut Simulation, port: u16) {
    let (id, now) = (id(simulation, port), simulation.now);
    let events: Vec<_> =
        (0..5).filter_map(|_| simulation.balancers[0].report(now, id, Report::Failed)).collect();
    assert_eq!(events.len(), 1);
}

use EndpointState::{NotReady, Ready, Terminating};

#[test]
fn a_service_without_endpoints_and_one_without_serving_ones_say_so() {
    for policy in POLICIES {
        assert_eq!(pick(&mut of(policy, &[]), &[]), Err(NoPickReason::NoEndpoints));
        assert_eq!(pick(&mut of(policy, &[NotReady, NotReady]), &[]), Err(NoPickReason::NoneServing));
    }
}

#[test]
fn terminating_endpoints_are_the_last_resort_and_those_that_are_not_ready_none() {
    for policy in POLICIES {
        let mut simulation = of(policy, &[Terminating, NotReady]);
        assert_eq!(pick(&mut simulation, &[]), Ok((1, PickReason::LastResort)), "{policy:?}");
        let mut simulation = of(policy, &[Terminating, NotReady, Ready]);
        assert_eq!(pick(&mut simulation, &[]), Ok((3, PickReason::Only)), "{policy:?}");
    }
}

#[test]
fn an_exchange_is_sent_again_to_each_that_serves_once_and_in_the_order_of_resort() {
    for policy in POLICIES {
        let mut simulation = of(policy, &[Ready, Ready, Ready, Terminating, NotReady]);
        fail_out(&mut simulation, 3);
        let mut tried = Vec::new();
        let mut reasons = Vec::new();
        let mut ports = BTreeSet::new();
        while let Ok((port, reason)) = pick(&mut simulation, &tried) {
            assert!(ports.insert(port), "{policy:?}: {port} twice");
            tried.push(id(&simulation, port));
            reasons.push(reason);
        }
        assert_eq!(
            reasons,
            [PickReason::Balanced, PickReason::Retried, PickReason::Panic, PickReason::LastResort]
        );
        assert_eq!(ports, BTreeSet::from([1, 2, 3, 4]), "{policy:?}");
        assert_eq!(pick(&mut simulation, &tried), Err(NoPickReason::AllTried), "{policy:?}");
    }
}

#[test]
fn when_every_ready_endpoint_is_ejected_these_come_before_terminating_ones() {
    for policy in POLICIES {
        let mut simulation = of(policy, &[Ready, Ready, Terminating]);
        fail_out(&mut simulation, 1);
        assert_eq!(pick(&mut simulation, &[]), Ok((2, PickReason::Only)), "{policy:?}");
        simulation.publish([
            spec(1),
            EndpointSpec { state: NotReady, ..spec(2) },
            EndpointSpec { state: Terminating, ..spec(3) },
        ]);
        assert_eq!(pick(&mut simulation, &[]), Ok((1, PickReason::Panic)), "{policy:?}");
    }
}

#[test]
fn an_ejection_survives_a_new_set_and_ends_in_time() {
    let mut simulation = of(BalancePolicy::PeakEwma, &[Ready, Ready]);
    fail_out(&mut simulation, 1);
    simulation.publish([spec(1), spec(2), EndpointSpec { state: NotReady, ..spec(3) }]);
    let almost = simulation.now + Duration::from_millis(999);
    let over = simulation.now + Duration::from_secs(1);
    simulation.now = almost;
    assert!((0..50).all(|_| pick(&mut simulation, &[]) == Ok((2, PickReason::Only))));
    simulation.now = over;
    let ports: BTreeSet<u16> = (0..50).map(|_| pick(&mut simulation, &[]).unwrap().0).collect();
    assert_eq!(ports, BTreeSet::from([1, 2]));
}

#[test]
fn what_was_known_of_an_endpoints_latency_is_forgotten_with_its_ejection() {
    let mut simulation = of(BalancePolicy::PeakEwma, &[Ready, Ready]);
    let (first, second, now) = (id(&simulation, 1), id(&simulation, 2), simulation.now);
    for endpoint in [first, second] {
        simulation.balancers[0].report(now, endpoint, Report::Answered(Duration::from_millis(1)));
    }
    simulation.balancers[0].report(now, first, Report::Failed);
    simulation.balancers[0].report(now, first, Report::Answered(Duration::from_millis(1)));
    let picks =
        |simulation: &mut Simulation| (0..200).filter(|_| pick(simulation, &[]).unwrap().0 == 1).count();
    assert!(picks(&mut simulation) < 20, "it failed now and then");
    fail_out(&mut simulation, 1);
    assert_eq!(picks(&mut simulation), 0);
    assert_eq!(simulation.set.endpoints[0].stats.latency_ewma_ns(), 0);
    simulation.now = simulation.now + Duration::from_secs(1);
    assert!((90..=110).contains(&picks(&mut simulation)));
}

#[test]
fn a_policy_that_changes_holds_from_the_next_pick_on() {
    let mut simulation = of(BalancePolicy::Random, &[Ready, Ready, Ready]);
    let balance = Balance { policy: BalancePolicy::RoundRobin, ..Balance::default() };
    simulation.balancers[0].set_policy(balance, Ejection::default());
    let ports: Vec<u16> = (0..9).map(|_| pick(&mut simulation, &[]).unwrap().0).collect();
    assert!(ports.chunks(3).all(|turn| turn == &ports[..3]), "{ports:?}");
    assert_eq!(ports[..3].iter().collect::<BTreeSet<_>>().len(), 3);
}

#[test]
fn the_same_seed_picks_the_same_and_another_worker_does_not() {
    let picks = |seed, worker| -> Vec<u16> {
        let mut simulation = of(BalancePolicy::Random, &[Ready; 5]);
        let balance = Balance { policy: BalancePolicy::Random, ..Balance::default() };
        let service = evenkeel_core::id::ServiceId(0);
        let worker = evenkeel_core::id::WorkerIndex(worker);
        simulation.balancers[0] = Balancer::new(service, worker, seed, balance, Ejection::default());
        let (set, now) = (simulation.set.clone(), simulation.now);
        simulation.balancers[0].set_endpoints(set, now);
        (0..50).map(|_| pick(&mut simulation, &[]).unwrap().0).collect()
    };
    assert_eq!(picks(1, 0), picks(1, 0));
    assert_ne!(picks(1, 0), picks(2, 0));
    assert_ne!(picks(1, 0), picks(1, 1));
}

#[test]
fn a_thousand_endpoints_are_all_picked_and_nearly_level() {
    for policy in [BalancePolicy::PeakEwma, BalancePolicy::LeastRequest, BalancePolicy::RoundRobin] {
        let mut simulation = of(policy, &[Ready; 1_000]);
        let mut picks: BTreeMap<u16, u32> = BTreeMap::new();
        for _ in 0..100_000 {
            *picks.entry(pick(&mut simulation, &[]).unwrap().0).or_default() += 1;
        }
        assert_eq!(picks.len(), 1_000);
        assert!(picks.values().all(|n| (90..=110).contains(n)), "{policy:?}");
    }
}

#[test]
fn reports_of_an_endpoint_that_left_are_ignored() {
    let mut simulation = of(BalancePolicy::PeakEwma, &[Ready, Ready, Ready]);
    let (gone, now) = (id(&simulation, 1), simulation.now);
    simulation.publish([spec(2), spec(3)]);
    assert!((0..10).all(|_| simulation.balancers[0].report(now, gone, Report::Failed).is_none()));
}
