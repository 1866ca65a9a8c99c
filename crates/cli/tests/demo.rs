//! `evenkeel demo` as a process: its figures have the shape that was promised, and say what was promised.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

/// Endpoints before the scale-up.
const FIRST: usize = 3;

/// Less than the skew of any twenty connections that are not level over five endpoints.
const NEVER_BELOW: f64 = 1.15;

/// More than the demo itself allows: a machine that is busy with other tests is no reason to fail.
const NEARLY_LEVEL: f64 = 1.25;

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command.arg("demo").args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn counts(side: &Value) -> Vec<u64> {
    side["per_endpoint"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_figures_show_pinned_connections_beside_level_load() {
    let output = demo(&["--once", "--json"]).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let figures: Value = serde_json::from_slice(&output.stdout).expect("nothing but the figures");
    assert_eq!(keys(&figures), ["scenes"]);
    let scenes = figures["scenes"].as_array().unwrap();
    let names: Vec<&str> = scenes.iter().map(|scene| scene["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["pinned", "scale-up", "scale-in", "http", "websocket", "sse", "tcp"]);
    for scene in scenes {
        assert_eq!(keys(scene), ["after", "before", "errors", "name"]);
        assert_eq!(scene["errors"], 0, "{scene}");
        let is_small = ["pinned", "scale-in"].contains(&scene["name"].as_str().unwrap());
        let endpoints = if is_small { 3 } else { 5 };
        for side in [&scene["before"], &scene["after"]] {
            assert_eq!(keys(side), ["per_endpoint", "skew"]);
            let counts = counts(side);
            let mean = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
            let skew = *counts.iter().max().unwrap() as f64 / mean;
            assert_eq!(counts.len(), endpoints, "{scene}");
            assert!((side["skew"].as_f64().unwrap() - skew).abs() < 0.001, "{scene}");
        }
        // Four connections on three endpoints or more can never be level; twenty that fall by chance are once in 80,000 runs.
        assert!(scene["before"]["skew"].as_f64().unwrap() > NEVER_BELOW, "{scene}");
        assert!(scene["after"]["skew"].as_f64().unwrap() <= NEARLY_LEVEL, "{scene}");
    }
    let share_of_new = |side: &Value| {
        let counts = counts(side);
        counts[FIRST..].iter().sum::<u64>() as f64 / counts.iter().sum::<u64>() as f64
    };
    for scene in scenes.iter().filter(|scene| counts(&scene["after"]).len() > FIRST) {
        assert!(share_of_new(&scene["after"]) >= 0.30, "{scene}");
    }
    // Where nobody connects anew, pinned connections give the new endpoints nothing.
    for scene in [&scenes[1], &scenes[3]] {
        assert!(share_of_new(&scene["before"]) < f64::EPSILON, "{scene}");
    }
}

#[test]
fn one_that_is_interrupted_ends_at_once_and_does_not_claim_to_have_figures() {
    let mut process = demo(&["--once", "--json"]).spawn().unwrap();
    let mut progress = BufReader::new(process.stderr.take().unwrap());
    let mut line = String::new();
    progress.read_line(&mut line).unwrap();
    assert!(line.starts_with("pinned: "), "{line}");
    let interrupt = format!("kill -INT {}", process.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
    let mut rest = String::new();
    progress.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("evenkeel: ended before every scene was played\n"), "{rest}");
    let output = process.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]));
}
