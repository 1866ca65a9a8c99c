//! `cargo xtask check`: the list of checks, each with a name and what it found. Knows no suite; the suite table runs it.

mod directions;
mod licences;
mod lockfiles;
mod modules;
mod source;
mod tokens;

use crate::machine::{cargo, tree};
use crate::run::{self, Cases};
use anyhow::Result;

/// How a check went.
pub(crate) enum Finding {
    /// Nothing is wrong.
    Well,
    /// What is wrong, a line each.
    Faults(Vec<String>),
    /// It could not be run, and why.
    NotRun(String),
}

impl Finding {
    fn from_faults(faults: Vec<String>) -> Self {
        if faults.is_empty() { Self::Well } else { Self::Faults(faults) }
    }

    fn from_exit(well: bool) -> Self {
        if well { Self::Well } else { Self::Faults(vec!["see above".to_owned()]) }
    }
}

type Check = (&'static str, fn() -> Result<Finding>);

const CHECKS: &[Check] = &[
    ("format", format),
    ("source", source::check),
    ("crate directions", directions::check),
    ("module circles", modules::check),
    ("lock files", lockfiles::check),
    ("lints", lints),
    ("documentation", documentation),
    ("bans, licences, sources", licences::check),
    ("advisories", licences::advisories),
];

/// Runs every check; the cases, and what was not run.
pub(crate) fn check() -> Result<(Cases, Vec<String>)> {
    let mut cases = Cases::default();
    let mut not_run = Vec::new();
    for (name, check) in CHECKS {
        match check()? {
            Finding::Well => {
                println!("{name}: ok");
                cases.passed += 1;
            }
            Finding::Faults(faults) => {
                for fault in &faults {
                    println!("{name}: {fault}");
                }
                println!("{name}: FAILED");
                cases.failed += 1;
            }
            Finding::NotRun(why) => {
                println!("{name}: not run: {why}");
                not_run.push(format!("{name}: {why}"));
                cases.skipped += 1;
            }
        }
    }
    Ok((cases, not_run))
}

fn format() -> Result<Finding> {
    run::aloud(&mut cargo(["fmt", "--all", "--", "--check"])).map(Finding::from_exit)
}

fn lints() -> Result<Finding> {
    let words =
        ["clippy", "--workspace", "--all-targets", "--all-features", "--locked", "--", "-D", "warnings"];
    run::aloud(&mut cargo(words)).map(Finding::from_exit)
}

fn documentation() -> Result<Finding> {
    let words = ["doc", "--workspace", "--no-deps", "--locked"];
    run::aloud(cargo(words).env("RUSTDOCFLAGS", "-D warnings")).map(Finding::from_exit)
}

/// Files that git knows or would take, relative to the tree.
fn files() -> Result<Vec<String>> {
    let mut git = std::process::Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(tree());
    let listed = run::text(&mut git)?;
    Ok(listed.lines().filter(|path| tree().join(path).is_file()).map(str::to_owned).collect())
}
