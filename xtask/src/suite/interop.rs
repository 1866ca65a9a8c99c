//! The interop suite: installs the clients, builds Evenkeel, and runs the tests of `tests/interop` with both.

use super::{Outcome, clients};
use crate::machine::{built, cache, cargo};
use crate::run::{self, Cases};
use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

/// Where the tests read which programs there are.
const PROGRAMS: &str = "EVENKEEL_INTEROP_PROGRAMS";

pub(super) fn run() -> Result<Outcome> {
    let mut programs = Map::new();
    let mut not_run = Vec::new();
    for (language, installed) in clients::install_all() {
        match installed {
            Ok(words) => drop(programs.insert(language.to_owned(), json!(words))),
            Err(why) => not_run.push((language, format!("{why:#}"))),
        }
    }
    match clients::grpc_go() {
        Ok([server, client]) => {
            programs.insert("grpc-go-server".to_owned(), json!(server));
            programs.insert("grpc-go-client".to_owned(), json!(client));
        }
        Err(why) => not_run.push(("grpc_go", format!("{why:#}"))),
    }
    if !run::aloud(&mut cargo(["build", "--release", "--locked", "-p", "evenkeel"]))? {
        bail!("evenkeel does not build");
    }
    programs.insert("evenkeel".to_owned(), json!([built("release").join("evenkeel").display().to_string()]));
    let file = cache("clients")?.join("programs.json");
    std::fs::write(&file, Value::Object(programs).to_string())?;

    let mut test = cargo(["test", "--locked", "-p", "evenkeel-interop", "--features", "real"]);
    test.args(["--no-fail-fast", "--", "--test-threads=1"]).env(PROGRAMS, &file);
    // What the processes said tells more than where a test stood.
    test.env("RUST_BACKTRACE", "0");
    for (language, _) in &not_run {
        // Every test that needs a language has its name among its words.
        test.args(["--skip", &format!("{language}_")]);
    }
    let mut cases = run::tests(&mut test)?;
    cases.add(&Cases { skipped: not_run.len() as u64, ..Cases::default() });
    let not_run = not_run.into_iter().map(|(language, why)| format!("{language}: {why}")).collect();
    Ok(Outcome { cases, not_run })
}
