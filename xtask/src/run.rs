//! Running a program: aloud, quietly, for its text, or as a test run whose cases are counted.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Cases of a suite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cases {
    /// Went well.
    pub(crate) passed: u64,
    /// Did not.
    pub(crate) failed: u64,
    /// Were not run.
    pub(crate) skipped: u64,
}

impl Cases {
    /// One case, by how it went.
    pub(crate) fn one(well: bool) -> Self {
        Self { passed: u64::from(well), failed: u64::from(!well), skipped: 0 }
    }

    /// Adds the cases of another run.
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Runs with its output on ours; whether it ended well.
pub(crate) fn aloud(command: &mut Command) -> Result<bool> {
    println!("> {}", shown(command));
    let status = command.status().with_context(|| format!("cannot run {}", shown(command)))?;
    Ok(status.success())
}

/// Runs in silence.
///
/// # Errors
/// All it said, if it ended badly.
pub(crate) fn quietly(command: &mut Command) -> Result<()> {
    text(command).map(drop)
}

/// What it printed.
///
/// # Errors
/// All it said, if it ended badly.
pub(crate) fn text(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {}", shown(command)))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed:\n{printed}{complaint}", shown(command));
    }
    Ok(printed)
}

/// Runs a `cargo test`, shows its output and counts its cases. A run that ends badly without a failed case (it did not
/// compile, a test ended the process) counts as one.
pub(crate) fn tests(command: &mut Command) -> Result<Cases> {
    println!("> {}", shown(command));
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {}", shown(command)))?;
    let mut cases = Cases::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            if let Some(counted) = counted(&line) {
                cases.add(&counted);
            }
        }
    }
    if !child.wait()?.success() && cases.failed == 0 {
        cases.failed = 1;
    }
    Ok(cases)
}

/// The numbers of a line like `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
fn counted(line: &str) -> Option<Cases> {
    let (_, rest) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |what: &str| {
        let part = rest.split("; ").find(|part| part.ends_with(what))?;
        part.split(' ').next()?.parse().ok()
    };
    Some(Cases { passed: number("passed")?, failed: number("failed")?, skipped: number("ignored")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_line_of_a_test_run_is_counted() {
        let line = "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.1s";
        assert_eq!(counted(line), Some(Cases { passed: 3, failed: 2, skipped: 1 }));
        assert_eq!(counted("test a::b ... ok"), None);
    }

    #[test]
    fn a_test_run_that_dies_without_a_result_is_a_failure() {
        let mut dies = Command::new("sh");
        dies.args(["-c", "echo 'test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured'; exit 3"]);
        assert_eq!(tests(&mut dies).unwrap(), Cases { passed: 1, failed: 1, skipped: 0 });
    }
}
