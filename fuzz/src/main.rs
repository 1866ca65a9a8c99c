//! Fuzzing on the stable toolchain: targets, inputs made from grammars and mutations, a child process that runs them.
//!
//! `fuzz --smoke` gives every target its share of half a minute; `fuzz TARGET --seconds N [--seed S]` hunts in one;
//! `fuzz TARGET --replay FILE` runs one input. Findings are stored in `fuzz/crashes`, and the exit code is 1. The
//! profile `fuzz` checks for overflows and runs debug assertions like a dev build, at nearly a release's speed.

mod batch;
mod corpus;
mod grammar;
mod hunt;
mod input;
mod mutation;
mod prng;
mod tape;
mod targets;

use anyhow::{Context, bail};
use hunt::Hunt;
use input::Inputs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use targets::{TARGETS, target};

const USAGE: &str = "usage: fuzz --smoke [--seconds N] [--seed S] [--crashes DIR]
       fuzz TARGET --seconds N [--seed S] [--crashes DIR]
       fuzz TARGET --replay FILE
targets:";

/// What is asked for on the command line.
#[derive(Debug, Default)]
struct Arguments {
    target: Option<String>,
    is_smoke: bool,
    is_batch: bool,
    seconds: Option<f64>,
    seed: u64,
    replay: Option<PathBuf>,
    crashes: Option<PathBuf>,
    /// Between parent and child.
    progress: Option<PathBuf>,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut arguments = Self::default();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match word.as_str() {
                "--smoke" => arguments.is_smoke = true,
                "--batch" => {
                    arguments.is_batch = true;
                    arguments.target = Some(value()?);
                }
                "--seconds" => arguments.seconds = Some(value()?.parse().context("--seconds")?),
                "--seed" => arguments.seed = value()?.parse().context("--seed")?,
                "--replay" => arguments.replay = Some(value()?.into()),
                "--crashes" => arguments.crashes = Some(value()?.into()),
                "--progress" => arguments.progress = Some(value()?.into()),
                name if target(name).is_some() => arguments.target = Some(word),
                _ => bail!("what is {word:?}?"),
            }
        }
        Ok(arguments)
    }

    fn time(&self) -> anyhow::Result<Duration> {
        let seconds = self.seconds.context("--seconds N is missing")?;
        Duration::try_from_secs_f64(seconds).context("--seconds")
    }
}

/// Time of a smoke run in all.
const SMOKE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)).and_then(|arguments| run(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

/// Does what is asked for; false if something was found.
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let crashes = arguments.crashes.clone().unwrap_or_else(corpus::crashes_folder);
    if arguments.is_smoke {
        let time = arguments.seconds.map_or(Ok(SMOKE), Duration::try_from_secs_f64)?;
        return smoke(time, arguments.seed, &crashes);
    }
    let Some(target) = arguments.target.as_deref().and_then(target) else {
        println!("{USAGE}");
        TARGETS.iter().for_each(|t| println!("  {}", t.name));
        bail!("which target?");
    };
    if let Some(file) = &arguments.replay {
        let input = std::fs::read(file).with_context(|| file.display().to_string())?;
        if let Err(what) = (target.run)(&input) {
            println!("{}: {what}", target.name);
            return Ok(false);
        }
        println!("{}: {} holds", target.name, file.display());
        return Ok(true);
    }
    let (seed, time) = (arguments.seed, arguments.time()?);
    if arguments.is_batch {
        let progress = arguments.progress.as_deref().context("--progress FILE is missing")?;
        let seeds = corpus::seeds(target)?.into_iter().map(|(_, input)| input).collect();
        batch::run(target, &Inputs::new(target, seed, seeds), 0, time, progress)?;
        return Ok(true);
    }
    let (executions, is_clean) = hunt(&Hunt { target, seed, time, crashes })?;
    println!("{}", summary(1, executions, usize::from(!is_clean)));
    Ok(is_clean)
}

/// Every target in turn.
fn smoke(time: Duration, seed: u64, crashes: &Path) -> anyhow::Result<bool> {
    let shares: u32 = TARGETS.iter().map(|t| t.share).sum();
    let (mut executions, mut findings) = (0, 0);
    for target in TARGETS {
        let time = time * target.share / shares;
        let (ran, is_clean) = hunt(&Hunt { target, seed, time, crashes: crashes.to_owned() })?;
        executions += ran;
        findings += usize::from(!is_clean);
    }
    println!("{}", summary(TARGETS.len(), executions, findings));
    Ok(findings == 0)
}

/// Hunts in one target and prints what came of it.
fn hunt(hunt: &Hunt) -> anyhow::Result<(u64, bool)> {
    let name = hunt.target.name;
    let outcome = hunt.run()?;
    let rate = outcome.executions as f64 / outcome.time.as_secs_f64();
    println!(
        "{name:<20} {:>9} executions in {:>5.1} s, {rate:>8.0} a second",
        outcome.executions,
        outcome.time.as_secs_f64()
    );
    if let Some((file, what)) = &outcome.finding {
        println!("{name:<20} FOUND {}: {what}", file.display());
    }
    Ok((outcome.executions, outcome.finding.is_none()))
}

fn summary(targets: usize, executions: u64, findings: usize) -> String {
    format!("fuzz: {targets} targets, {executions} executions, {findings} findings")
}
