//! A real gRPC client of `tests/clients` under load: one channel, and what it reports.

use crate::process::Process;
use crate::programs;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A running client, killed when dropped.
#[derive(Debug)]
pub struct Load {
    process: Process,
}

/// What a client reports.
#[derive(Clone, Debug)]
pub struct Report {
    /// Calls that it made.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// The same by gRPC's name of the code.
    pub error_codes: BTreeMap<String, u64>,
    /// Calls that came back right, by the server's name.
    pub per_backend: BTreeMap<String, u64>,
    /// The 99th percentile of their time, by the server's name.
    pub p99_per_backend: BTreeMap<String, Duration>,
    /// How each kind of call went, if asked for.
    pub kinds: BTreeMap<String, String>,
}

impl Load {
    /// A client that makes so many calls.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn of_calls(language: &str, target: &str, calls: u64, in_flight: u64) -> Result<Self> {
        Self::start(language, target, in_flight, &["--calls", &calls.to_string()])
    }

    /// A client that calls until [`Load::end`].
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn endless(language: &str, target: &str, in_flight: u64) -> Result<Self> {
        Self::start(language, target, in_flight, &["--seconds", "600"])
    }

    /// A client with more words of its command line.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(language: &str, target: &str, in_flight: u64, more: &[&str]) -> Result<Self> {
        let mut command = programs::command(language)?;
        command.args(["client", "--target", target, "--concurrency", &in_flight.to_string()]).args(more);
        Ok(Self { process: Process::start(&format!("{language} client"), &mut command)? })
    }

    /// Lets it make no more calls, and takes its report.
    ///
    /// # Errors
    /// If it did not run.
    pub fn end(self) -> Result<Report> {
        self.process.terminate()?;
        self.report()
    }

    /// Waits for its end and takes its report.
    ///
    /// # Errors
    /// If it could not run, or is not ready in two minutes.
    pub fn report(mut self) -> Result<Report> {
        let process = &mut self.process;
        crate::wait::until("the client ends", Duration::from_mins(2), || process.ended())?;
        process.finish()?;
        let said = process.said()?;
        let line =
            said.lines().find(|line| line.starts_with('{')).with_context(|| format!("no report: {said}"))?;
        let report: Value = serde_json::from_str(line)?;
        Report::read(&report).with_context(|| format!("not a report: {line}"))
    }
}

impl Report {
    fn read(report: &Value) -> Option<Self> {
        let numbers = |name: &str| -> BTreeMap<String, u64> {
            let object = report[name].as_object().into_iter().flatten();
            object.filter_map(|(key, value)| Some((key.clone(), value.as_u64()?))).collect()
        };
        let kinds = report["kinds"].as_object().into_iter().flatten();
        let micros = numbers("p99_us_per_backend").into_iter();
        Some(Self {
            calls: report["calls"].as_u64()?,
            errors: report["errors"].as_u64()?,
            error_codes: numbers("error_codes"),
            per_backend: numbers("per_backend"),
            p99_per_backend: micros.map(|(name, micros)| (name, Duration::from_micros(micros))).collect(),
            kinds: kinds.filter_map(|(kind, said)| Some((kind.clone(), said.as_str()?.to_owned()))).collect(),
        })
    }

    /// The busiest server's calls over the mean of `servers` of them; 1.00 is level.
    #[must_use]
    pub fn skew(&self, servers: u32) -> f64 {
        let busiest = self.per_backend.values().max().copied().unwrap_or(0);
        let all: u64 = self.per_backend.values().sum();
        busiest as f64 * f64::from(servers) / (all.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_client_is_read_whole() {
        let line = r#"{"calls":7,"errors":1,"error_codes":{"UNAVAILABLE":1},"per_backend":{"a":4,"b":2},"p50_us":1,
            "p99_us":9,"p99_us_per_backend":{"a":9,"b":8},"kinds":{"bidi":"ok"}}"#;
        let report = Report::read(&serde_json::from_str(line).unwrap()).unwrap();
        assert_eq!((report.calls, report.errors), (7, 1));
        assert_eq!(report.error_codes["UNAVAILABLE"], 1);
        assert_eq!(report.p99_per_backend["b"], Duration::from_micros(8));
        assert_eq!(report.kinds["bidi"], "ok");
        assert!((report.skew(2) - 4.0 / 3.0).abs() < 1e-9);
        assert!((report.skew(3) - 2.0).abs() < 1e-9, "a server without a call counts in the mean");
    }
}
