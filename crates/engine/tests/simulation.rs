//! Thousands of small histories of clients, Evenkeel and endpoints in virtual time, each from one number.
//!
//! `EVENKEEL_SEEDS=n` says how many seeds, `EVENKEEL_SEED=n` runs one alone, `EVENKEEL_TRACE=1` prints its steps.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use evenkeel_testkit::simulation::{Report, Scenario, run};

/// Seeds of a usual run.
const SEEDS: u64 = 256;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number is expected"))
}

fn run_seed(seed: u64) -> Report {
    let is_traced = variable("EVENKEEL_TRACE").is_some_and(|n| n > 0);
    let scenario = Scenario::of(seed);
    if is_traced {
        eprintln!("{scenario:#?}");
    }
    run(&scenario, is_traced).unwrap_or_else(|why| {
        panic!(
            "{why}\nreplay: EVENKEEL_SEED={seed} EVENKEEL_TRACE=1 cargo test -p evenkeel-engine --test simulation \
             whatever -- --nocapture"
        )
    })
}

#[test]
fn whatever_happens_every_request_ends_once_and_nothing_is_left() {
    if let Some(seed) = variable("EVENKEEL_SEED") {
        eprintln!("{:?}", run_seed(seed));
        return;
    }
    let seeds = variable("EVENKEEL_SEEDS").unwrap_or(SEEDS);
    let reports: Vec<Report> = (0..seeds).map(run_seed).collect();
    let sum = |of: fn(&Report) -> usize| reports.iter().map(of).sum::<usize>();
    let (requests, complete, failed, moved) =
        (sum(|r| r.requests), sum(|r| r.complete), sum(|r| r.failed), sum(|r| r.moved));
    let (repeated, lies) = (sum(|r| r.repeated), sum(|r| r.lies));
    let steps: u64 = reports.iter().map(|r| r.steps).sum();
    eprintln!(
        "{seeds} seeds, {steps} steps: {requests} requests, {complete} complete, {failed} failed, {moved} moved, \
         {repeated} repeated; {lies} lies"
    );
    if seeds >= SEEDS {
        // A simulation in which hardly anything happens proves nothing.
        assert!(
            complete * 5 > requests * 2 && failed > 0 && moved > 0 && lies > 0,
            "the scenarios are too poor"
        );
    }
}

#[test]
fn the_same_seed_is_the_same_history() {
    let mut hashes = std::collections::BTreeSet::new();
    for seed in 0..8 {
        let first = run(&Scenario::of(seed), false).unwrap();
        assert_eq!(run(&Scenario::of(seed), false).unwrap(), first, "seed {seed}");
        hashes.insert(first.hash);
    }
    assert_eq!(hashes.len(), 8, "other seeds are other histories");
}
