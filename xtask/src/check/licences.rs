//! `cargo deny`: bans, licences and sources by `deny.toml`; advisories where their database can be had. Installs the one
//! version that the repository is checked with into the cache.

use super::Finding;
use crate::machine::{cache, cargo, tree};
use crate::run;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

const VERSION: &str = "0.20.2";

fn program() -> Result<PathBuf> {
    let root = cache(&format!("cargo-deny-{VERSION}"))?;
    let program = root.join("bin/cargo-deny");
    if !program.is_file() {
        println!("installing cargo-deny {VERSION}, once, some minutes");
        let mut install =
            cargo(["install", "--quiet", "--locked", "cargo-deny", "--version", VERSION, "--root"]);
        // Its own target directory, and none of this workspace's settings.
        let build = cache("cargo-deny-build")?;
        run::quietly(install.arg(&root).current_dir(&root).env("CARGO_TARGET_DIR", &build))?;
        std::fs::remove_dir_all(&build)?;
    }
    Ok(program)
}

fn deny(what: &[&str]) -> Result<Command> {
    let mut command = Command::new(program()?);
    command.args(["--workspace", "--all-features", "--locked"]);
    command.args(["check", "--hide-inclusion-graph"]);
    // The lists say what may be, not what is.
    command.args(["--allow", "unused-wrapper", "--allow", "license-not-encountered"]);
    command.args(what).current_dir(tree());
    Ok(command)
}

pub(super) fn check() -> Result<Finding> {
    match deny(&["bans", "licenses", "sources"]) {
        Ok(mut command) => run::aloud(&mut command).map(Finding::from_exit),
        Err(error) => Ok(Finding::NotRun(format!("cargo-deny cannot be installed: {error:#}"))),
    }
}

pub(super) fn advisories() -> Result<Finding> {
    let program = match program() {
        Ok(program) => program,
        Err(error) => return Ok(Finding::NotRun(format!("cargo-deny cannot be installed: {error:#}"))),
    };
    if let Err(error) = run::quietly(Command::new(program).args(["fetch", "db"]).current_dir(tree())) {
        let said = format!("{error:#}");
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned();
        return Ok(Finding::NotRun(format!("the database of advisories cannot be had here: {last}")));
    }
    run::aloud(&mut deny(&["advisories"])?).map(Finding::from_exit)
}
