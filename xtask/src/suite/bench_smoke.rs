//! The bench as a suite: one short round of each work on HTTP/2, to see that the bench and Evenkeel on it run, and that
//! every request is answered whole. No speed is judged, for a second is too short.

use super::Outcome;
use crate::bench;
use crate::machine::{cache, cargo};
use crate::run::{self, Cases};
use anyhow::{Context, Result};
use serde_json::Value;

/// Both load generators, every shape of headers, large bodies, many backends, and the measurements that are no rows.
const SCENARIOS: [&str; 11] =
    ["s2", "s3", "s2lx4", "s2h", "s2hc", "s2t", "s2ti", "s2b", "s2k", "workers", "idle"];

pub(super) fn run() -> Result<Outcome> {
    let record = cache("bench")?.join("smoke.json");
    let (scenarios, path) = (SCENARIOS.join(","), record.display().to_string());
    let mut words = vec!["--scenario", &scenarios, "--peer", "evenkeel", "--json", &path];
    words.extend(["--rounds", "1", "--secs", "1", "--idle", "200", "--wait", "1"]);
    let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    if record.exists() {
        std::fs::remove_file(&record)?;
    }
    let ran = bench::bench(&words)?;
    let figures = std::fs::read_to_string(&record).context("the bench left no record")?;
    let figures: Value = serde_json::from_str(&figures).context("the bench's record is not JSON")?;
    let mut cases = Cases::one(ran);
    for scenario in SCENARIOS {
        let well = is_well(&figures[scenario]["evenkeel"]);
        println!("{scenario} on evenkeel: {}", if well { "ok" } else { "FAILED" });
        cases.add(&Cases::one(well));
    }
    cases.add(&generator_tests()?);
    Ok(Outcome { cases, not_run: Vec::new() })
}

/// The load generator's own: it is no member of the workspace.
fn generator_tests() -> Result<Cases> {
    let words = ["test", "--release", "--manifest-path", "bench/loadgen/Cargo.toml", "--target-dir"];
    run::tests(cargo(words).arg(cache("loadgen")?))
}

/// Whether there are rounds, each with requests and without errors.
fn is_well(rounds: &Value) -> bool {
    rounds.as_array().is_some_and(|rounds| {
        let well = |round: &Value| {
            round["errors"].as_f64() == Some(0.0) && round["rate"].as_f64().is_some_and(|rate| rate > 0.0)
        };
        !rounds.is_empty() && rounds.iter().all(well)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_round_that_failed_or_had_errors_is_not_well() {
        assert!(is_well(&json!([{"rate": 5.0, "errors": 0}])));
        assert!(!is_well(&json!([{"rate": 5.0, "errors": 1}])));
        assert!(!is_well(&json!([{"failed": "it did not start"}])));
        assert!(!is_well(&json!([])));
        assert!(!is_well(&Value::Null));
    }
}
