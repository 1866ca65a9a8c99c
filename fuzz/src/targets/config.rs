//! Configurations and endpoints files: whatever is written is answered, twice the same, and mistakes can be shown on a
//! terminal.

use crate::grammar;
use crate::tape::Tape;
use evenkeel_config::{Mistakes, Target, parse, parse_endpoints};

pub(super) fn make(tape: &mut Tape<'_>) -> Vec<u8> {
    if tape.is_one_in(2) { grammar::yaml::example(tape) } else { grammar::yaml::text(tape) }
}

pub(super) fn make_endpoints(tape: &mut Tape<'_>) -> Vec<u8> {
    let mut out = b"endpoints:\n".to_vec();
    out.extend_from_slice(&grammar::yaml::text(tape));
    out
}

pub(super) fn run(input: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(input);
    let answer = parse(&text, "file");
    if answer != parse(&text, "file") {
        return Err("two answers to one text".to_owned());
    }
    check(answer.err())?;
    let line = text.lines().next().unwrap_or_default();
    check(Target::parse(line).err())
}

pub(super) fn run_endpoints(input: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(input);
    let answer = parse_endpoints(&text, "file");
    if answer != parse_endpoints(&text, "file") {
        return Err("two answers to one text".to_owned());
    }
    check(answer.err())
}

fn check(mistakes: Option<Mistakes>) -> Result<(), String> {
    let Some(mistakes) = mistakes else { return Ok(()) };
    if mistakes.list.is_empty() {
        return Err("refused without a mistake".to_owned());
    }
    match mistakes.to_string().chars().find(|c| c.is_control() && *c != '\n') {
        Some(sign) => Err(format!("a mistake shows the control character {sign:?}")),
        None => Ok(()),
    }
}
