//! The demo suite: `evenkeel demo --once --json` must say what the demo promises.

use super::Outcome;
use crate::machine::cargo;
use crate::run::{self, Cases};
use anyhow::{Context, Result};
use serde_json::Value;

/// A level service's busiest endpoint holds at most this much of the fair share.
const LEVEL: f64 = 1.10;

pub(super) fn run() -> Result<Outcome> {
    let mut demo = cargo(["run", "--quiet", "--release", "--locked", "-p", "evenkeel", "--"]);
    let said = run::text(demo.args(["demo", "--once", "--json"]))?;
    let figures: Value = serde_json::from_str(said.trim()).context("the demo's figures are not JSON")?;
    let mut cases = Cases::default();
    for (claim, holds) in claims(&figures) {
        println!("{claim}: {}", if holds { "ok" } else { "FAILED" });
        cases.add(&Cases::one(holds));
    }
    if cases.failed > 0 {
        println!("{said}");
    }
    Ok(Outcome { cases, not_run: Vec::new() })
}

/// What each scene claims, and whether its figures bear it out.
fn claims(figures: &Value) -> Vec<(String, bool)> {
    let empty = Vec::new();
    let scenes = figures["scenes"].as_array().unwrap_or(&empty);
    let mut claims = vec![("there are scenes".to_owned(), !scenes.is_empty())];
    for scene in scenes {
        let name = scene["name"].as_str().unwrap_or("a scene without a name");
        let skew = |when: &str| scene[when]["skew"].as_f64();
        let used = scene["after"]["per_endpoint"].as_array().unwrap_or(&empty);
        let level = skew("after").is_some_and(|after| (1.0..=LEVEL).contains(&after));
        let better = skew("before").zip(skew("after")).is_some_and(|(before, after)| before > after);
        let all = used.len() > 1 && used.iter().all(|count| count.as_f64().is_some_and(|count| count > 0.0));
        claims.push((format!("{name}: no error"), scene["errors"].as_u64() == Some(0)));
        claims.push((format!("{name}: level at the end"), level));
        claims.push((format!("{name}: more level than before"), better));
        claims.push((format!("{name}: every endpoint is used at the end"), all));
    }
    claims
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scene(before: f64, after: f64, counts: &[u64], errors: u64) -> Value {
        json!({"scenes": [{"name": "s", "before": {"per_endpoint": [10, 0], "skew": before},
            "after": {"per_endpoint": counts, "skew": after}, "errors": errors}]})
    }

    fn broken(figures: &Value) -> usize {
        claims(figures).iter().filter(|(_, holds)| !holds).count()
    }

    #[test]
    fn figures_that_bear_out_every_claim_are_well() {
        assert_eq!(broken(&scene(2.0, 1.02, &[51, 49], 0)), 0);
    }

    #[test]
    fn each_claim_can_fail() {
        assert_eq!(broken(&scene(2.0, 1.02, &[51, 49], 1)), 1);
        assert_eq!(broken(&scene(2.0, 1.5, &[75, 25], 0)), 1);
        assert_eq!(broken(&scene(1.0, 1.0, &[50, 50], 0)), 1);
        assert_eq!(broken(&scene(2.0, 1.0, &[50, 0], 0)), 1);
        assert_eq!(broken(&json!({"scenes": []})), 1);
        assert_eq!(broken(&json!({"scenes": [{}]})), 4);
    }
}
