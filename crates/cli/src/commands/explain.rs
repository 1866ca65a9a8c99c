//! `evenkeel explain`: what the code of a reason means.

use crate::exit::Exit;
use crate::output::print;
use evenkeel_core::reason::{
    CloseReason, EjectReason, ExchangeOutcome, Limit, NoPickReason, PickReason, RetryReason,
};
use evenkeel_server::control::discovery::FailureReason;

const EXAMPLES: &str = "\
Examples:
  evenkeel explain drain_deadline
  evenkeel explain              every code

Codes stand in the field `reason` of the log, in labels of the metrics and in the admin API.";

/// Explain the code of a reason, or list every code
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The code, as a log line or a metric shows it
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

/// What a code says about what.
struct Meaning {
    about: &'static str,
    code: &'static str,
    why: &'static str,
}

/// Every code of every closed enum of reasons. One code may stand in several, with another meaning in each.
fn meanings() -> Vec<Meaning> {
    macro_rules! all {
        ($($about:literal: $reasons:ident,)*) => {
            [$($reasons::ALL.iter().map(|r| Meaning { about: $about, code: r.code(), why: r.why() }).collect::<Vec<_>>()),*]
        };
    }
    all! {
        "a connection was closed": CloseReason,
        "an exchange ended": ExchangeOutcome,
        "an endpoint was picked": PickReason,
        "no endpoint was picked": NoPickReason,
        "an exchange was sent to another endpoint": RetryReason,
        "an endpoint was ejected": EjectReason,
        "a limit refused something": Limit,
        "discovery has no new answer": FailureReason,
    }
    .into_iter()
    .flatten()
    .collect()
}

/// Prints what a code means; every code without one.
pub(crate) fn explain(arguments: &Arguments) -> anyhow::Result<Exit> {
    let meanings = meanings();
    let Some(code) = &arguments.code else {
        print(&catalogue(&meanings))?;
        return Ok(Exit::Well);
    };
    let mut found = meanings.iter().filter(|m| m.code == code).peekable();
    if found.peek().is_none() {
        eprintln!("evenkeel: no reason has the code `{}`", code.escape_debug());
        if let Some(nearest) = nearest(code, &meanings) {
            eprintln!("    did you mean `{nearest}`?");
        }
        eprintln!("    `evenkeel explain` lists every code");
        return Ok(Exit::Findings);
    }
    let lines: String = found.map(|m| format!("  {}: {}\n", m.about, m.why)).collect();
    print(&format!("{code}\n{lines}"))?;
    Ok(Exit::Well)
}

fn catalogue(meanings: &[Meaning]) -> String {
    let width = meanings.iter().map(|m| m.code.len()).max().unwrap_or(0);
    let mut text = String::new();
    let mut about = "";
    for meaning in meanings {
        if meaning.about != about {
            let gap = if about.is_empty() { "" } else { "\n" };
            about = meaning.about;
            text += &format!("{gap}When {about}:\n");
        }
        text += &format!("  {:width$}  {}\n", meaning.code, meaning.why);
    }
    text
}

/// The code that was probably meant: at most a third of its letters differ.
fn nearest<'m>(given: &str, meanings: &'m [Meaning]) -> Option<&'m str> {
    let given: String =
        given.chars().take(64).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect();
    meanings
        .iter()
        .map(|m| (strsim::damerau_levenshtein(&given, m.code), m.code))
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, code)| distance <= code.len() / 3)
        .map(|(_, code)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_leads_to_the_code_that_was_meant() {
        let meanings = meanings();
        for (given, meant) in
            [("idle_timeot", "idle_timeout"), ("Idle-Timeout", "idle_timeout"), ("relaps", "relapse")]
        {
            assert_eq!(nearest(given, &meanings), Some(meant));
        }
        assert_eq!(nearest("colour", &meanings), None);
    }

    #[test]
    fn a_code_is_explained_once_for_each_thing_that_it_may_be_about() {
        let meanings = meanings();
        for (i, one) in meanings.iter().enumerate() {
            assert!(!one.why.is_empty());
            assert!(
                !meanings[..i].iter().any(|m| (m.about, m.code) == (one.about, one.code)),
                "{}",
                one.code
            );
        }
    }
}
