//! `cargo xtask test`: the suites in one table, and the report at the end. A new suite is a line in `SUITES` and its function.

mod attacks;
mod bad_input;
mod bench_smoke;
mod clients;
mod demo;
mod h2spec;
mod interop;
mod peers;
mod web;

use crate::check;
use crate::machine::{cargo, has, is_root};
use crate::run::{self, Cases};
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// What a suite cannot do without. What can be installed is installed by the suite, and is none of these.
#[derive(Clone, Copy)]
enum Need {
    Root,
    Program(&'static str),
}

/// What a suite found.
#[derive(Debug, Default)]
struct Outcome {
    cases: Cases,
    /// What was not run, and why.
    not_run: Vec<String>,
}

struct Suite {
    name: &'static str,
    needs: &'static [Need],
    run: fn() -> Result<Outcome>,
}

const SUITES: &[Suite] = &[
    Suite { name: "check", needs: &[Need::Program("git")], run: checks },
    Suite { name: "unit", needs: &[], run: unit },
    Suite { name: "fuzz-smoke", needs: &[], run: fuzz_smoke },
    Suite { name: "bad-input", needs: &[Need::Program("kill")], run: bad_input::run },
    Suite { name: "attacks", needs: &[Need::Program("kill")], run: attacks::run },
    Suite { name: "interop", needs: &[Need::Program("kill")], run: interop::run },
    Suite { name: "peers", needs: &[Need::Program("kill"), Need::Program("cmp")], run: peers::run },
    Suite { name: "h2spec", needs: &[Need::Program("go")], run: h2spec::run },
    Suite { name: "demo", needs: &[], run: demo::run },
    Suite {
        name: "bench-smoke",
        needs: &[Need::Root, Need::Program("python3"), Need::Program("unshare")],
        run: bench_smoke::run,
    },
];

/// Runs the suites, all of them or those asked for, and prints the report. Whether all went well.
pub(crate) fn test(only: &[String], skip: &[String]) -> Result<bool> {
    if let Some(unknown) = only.iter().chain(skip).find(|name| SUITES.iter().all(|suite| suite.name != *name))
    {
        let names: Vec<_> = SUITES.iter().map(|suite| suite.name).collect();
        bail!("no such suite: {unknown}; there are {}", names.join(", "));
    }
    let mut report = Report::default();
    for suite in SUITES {
        let asked = only.is_empty() || only.iter().any(|name| name == suite.name);
        if !asked || skip.iter().any(|name| name == suite.name) {
            continue;
        }
        println!("\n== {}", suite.name);
        let start = Instant::now();
        let outcome = run_one(suite);
        report.add(suite.name, outcome, start.elapsed());
    }
    println!("\n{report}");
    Ok(report.total.failed == 0)
}

/// `cargo xtask fuzz`: whether it went well.
pub(crate) fn fuzz(smoke: bool) -> Result<bool> {
    let mut words = vec!["run", "--profile", "fuzz", "--locked", "-p", "fuzz", "--"];
    if smoke {
        words.push("--smoke");
    }
    run::aloud(&mut cargo(words))
}

fn run_one(suite: &Suite) -> Outcome {
    let missing: Vec<_> = suite.needs.iter().filter_map(|need| missing(*need)).collect();
    if !missing.is_empty() {
        let cases = Cases { skipped: 1, ..Cases::default() };
        return Outcome { cases, not_run: vec![format!("needs {}", missing.join(", "))] };
    }
    (suite.run)().unwrap_or_else(|error| {
        println!("{}: {error:#}", suite.name);
        Outcome { cases: Cases::one(false), not_run: Vec::new() }
    })
}

fn missing(need: Need) -> Option<&'static str> {
    match need {
        Need::Root if !is_root() => Some("root"),
        Need::Program(program) if !has(program) => Some(program),
        Need::Root | Need::Program(_) => None,
    }
}

fn checks() -> Result<Outcome> {
    let (cases, not_run) = check::check()?;
    Ok(Outcome { cases, not_run })
}

fn unit() -> Result<Outcome> {
    let cases = run::tests(&mut cargo(["test", "--workspace", "--locked", "--no-fail-fast"]))?;
    Ok(Outcome { cases, not_run: Vec::new() })
}

fn fuzz_smoke() -> Result<Outcome> {
    Ok(Outcome { cases: Cases::one(fuzz(true)?), not_run: Vec::new() })
}

#[derive(Default)]
struct Report {
    rows: Vec<(&'static str, Cases, Duration)>,
    not_run: Vec<String>,
    total: Cases,
}

impl Report {
    fn add(&mut self, name: &'static str, outcome: Outcome, took: Duration) {
        self.not_run.extend(outcome.not_run.iter().map(|why| format!("{name}: {why}")));
        self.total.add(&outcome.cases);
        self.rows.push((name, outcome.cases, took));
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{:<14} {:<8} {:>7} {:>7} {:>8} {:>8}",
            "suite", "", "passed", "failed", "skipped", "minutes"
        )?;
        for (name, cases, took) in &self.rows {
            let verdict = match cases {
                Cases { failed: 1.., .. } => "FAILED",
                Cases { passed: 0, .. } => "not run",
                Cases { .. } => "ok",
            };
            let Cases { passed, failed, skipped } = cases;
            let minutes = took.as_secs_f64() / 60.0;
            writeln!(f, "{name:<14} {verdict:<8} {passed:>7} {failed:>7} {skipped:>8} {minutes:>8.1}")?;
        }
        for what in &self.not_run {
            writeln!(f, "not run: {what}")?;
        }
        let Cases { passed, failed, skipped } = self.total;
        write!(f, "\n{passed} passed, {failed} failed")?;
        if skipped > 0 { write!(f, ", {skipped} skipped") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_ends_in_one_line_that_counts_all_cases() {
        let mut report = Report::default();
        let cases = |passed, failed, skipped| Cases { passed, failed, skipped };
        report.add("a", Outcome { cases: cases(3, 0, 0), not_run: vec![] }, Duration::from_secs(90));
        let skipped = Outcome { cases: cases(0, 0, 1), not_run: vec!["needs root".into()] };
        report.add("b", skipped, Duration::ZERO);
        report.add("c", Outcome { cases: cases(1, 2, 0), not_run: vec![] }, Duration::ZERO);
        let text = report.to_string();
        assert_eq!(text.lines().last(), Some("4 passed, 2 failed, 1 skipped"));
        assert!(text.contains("not run: b: needs root"), "{text}");
        let row = text.lines().nth(1).unwrap().split_whitespace().collect::<Vec<_>>();
        assert_eq!(row, ["a", "ok", "3", "0", "0", "1.5"]);
    }

    #[test]
    fn a_suite_that_nobody_has_heard_of_is_refused_by_name() {
        let error = test(&["no-such".to_owned()], &[]).unwrap_err().to_string();
        assert!(error.contains("no-such") && error.contains("interop"), "{error}");
    }
}
