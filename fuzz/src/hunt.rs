//! The parent's side of a hunt: starts the child, watches it, finds out which input ended it, makes that smaller, and
//! stores it.
//!
//! Release builds end at a panic (`panic = "abort"`), so inputs run in a process of their own.

use crate::corpus;
use crate::input::Inputs;
use crate::mutation::pieces;
use crate::targets::Target;
use anyhow::Context;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest time that one input may take.
const MOST_FOR_ONE: Duration = Duration::from_secs(10);
/// Longest time that making a finding smaller may take.
const MOST_FOR_SHRINKING: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What is hunted, and for how long.
#[derive(Debug)]
pub(crate) struct Hunt {
    /// Where.
    pub(crate) target: &'static Target,
    /// Which inputs.
    pub(crate) seed: u64,
    /// For how long.
    pub(crate) time: Duration,
    /// Where findings go.
    pub(crate) crashes: PathBuf,
}

/// What came of a hunt.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Inputs that ran.
    pub(crate) executions: u64,
    /// How long it took.
    pub(crate) time: Duration,
    /// The file of the input that broke the target, and what it did.
    pub(crate) finding: Option<(PathBuf, String)>,
}

impl Hunt {
    /// Hunts until the time is over or something is found.
    pub(crate) fn run(&self) -> anyhow::Result<Outcome> {
        let scratch = Scratch::new()?;
        let progress = scratch.file("progress", &[0; 8])?;
        let began = Instant::now();
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--batch", self.target.name, "--seed", &self.seed.to_string()])
            .args(["--seconds", &self.time.as_secs_f64().to_string(), "--progress"])
            .arg(&progress)
            .stderr(File::create(scratch.path("stderr"))?)
            .spawn()
            .context("the child process")?;
        let ended = watch(&mut child, &progress)?;
        let number = number_in(&progress)?;
        let mut outcome = Outcome { executions: number, time: began.elapsed(), finding: None };
        if ended == Ended::Well {
            return Ok(outcome);
        }
        let seeds = corpus::seeds(self.target)?.into_iter().map(|(_, input)| input).collect();
        let input = Inputs::new(self.target, self.seed, seeds).get(number);
        let what = match ended {
            Ended::Hanging => format!("input {number} of seed {} took over {MOST_FOR_ONE:?}", self.seed),
            _ => format!("input {number} of seed {}: {}", self.seed, scratch.text("stderr")?),
        };
        let input = if ended == Ended::Hanging { input } else { self.shrink(input, &scratch)? };
        outcome.finding = Some((corpus::store(&self.crashes, self.target, &input)?, what));
        Ok(outcome)
    }

    /// Leaves out pieces of an input as long as it still breaks the target.
    fn shrink(&self, mut input: Vec<u8>, scratch: &Scratch) -> anyhow::Result<Vec<u8>> {
        let until = Instant::now() + MOST_FOR_SHRINKING;
        let mut size = input.len().div_ceil(2);
        while size > 0 {
            for range in pieces(input.len(), size) {
                let mut smaller = input.clone();
                smaller.drain(range.start.min(input.len())..range.end.min(input.len()));
                if smaller.len() < input.len() && self.breaks(&smaller, scratch)? {
                    input = smaller;
                }
                if Instant::now() >= until {
                    return Ok(input);
                }
            }
            size /= 2;
        }
        Ok(input)
    }

    /// Whether an input breaks the target, in a process of its own.
    fn breaks(&self, input: &[u8], scratch: &Scratch) -> anyhow::Result<bool> {
        let file = scratch.file("input", input)?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg(self.target.name)
            .arg("--replay")
            .arg(file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(!status.success());
            }
            if began.elapsed() > MOST_FOR_ONE {
                end(&mut child)?;
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Well,
    Broken,
    Hanging,
}

/// Waits for the child; ends it when one input takes too long.
fn watch(child: &mut Child, progress: &Path) -> anyhow::Result<Ended> {
    let (mut number, mut since) = (0, Instant::now());
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(if status.success() { Ended::Well } else { Ended::Broken });
        }
        let now = number_in(progress)?;
        if now != number {
            (number, since) = (now, Instant::now());
        } else if since.elapsed() > MOST_FOR_ONE {
            end(child)?;
            return Ok(Ended::Hanging);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn end(child: &mut Child) -> anyhow::Result<()> {
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn number_in(progress: &Path) -> anyhow::Result<u64> {
    let mut number = [0; 8];
    File::open(progress)?.read_exact_at(&mut number, 0)?;
    Ok(u64::from_le_bytes(number))
}

/// A folder of this process's own, which goes with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("evenkeel-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn file(&self, name: &str, content: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.path(name);
        std::fs::write(&path, content)?;
        Ok(path)
    }

    /// The first lines of a file.
    fn text(&self, name: &str) -> anyhow::Result<String> {
        let bytes = std::fs::read(self.path(name))?;
        Ok(String::from_utf8_lossy(&bytes[..bytes.len().min(2_000)]).trim().to_owned())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed stays in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
