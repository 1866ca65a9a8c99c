//! What the program prints, pinned word for word: help texts and errors are an interface.
//!
//! `UPDATE_GOLDEN=1 cargo test -p evenkeel --test golden` writes the files anew; read the difference before it is kept.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the program in the directory of the fixtures, and compares what it printed and its exit code with a file.
#[track_caller]
fn pinned(name: &str, arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(arguments)
        .current_dir(directory())
        .env_remove("COLUMNS")
        .output()
        .expect("the program runs");
    let mut seen = format!("$ evenkeel {}\n", arguments.join(" "));
    seen.push_str(&String::from_utf8(output.stdout).unwrap());
    let errors = String::from_utf8(output.stderr).unwrap();
    if !errors.is_empty() {
        let _ = write!(seen, "--- standard error\n{errors}");
    }
    let _ = writeln!(seen, "--- exit code {}", output.status.code().expect("it ended by itself"));
    assert!(!seen.contains('\x1b'), "colours where there is no terminal:\n{seen}");

    let file = directory().join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &seen).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(seen, expected, "{} differs", file.display());
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

#[test]
fn help_shows_the_commands_and_examples() {
    pinned("help", &["--help"]);
}

#[test]
fn each_commands_help_shows_its_arguments_and_examples() {
    pinned("help_run", &["run", "--help"]);
    pinned("help_check", &["check", "--help"]);
    pinned("help_demo", &["demo", "--help"]);
    pinned("help_explain", &["explain", "--help"]);
}

#[test]
fn check_says_what_it_understood() {
    pinned("check_well", &["check", "well.yaml"]);
    pinned("check_protocols", &["check", "protocols.yaml"]);
}

#[test]
fn check_shows_every_mistake_at_once() {
    pinned("check_mistakes", &["check", "mistakes.yaml"]);
}

#[test]
fn check_says_when_there_is_nothing_to_read() {
    pinned("check_absent", &["check", "absent.yaml"]);
}

#[test]
fn explain_tells_what_a_code_means_and_what_an_unknown_one_may_have_been() {
    pinned("explain_code", &["explain", "max_sessions"]);
    pinned("explain_unknown", &["explain", "idle_timeot"]);
}

#[test]
fn explain_without_a_code_lists_codes_of_every_kind() {
    let output = Command::new(env!("CARGO_BIN_EXE_evenkeel")).arg("explain").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let codes =
        ["goaway", "no_route", "balanced", "all_tried", "relapse", "header_list_bytes", "dns_timeout"];
    for code in codes.into_iter().chain(["gateway_error"]) {
        assert!(text.contains(code), "{code} in\n{text}");
    }
    assert_eq!(text.lines().filter(|line| line.starts_with("When ")).count(), 8);
}

#[test]
fn run_refuses_flags_that_exclude_each_other_or_are_missing() {
    pinned("run_nothing", &["run"]);
    pinned("run_both", &["run", "--config", "well.yaml", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:1"]);
    pinned("run_half", &["run", "--listen", "127.0.0.1:0"]);
    pinned("run_protocol_of_a_file", &["run", "--config", "well.yaml", "--protocol", "tcp"]);
}

#[test]
fn run_shows_the_mistakes_of_every_flag_at_once() {
    let flags = ["run", "--listen", "127.0.0.1:0", "--to", "dsn://a:1", "--workers", "0", "--log", "jsn"];
    let flags = [&flags[..], &["--protocol", "udp"]].concat();
    pinned("run_flag_mistakes", &flags);
    pinned("run_admin_mistake", &["run", "--config", "well.yaml", "--admin", "0.0.0.0:9901"]);
}

#[test]
fn run_shows_the_mistakes_of_the_file() {
    pinned("run_file_mistakes", &["run", "--config", "mistakes.yaml"]);
}
