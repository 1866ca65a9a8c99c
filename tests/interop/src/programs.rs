//! Which programs are installed: read from the file that `EVENKEEL_INTEROP_PROGRAMS` names, a JSON object of name to command
//! words. `cargo xtask test --only interop` writes it.

use anyhow::{Context, Result};
use serde_json::Value;
use std::process::Command;

/// The languages that there is a program in.
pub const LANGUAGES: [&str; 5] = ["python", "node", "go", "java", "rust"];

/// A command that runs a program: one of [`LANGUAGES`], `grpc-go-server`, `grpc-go-client` or `evenkeel`.
///
/// # Errors
/// If it is not installed, or nothing says what is.
pub fn command(name: &str) -> Result<Command> {
    let words = words(name)?.with_context(|| format!("{name} is not installed"))?;
    let (program, first) = words.split_first().with_context(|| format!("{name} has no program"))?;
    let mut command = Command::new(program);
    command.args(first);
    Ok(command)
}

/// Whether a program is installed.
///
/// # Errors
/// If nothing says what is.
pub fn is_installed(name: &str) -> Result<bool> {
    words(name).map(|words| words.is_some())
}

/// The language for loads and servers of which it does not matter: the fastest that is installed.
///
/// # Errors
/// If nothing says what is installed.
pub fn fastest() -> Result<&'static str> {
    Ok(if is_installed("go")? { "go" } else { "rust" })
}

fn words(name: &str) -> Result<Option<Vec<String>>> {
    let file = std::env::var("EVENKEEL_INTEROP_PROGRAMS")
        .context("EVENKEEL_INTEROP_PROGRAMS names no file; run `cargo xtask test --only interop`")?;
    let text = std::fs::read_to_string(&file).with_context(|| file.clone())?;
    let programs: Value = serde_json::from_str(&text).with_context(|| file.clone())?;
    let Some(words) = programs[name].as_array() else { return Ok(None) };
    Ok(Some(words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()))
}
