//! The peers suite: installs the web programs of `tests/clients`, the real servers and the browser, builds Evenkeel, and runs the
//! tests of `tests/interop` that hold each real client against its real server.

use super::{Outcome, clients, web};
use crate::machine::{built, cache, cargo};
use crate::run::{self, Cases};
use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

/// Where the tests read which programs there are.
const PROGRAMS: &str = "EVENKEEL_INTEROP_PROGRAMS";

/// What the tests need: its name among the programs, the words by which the names of the tests that need it are known, and how it
/// is installed.
type Needed = (&'static str, &'static [&'static str], fn() -> Result<clients::Words>);

const NEEDED: &[Needed] = &[
    ("web-go", &["go_"], web::go),
    ("web-node", &["node_", "chromium_", "autobahn_"], web::node),
    ("web-python", &["python_"], web::python),
    ("web-java", &["java_"], web::java),
    ("curl", &["curl_"], web::curl),
    ("chromium", &["chromium_"], web::chromium),
    ("autobahn", &["autobahn_"], web::autobahn),
    ("sshd", &["sshd_"], web::sshd),
    ("postgresql", &["postgresql_"], web::postgresql),
    ("mariadb", &["mariadb_"], web::mariadb),
    ("redis", &["redis_"], web::redis),
    ("rabbitmq", &["rabbitmq_"], web::rabbitmq),
];

pub(super) fn run() -> Result<Outcome> {
    let mut programs = Map::new();
    let mut not_run = Vec::new();
    let mut skipped: Vec<&str> = Vec::new();
    for (name, marks, install) in NEEDED {
        println!("installing {name}");
        match install() {
            Ok(words) => drop(programs.insert((*name).to_owned(), json!(words))),
            Err(why) => {
                not_run.push(format!("{name}: {why:#}"));
                skipped.extend(marks.iter().copied());
            }
        }
    }
    if !run::aloud(&mut cargo(["build", "--release", "--locked", "-p", "evenkeel"]))? {
        bail!("evenkeel does not build");
    }
    programs.insert("evenkeel".to_owned(), json!([built("release").join("evenkeel").display().to_string()]));
    let file = cache("clients")?.join("peers-programs.json");
    std::fs::write(&file, Value::Object(programs).to_string())?;

    let mut test = cargo(["test", "--locked", "-p", "evenkeel-interop", "--features", "peers"]);
    test.args(["--no-fail-fast", "--test", "peers_*", "--", "--test-threads=1"]).env(PROGRAMS, &file);
    // What the processes said tells more than where a test stood.
    test.env("RUST_BACKTRACE", "0").env("PYTHONDONTWRITEBYTECODE", "1");
    for mark in &skipped {
        test.args(["--skip", mark]);
    }
    let mut cases = run::tests(&mut test)?;
    cases.add(&Cases { skipped: not_run.len() as u64, ..Cases::default() });
    Ok(Outcome { cases, not_run })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tree;
    use std::fs;

    /// The names of all tests of the suite.
    fn tests() -> Vec<String> {
        let files = fs::read_dir(tree().join("tests/interop/tests")).unwrap();
        let of_suite = files.map(|file| file.unwrap().path()).filter(|path| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("peers_"))
        });
        let texts = of_suite.map(|path| fs::read_to_string(path).unwrap()).collect::<Vec<_>>().join("\n");
        let named = texts.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split('(').next());
        named.map(str::to_owned).collect()
    }

    #[test]
    fn whatever_is_not_installed_has_tests_that_are_known_by_its_marks() {
        let tests = tests();
        for (name, marks, _) in NEEDED {
            for mark in *marks {
                assert!(
                    tests.iter().any(|test| test.contains(mark)),
                    "{name}: no test has {mark} in its name"
                );
            }
        }
    }
}
