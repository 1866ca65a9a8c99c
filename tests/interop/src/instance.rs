//! An Evenkeel of any configuration, looked at from outside: where it listens, what it logs, what it counts, what it costs.
//! Knows nothing of what is written in the configuration; the bad-input tests write it.

use crate::evenkeel::get;
use crate::process::Process;
use crate::programs;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;

/// A running Evenkeel, killed when dropped. Its configuration should bind ports 0, on loopback.
#[derive(Debug)]
pub struct Instance {
    process: Process,
    dir: TempDir,
    admin: String,
}

impl Instance {
    /// Starts it with this configuration, written to a file of `dir`, and waits until all its sources were asked.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(dir: TempDir, configuration: &str) -> Result<Self> {
        Self::start_by(dir, configuration, &programs::command("evenkeel")?)
    }

    /// Starts it with so many descriptors and not one more.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start_with_descriptors(dir: TempDir, configuration: &str, most: u32) -> Result<Self> {
        let program = programs::command("evenkeel")?;
        let mut shell = Command::new("sh");
        // The shell becomes the program: the limit and the process id are the program's.
        shell.args(["-c", &format!("ulimit -n {most} && exec \"$@\""), "sh"]);
        shell.arg(program.get_program()).args(program.get_args());
        Self::start_by(dir, configuration, &shell)
    }

    fn start_by(dir: TempDir, configuration: &str, program: &Command) -> Result<Self> {
        let file = file_of(&dir);
        fs::write(&file, configuration)?;
        let mut command = Command::new(program.get_program());
        command.args(program.get_args()).args(["run", "--log", "json", "--config"]).arg(&file);
        let mut process = Process::start("evenkeel", &mut command)?;
        let admin = process.until("its admin API is bound", |process| {
            let records = records(&process.said()?);
            let bound = records.iter().find(|record| record["event"] == "admin_bound");
            Ok(bound.and_then(|record| record["address"].as_str()).map(str::to_owned))
        })?;
        process.until("it is ready", |_| Ok(get(&admin, "/readyz").ok()))?;
        Ok(Self { process, dir, admin })
    }

    /// Where its files are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Writes its configuration anew.
    ///
    /// # Errors
    /// If that cannot be.
    pub fn configure(&self, configuration: &str) -> Result<()> {
        replace(&file_of(&self.dir), configuration)
    }

    /// Sends SIGHUP.
    ///
    /// # Errors
    /// If that could not be.
    pub fn hang_up(&self) -> Result<()> {
        self.process.signal("HUP")
    }

    /// Where a listener accepts.
    ///
    /// # Errors
    /// If there is no such listener.
    pub fn address(&mut self, listener: &str) -> Result<String> {
        let bound = self.record("a listener is bound", |record| {
            record["event"] == "listener_bound" && record["listener"] == listener
        })?;
        Ok(bound["address"].as_str().context("no address")?.to_owned())
    }

    /// All records of its log so far.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn records(&self) -> Result<Vec<Value>> {
        Ok(records(&self.process.said()?))
    }

    /// Waits for a record of its log, and gives the first.
    ///
    /// # Errors
    /// At the deadline, or if Evenkeel ends.
    pub fn record(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
        self.process.until(&format!("it logs: {what}"), |process| {
            Ok(records(&process.said()?).into_iter().find(|record| is(record)))
        })
    }

    /// Waits for a record of this event with this reason, and gives the first.
    ///
    /// # Errors
    /// At the deadline, or if Evenkeel ends.
    pub fn record_of(&mut self, event: &str, reason: &str) -> Result<Value> {
        let what = format!("{event} because of {reason}");
        self.record(&what, |record| record["event"] == event && record["reason"] == reason)
    }

    /// The sum of a metric's samples that bear all these labels; `None` if there is no such sample.
    ///
    /// # Errors
    /// If the admin API fails.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Result<Option<f64>> {
        Ok(sum(&get(&self.admin, "/metrics")?, name, labels))
    }

    /// Waits until that sum is as asked, and gives it.
    ///
    /// # Errors
    /// At the deadline, or if Evenkeel ends.
    pub fn until_metric(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        is: impl Fn(f64) -> bool,
    ) -> Result<f64> {
        let admin = self.admin.clone();
        self.process.until(&format!("{name} {labels:?} is as it should be"), |_| {
            Ok(sum(&get(&admin, "/metrics")?, name, labels).filter(|value| is(*value)))
        })
    }

    /// The CPU time that it has used.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn cpu_time(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        cpu_time(&stat).with_context(|| format!("no CPU time in {stat}"))
    }

    /// The memory that it has in RAM.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn memory(&self) -> Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        memory(&status).with_context(|| format!("no memory in {status}"))
    }

    /// Sees that it says it is ready for traffic.
    ///
    /// # Errors
    /// If it does not.
    pub fn is_ready(&self) -> Result<()> {
        get(&self.admin, "/readyz").map(drop)
    }

    /// Sends SIGTERM and sees it end well.
    ///
    /// # Errors
    /// If it does not.
    pub fn finish(&mut self) -> Result<()> {
        self.process.terminate()?;
        self.process.finish()
    }
}

/// Resident memory of a process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Now.
    pub resident: u64,
    /// The most since it began.
    pub highest: u64,
}

/// Runs a command of Evenkeel on a configuration until it ends by itself.
///
/// # Errors
/// If it cannot be run.
pub fn run_to_its_end(words: &[&str], configuration: &str) -> Result<Output> {
    let dir = TempDir::new()?;
    let file = file_of(&dir);
    fs::write(&file, configuration)?;
    Ok(programs::command("evenkeel")?.args(words).arg(&file).output()?)
}

/// Writes a file anew, whole at once.
///
/// # Errors
/// If that cannot be.
pub fn replace(file: &Path, text: &str) -> Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, text)?;
    Ok(fs::rename(new, file)?)
}

fn file_of(dir: &TempDir) -> PathBuf {
    dir.path().join("evenkeel.yaml")
}

/// The records among the whole lines of a log.
fn records(said: &str) -> Vec<Value> {
    let whole = said.rfind('\n').map_or("", |end| &said[..end]);
    whole.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn sum(metrics: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let samples = metrics.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let rest = series.strip_prefix(name)?;
        let is_it = rest.is_empty() || rest.starts_with('{');
        let has = |(label, value): &(&str, &str)| rest.contains(&format!("{label}=\"{value}\""));
        if is_it && labels.iter().all(has) { value.parse::<f64>().ok() } else { None }
    });
    samples.reduce(|sum, value| sum + value)
}

/// Fields 14 and 15 of `/proc/PID/stat`, user and system time in hundredths of a second (proc(5)).
fn cpu_time(stat: &str) -> Option<Duration> {
    // The program's name, which may hold anything, ends at the last bracket; the state is field 3.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some(Duration::from_millis((user + system) * 10))
}

/// `VmRSS` and `VmHWM` of `/proc/PID/status`, in KiB (proc(5)).
fn memory(status: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    };
    Some(Memory { resident: bytes("VmRSS:")?, highest: bytes("VmHWM:")? })
}

/// Fails unless `text` has each of these parts.
///
/// # Errors
/// With the part that is missing.
pub fn says(text: &str, parts: &[&str]) -> Result<()> {
    for part in parts {
        ensure!(text.contains(part), "no `{part}` in:\n{text}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_the_sum_of_the_samples_with_the_labels() {
        let text =
            "# HELP a_total x\na_total{x=\"1\",y=\"p\"} 2\na_total{x=\"2\",y=\"p\"} 3\na_totals 9\nb 1.5\n";
        assert_eq!(sum(text, "a_total", &[("y", "p")]), Some(5.0));
        assert_eq!(sum(text, "a_total", &[("y", "p"), ("x", "2")]), Some(3.0));
        assert_eq!(sum(text, "a_total", &[("x", "3")]), None);
        assert_eq!(sum(text, "b", &[]), Some(1.5));
    }

    #[test]
    fn the_cpu_time_is_read_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 12 30 0 0 20 0 3 0 99 1 2";
        assert_eq!(cpu_time(stat), Some(Duration::from_millis(420)));
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t       4 kB\nThreads:\t1\n";
        assert_eq!(memory(status), Some(Memory { resident: 4096, highest: 2 << 20 }));
        assert_eq!(memory("Name:\tx\n"), None);
    }

    #[test]
    fn a_line_that_is_not_whole_is_no_record_yet() {
        assert_eq!(records("{\"a\":1}\nwords\n{\"b\":2}").len(), 1);
        assert!(records("{}").is_empty());
    }

    #[test]
    fn a_missing_part_is_named() {
        assert!(says("one two", &["one", "two"]).is_ok());
        assert!(says("one", &["one", "two"]).unwrap_err().to_string().contains("`two`"));
    }
}
