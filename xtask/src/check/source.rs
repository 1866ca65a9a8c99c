//! What a source file owes: a head that says what it owns; and in the pure crates no socket, clock, file, thread or print.

use super::tokens::{self, Mention};
use super::{Finding, files};
use crate::machine::tree;
use anyhow::{Context, Result};

/// The crates that do no I/O, read no clock, draw no entropy and log nothing.
const PURE: &[&str] = &["crates/core/src/", "crates/wire/src/", "crates/engine/src/"];

/// What they may not mention, a path that begins so. Addresses and durations are values and stay allowed.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::os",
    "std::process",
    "std::thread",
    "std::net::Tcp",
    "std::net::Udp",
    "std::net::ToSocketAddrs",
    "std::net::*",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::UNIX_EPOCH",
    "std::time::*",
    "std::time::self",
    "std::net::self",
    "std::*",
    "std::hash::RandomState",
    "std::collections::hash_map::RandomState",
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    "dbg!",
];

/// Whole modules that may not be named as such, since what is taken from them could not be seen.
const WHOLE: &[&str] = &["std::net", "std::time"];

pub(super) fn check() -> Result<Finding> {
    let mut faults = Vec::new();
    for path in files()?.iter().filter(|path| path.ends_with(".rs")) {
        let text = std::fs::read_to_string(tree().join(path)).with_context(|| path.clone())?;
        if !path.starts_with("bench/") && !has_head(&text) {
            faults.push(format!(
                "{path}:1: no `//!` head: what it owns, what it refuses to know, who calls it"
            ));
        }
        if PURE.iter().any(|place| path.starts_with(place)) {
            let source = tokens::read(&text).map_err(|error| anyhow::anyhow!("{path}: {error}"))?;
            let impure = source.mentions.iter().filter(|mention| !mention.in_test && is_impure(mention));
            faults.extend(impure.map(|mention| {
                format!("{path}:{}: {} has no place in a pure crate", mention.line, mention.path.join("::"))
            }));
        }
    }
    Ok(Finding::from_faults(faults))
}

fn has_head(text: &str) -> bool {
    text.starts_with("//! ")
}

fn is_impure(mention: &Mention) -> bool {
    let path = mention.path.join("::");
    WHOLE.contains(&path.as_str())
        || IMPURE.iter().any(|start| {
            let Some(rest) = path.strip_prefix(start) else { return false };
            // `std::net::Tcp` means every name that begins so; the others are whole words.
            rest.is_empty() || rest.starts_with("::") || start.ends_with("Tcp") || start.ends_with("Udp")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn impure(text: &str) -> Vec<String> {
        let source = tokens::read(text).unwrap();
        source.mentions.iter().filter(|m| !m.in_test && is_impure(m)).map(|m| m.path.join("::")).collect()
    }

    #[test]
    fn a_pure_crate_may_hold_addresses_and_durations() {
        assert_eq!(impure("use std::net::{IpAddr, SocketAddr}; use std::time::Duration;"), [""; 0]);
        assert_eq!(impure("use std::{fmt, iter::once}; fn f(x: std::ops::Range<u8>) {}"), [""; 0]);
    }

    #[test]
    fn sockets_clocks_files_threads_and_prints_are_found_however_they_are_written() {
        assert_eq!(impure("use std::net::{SocketAddr, TcpStream};"), ["std::net::TcpStream"]);
        assert_eq!(impure("use std::{time::{Duration, Instant}};"), ["std::time::Instant"]);
        assert_eq!(
            impure("fn f() { let t = std::time::SystemTime::now(); }"),
            ["std::time::SystemTime::now"]
        );
        assert_eq!(impure("use std::time; fn f() { time::Instant::now(); }"), ["std::time"]);
        assert_eq!(impure("use std::fs; use std::thread::spawn;"), ["std::fs", "std::thread::spawn"]);
        assert_eq!(impure("fn f() { println!(\"x\"); }"), ["println!"]);
    }

    #[test]
    fn tests_of_a_pure_crate_may_do_what_they_like() {
        assert_eq!(impure("#[cfg(test)] mod tests { use std::time::Instant; }"), [""; 0]);
    }

    #[test]
    fn a_head_is_the_first_thing_in_a_file() {
        assert!(has_head("//! What it owns.\n"));
        assert!(!has_head("use std::fs;\n//! late\n"));
    }
}
