//! The bad-input suite: Evenkeel as a process against everything that is wrong around it. Needs nothing but Rust: its good
//! servers and its well-behaved client are the ones on tonic.

use super::{Outcome, clients};
use crate::machine::{built, cache, cargo};
use crate::run;
use anyhow::{Result, bail};
use serde_json::json;

/// Where the tests read which programs there are.
const PROGRAMS: &str = "EVENKEEL_INTEROP_PROGRAMS";

pub(super) fn run() -> Result<Outcome> {
    let echo = clients::rust()?;
    if !run::aloud(&mut cargo(["build", "--release", "--locked", "-p", "evenkeel"]))? {
        bail!("evenkeel does not build");
    }
    let evenkeel = built("release").join("evenkeel").display().to_string();
    let file = cache("clients")?.join("bad-input-programs.json");
    std::fs::write(&file, json!({ "rust": echo, "evenkeel": [evenkeel] }).to_string())?;
    let mut test = cargo(["test", "--locked", "-p", "evenkeel-interop", "--features", "bad-input"]);
    test.args(["--no-fail-fast", "--test", "bad_input*", "--", "--test-threads=1"]).env(PROGRAMS, &file);
    // What the processes said tells more than where a test stood.
    test.env("RUST_BACKTRACE", "0");
    Ok(Outcome { cases: run::tests(&mut test)?, not_run: Vec::new() })
}
