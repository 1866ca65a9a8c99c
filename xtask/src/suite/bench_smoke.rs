//! The bench as a suite: one short round on the work of gRPC, to see that the bench and Evenkeel on it run. No figure of it
//! is judged, for a second is too short.

use super::Outcome;
use crate::bench;
use crate::machine::cache;
use crate::run::Cases;
use anyhow::{Context, Result};
use serde_json::Value;

pub(super) fn run() -> Result<Outcome> {
    let record = cache("bench")?.join("smoke.json");
    let words =
        ["--scenario", "s2,s3", "--peer", "direct,evenkeel", "--rounds", "1", "--secs", "1", "--json"];
    let words: Vec<String> =
        words.into_iter().map(str::to_owned).chain([record.display().to_string()]).collect();
    if record.exists() {
        std::fs::remove_file(&record)?;
    }
    let ran = bench::bench(&words)?;
    let figures = std::fs::read_to_string(&record).context("the bench left no record")?;
    let figures: Value = serde_json::from_str(&figures).context("the bench's record is not JSON")?;
    let mut cases = Cases::one(ran);
    for scenario in ["s2", "s3"] {
        let well = is_well(&figures[scenario]["evenkeel"]);
        println!("{scenario} on evenkeel: {}", if well { "ok" } else { "FAILED" });
        cases.add(&Cases::one(well));
    }
    Ok(Outcome { cases, not_run: Vec::new() })
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
