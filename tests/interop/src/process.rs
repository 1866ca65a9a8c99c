//! A process of ours: it ends with the value that stands for it, and what it said is shown if a test fails.

use crate::wait::{DEADLINE, until};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::process::{Child, Command, ExitStatus, Stdio};
use tempfile::NamedTempFile;

/// A running process, killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    said: NamedTempFile,
}

impl Process {
    /// Starts it; all that it says goes to a file.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        let said = NamedTempFile::new()?;
        let output = || -> Result<Stdio> { Ok(Stdio::from(File::options().append(true).open(said.path())?)) };
        command.stdin(Stdio::null()).stdout(output()?).stderr(output()?);
        let child = command.spawn().with_context(|| format!("cannot start {name}: {command:?}"))?;
        Ok(Self { name: name.to_owned(), child, said })
    }

    /// All that it has said so far.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn said(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(self.said.path())?).into_owned())
    }

    /// Its exit, if it has ended.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until `ask` has an answer, which the process must live to see.
    ///
    /// # Errors
    /// If it ends before, or at the deadline.
    pub fn until<T>(&mut self, what: &str, mut ask: impl FnMut(&Self) -> Result<Option<T>>) -> Result<T> {
        let name = self.name.clone();
        until(&format!("{name}: {what}"), DEADLINE, || match ask(self)? {
            None if self.ended()?.is_some() => bail!("{name} ended before: {what}\n{}", self.said()?),
            answer => Ok(answer),
        })
    }

    /// Its id, as the kernel has it.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    /// If that could not be.
    pub fn terminate(&self) -> Result<()> {
        self.signal("TERM")
    }

    /// Sends the signal of this name (`HUP` for SIGHUP).
    ///
    /// # Errors
    /// If that could not be.
    pub fn signal(&self, name: &str) -> Result<()> {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status()?;
        if sent.success() { Ok(()) } else { bail!("{} could not be sent SIG{name}", self.name) }
    }

    /// Sends SIGKILL and sees it gone.
    ///
    /// # Errors
    /// If that could not be.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits for its end, which must be a good one.
    ///
    /// # Errors
    /// If it ends badly, or not before the deadline.
    pub fn finish(&mut self) -> Result<()> {
        let what = format!("{} ends", self.name);
        let status = until(&what, DEADLINE, || self.ended())?;
        if status.success() { Ok(()) } else { bail!("{} ended with {status}\n{}", self.name, self.said()?) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.kill();
        // Shown only if the test fails, as all that a test prints.
        println!("-- {} said at its end:\n{}", self.name, tail(&self.said().unwrap_or_default()));
    }
}

/// The last lines of a text.
fn tail(text: &str) -> &str {
    const LINES: usize = 40;
    let start = text.trim_end().rmatch_indices('\n').nth(LINES - 1).map_or(0, |(at, _)| at + 1);
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_shown() {
        let long: String = (0..100).map(|line| format!("{line}\n")).collect();
        assert!(tail(&long).starts_with("60\n") && tail(&long).ends_with("99\n"));
        assert_eq!(tail("a\nb"), "a\nb");
    }

    #[test]
    fn a_process_that_ends_too_early_is_reported_with_its_words() {
        let mut early = Process::start("early", Command::new("sh").args(["-c", "echo why; exit 3"])).unwrap();
        let error = early.until::<()>("it serves", |_| Ok(None)).unwrap_err().to_string();
        assert!(error.contains("it serves") && error.contains("why"), "{error}");
        assert!(early.finish().is_err());
    }
}
