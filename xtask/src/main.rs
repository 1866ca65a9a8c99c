//! The door to the repository: what runs here is what CI runs. Knows how checks and suites are run, not what they test.

mod bench;
mod check;
mod machine;
mod run;
mod suite;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The door: check, test, fuzz, bench")]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Format, lints, documentation, dependencies, and the shape of the crates.
    Check,
    /// Every suite; installs what they need.
    #[command(after_help = "Examples:\n  cargo xtask test\n  cargo xtask test --only interop\n  \
                            cargo xtask test --skip check --skip bench-smoke")]
    Test {
        /// Only this suite; may be repeated.
        #[arg(long, value_name = "SUITE")]
        only: Vec<String>,
        /// Not this suite; may be repeated.
        #[arg(long, value_name = "SUITE")]
        skip: Vec<String>,
    },
    /// Bytes of all kinds into the parsers.
    Fuzz {
        /// A short run, for each change.
        #[arg(long)]
        smoke: bool,
    },
    /// Evenkeel beside its peers; words after `--` go to `bench/bench.py`.
    #[command(after_help = "Example:\n  cargo xtask bench -- --scenario s2 --rounds 3")]
    Bench {
        /// For `bench/bench.py`.
        #[arg(last = true)]
        words: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match CommandLine::parse().verb {
        Verb::Check => suite::test(&["check".to_owned()], &[]),
        Verb::Test { only, skip } => suite::test(&only, &skip),
        Verb::Fuzz { smoke } => suite::fuzz(smoke),
        Verb::Bench { words } => bench::bench(&words),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}
