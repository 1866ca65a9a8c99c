//! The attacks suite: the scripts of `tests/attacks` against Evenkeel as a process, and the table of what each attack sent, cost
//! and disturbed. Needs nothing but Rust.

use super::{Outcome, clients};
use crate::machine::{built, cache, cargo};
use crate::run;
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::fs;

/// Where the scripts read which programs there are.
const PROGRAMS: &str = "EVENKEEL_INTEROP_PROGRAMS";
/// Where they write what they measured, an attack a line.
const RECORD: &str = "EVENKEEL_ATTACKS_RECORD";

pub(super) fn run() -> Result<Outcome> {
    let echo = clients::rust()?;
    if !run::aloud(&mut cargo(["build", "--release", "--locked", "-p", "evenkeel"]))? {
        bail!("evenkeel does not build");
    }
    let evenkeel = built("release").join("evenkeel").display().to_string();
    let dir = cache("attacks")?;
    let (programs, record) = (dir.join("programs.json"), dir.join("record.jsonl"));
    fs::write(&programs, json!({ "rust": echo, "evenkeel": [evenkeel] }).to_string())?;
    fs::write(&record, "")?;
    let mut test = cargo(["test", "--locked", "-p", "evenkeel-attacks", "--features", "attacks"]);
    test.args(["--no-fail-fast", "--", "--test-threads=1"]).env(PROGRAMS, &programs).env(RECORD, &record);
    // What the processes said tells more than where a test stood.
    test.env("RUST_BACKTRACE", "0");
    let cases = run::tests(&mut test)?;
    let figures = fs::read_to_string(&record)?;
    println!("\n{}", table(figures.lines().filter_map(|line| serde_json::from_str(line).ok())));
    Ok(Outcome { cases, not_run: Vec::new() })
}

/// The figures of every attack, a line each.
fn table(rows: impl Iterator<Item = Value>) -> String {
    let mut table = format!(
        "{:<50} {:>9} {:>6} {:>7} {:>6} {:>8} {:>13} {:>7}  {}\n",
        "attack", "frames", "conns", "MB", "CPU s", "+RSS MiB", "beside, 1/s", "longest", "told by"
    );
    for row in rows {
        let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
        let beside = format!("{:.0} > {:.0}", number("rate_before"), number("rate_during"));
        let traces = row["traces"].as_array().into_iter().flatten().filter_map(Value::as_str);
        table.push_str(&format!(
            "{:<50} {:>9.0} {:>6.0} {:>7.1} {:>6.2} {:>8.1} {beside:>13} {:>4.0} ms  {}\n",
            row["attack"].as_str().unwrap_or_default(),
            number("frames"),
            number("connections"),
            number("bytes") / 1e6,
            number("cpu_seconds"),
            number("grown_bytes") / f64::from(1 << 20),
            number("longest_call_ms"),
            traces.collect::<Vec<_>>().join(", "),
        ));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attack_is_a_line_with_its_cost_and_its_reasons() {
        let row = json!({"attack": "rapid reset", "frames": 1200, "connections": 3, "bytes": 2_500_000,
            "cpu_seconds": 0.25, "grown_bytes": 3 << 20, "rate_before": 500.4, "rate_during": 410.0,
            "longest_call_ms": 12.6, "traces": ["reset_flood", "resets"]});
        let text = table(std::iter::once(row));
        let line = text.lines().nth(1).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(line, "rapid reset 1200 3 2.5 0.25 3.0 500 > 410 13 ms reset_flood, resets");
    }
}
