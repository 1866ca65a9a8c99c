//! Sessions that do not pick again go to exactly the least, whatever the policy is.

use crate::simulation::{POLICIES, Simulation, spec};
use evenkeel_core::balancer::Report;
use evenkeel_core::endpoint::{EndpointSpec, EndpointState};
use evenkeel_core::id::{EndpointId, WorkerIndex};
use evenkeel_core::policy::{Balance, BalancePolicy, Ejection};
use evenkeel_core::reason::{NoPickReason, PickReason};
use std::time::Duration;

fn of(policy: BalancePolicy, workers: u16, specs: impl IntoIterator<Item = EndpointSpec>) -> Simulation {
    let balance = Balance { policy, slow_start: Duration::from_secs(10) };
    let mut simulation = Simulation::new(11, workers, balance, Ejection::default());
    simulation.publish(specs);
    simulation
}

fn try_begin(
    simulation: &mut Simulation,
    worker: usize,
    tried: &[EndpointId],
    most: Option<u32>,
) -> Result<(u16, PickReason), NoPickReason> {
    let now = simulation.now;
    let pick = simulation.balancers[worker].pick_session(now, tried, most)?;
    let endpoint = simulation.set.endpoints.iter().find(|e| e.id == pick.endpoint).unwrap();
    endpoint.stats.cell(WorkerIndex(u16::try_from(worker).unwrap())).session_began();
    Ok((pick.address.port(), pick.reason))
}

/// Begins this many, the workers in turn.
fn begin(simulation: &mut Simulation, count: usize) {
    let workers = simulation.balancers.len();
    for session in 0..count {
        try_begin(simulation, session % workers, &[], None).unwrap();
    }
}

/// Sessions of each endpoint by port.
fn held(simulation: &Simulation) -> Vec<u64> {
    simulation.set.endpoints.iter().map(|endpoint| endpoint.stats.sessions()).collect()
}

fn id(simulation: &Simulation, port: u16) -> EndpointId {
    simulation.set.endpoints.iter().find(|e| e.spec.address.port() == port).unwrap().id
}

#[test]
fn no_endpoint_ever_holds_more_than_one_beyond_another() {
    for policy in POLICIES {
        let mut simulation = of(policy, 3, (1..=7).map(spec));
        for _ in 0..500 {
            begin(&mut simulation, 1);
            let held = held(&simulation);
            assert!(held.iter().max().unwrap() - held.iter().min().unwrap() <= 1, "{policy:?}: {held:?}");
        }
    }
}

#[test]
fn shares_follow_weights_and_ended_sessions_are_made_up_for_first() {
    let weighted =
        |weights: [u32; 3]| (1..).zip(weights).map(|(port, weight)| EndpointSpec { weight, ..spec(port) });
    let mut simulation = of(BalancePolicy::PeakEwma, 1, weighted([1, 2, 3]));
    begin(&mut simulation, 600);
    assert_eq!(held(&simulation), [100, 200, 300]);
    (0..40).for_each(|_| simulation.set.endpoints[1].stats.cell(WorkerIndex(0)).session_ended());
    begin(&mut simulation, 40);
    assert_eq!(held(&simulation), [100, 200, 300]);
    let mut simulation = of(BalancePolicy::PeakEwma, 1, weighted([1, 0, 1]));
    begin(&mut simulation, 10);
    assert_eq!(held(&simulation), [5, 0, 5]);
}

#[test]
fn equals_are_drawn_by_lot_so_that_workers_do_not_all_begin_with_one() {
    let first = |seed_worker: usize| {
        let mut simulation = of(BalancePolicy::PeakEwma, 16, (1..=16).map(spec));
        try_begin(&mut simulation, seed_worker, &[], None).unwrap().0
    };
    let firsts: std::collections::BTreeSet<u16> = (0..16).map(first).collect();
    assert!(firsts.len() >= 6, "{firsts:?}");
}

#[test]
fn a_new_endpoint_that_starts_slowly_gets_a_tenth_of_a_share_and_then_all_of_it() {
    let mut simulation = of(BalancePolicy::PeakEwma, 1, (1..=4).map(spec));
    begin(&mut simulation, 400);
    simulation.now = simulation.now + Duration::from_secs(1);
    simulation.publish((1..=5).map(spec));
    begin(&mut simulation, 10);
    assert_eq!(held(&simulation)[4], 10);
    begin(&mut simulation, 100);
    assert!((10..=14).contains(&held(&simulation)[4]), "{:?}", held(&simulation));
    simulation.now = simulation.now + Duration::from_secs(10);
    begin(&mut simulation, 90);
    assert!(held(&simulation)[4] >= 100, "{:?}", held(&simulation));
}

#[test]
fn who_is_full_is_left_out_and_when_all_are_the_session_is_refused() {
    let mut simulation = of(BalancePolicy::Random, 2, (1..=3).map(spec));
    let most = Some(2);
    for session in 0..6 {
        let (_, reason) = try_begin(&mut simulation, session % 2, &[], most).unwrap();
        assert_eq!(reason, PickReason::LeastSessions);
    }
    assert_eq!(held(&simulation), [2, 2, 2]);
    assert_eq!(try_begin(&mut simulation, 0, &[], most), Err(NoPickReason::AllFull));
    simulation.set.endpoints[1].stats.cell(WorkerIndex(0)).session_ended();
    assert_eq!(try_begin(&mut simulation, 1, &[], most), Ok((2, PickReason::LeastSessions)));
    assert!(try_begin(&mut simulation, 0, &[], Some(3)).is_ok());
}

#[test]
fn sessions_resort_as_exchanges_do() {
    use EndpointState::{NotReady, Ready, Terminating};
    let with = |states: &[EndpointState]| {
        let specs = (1..).zip(states).map(|(port, &state)| EndpointSpec { state, ..spec(port) });
        of(BalancePolicy::LeastConnection, 1, specs.collect::<Vec<_>>())
    };
    assert_eq!(try_begin(&mut with(&[]), 0, &[], None), Err(NoPickReason::NoEndpoints));
    assert_eq!(try_begin(&mut with(&[NotReady]), 0, &[], None), Err(NoPickReason::NoneServing));
    assert_eq!(try_begin(&mut with(&[Terminating]), 0, &[], None), Ok((1, PickReason::LastResort)));
    let mut simulation = with(&[Ready, Terminating, NotReady]);
    assert_eq!(try_begin(&mut simulation, 0, &[], Some(1)), Ok((1, PickReason::Only)));
    // The ready one is full: one that terminates still serves.
    assert_eq!(try_begin(&mut simulation, 0, &[], Some(1)), Ok((2, PickReason::LastResort)));
    assert_eq!(try_begin(&mut simulation, 0, &[], Some(1)), Err(NoPickReason::AllFull));
    let both = [id(&simulation, 1), id(&simulation, 2)];
    assert_eq!(try_begin(&mut simulation, 0, &both, None), Err(NoPickReason::AllTried));
}

#[test]
fn an_ejected_endpoint_gets_no_session_though_it_holds_none() {
    let mut simulation = of(BalancePolicy::PeakEwma, 1, (1..=3).map(spec));
    let (dead, now) = (id(&simulation, 2), simulation.now);
    (0..5).for_each(|_| {
        simulation.balancers[0].report(now, dead, Report::Failed);
    });
    begin(&mut simulation, 10);
    assert_eq!(held(&simulation), [5, 0, 5]);
    let others = [id(&simulation, 1), id(&simulation, 3)];
    assert_eq!(try_begin(&mut simulation, 0, &others, None), Ok((2, PickReason::Panic)));
}
