//! An example file that shows every key: those with a default have it, the others are comments.

use crate::settings::process::ROOT;
use crate::settings::{Key, Presence, Shape, Table, Word};

/// Comments are wrapped before this column.
const WIDTH: usize = 110;

/// The file, with a newline at its end. It is a valid configuration.
#[must_use]
pub fn example_yaml() -> String {
    let mut lines = vec![
        "# Every setting of Evenkeel with its default. Keys in comments have no default; only `listeners` and".to_owned(),
        "# `services` are needed. Generated: cargo run -p evenkeel-config --example generate_docs".to_owned(),
        String::new(),
        "# yaml-language-server: $schema=../schema/evenkeel.schema.json".to_owned(),
    ];
    for key in ROOT.keys {
        lines.push(String::new());
        lines.extend(documented(key, is_live(key, &ROOT)));
    }
    lines.join("\n") + "\n"
}

/// Whether the key is written, not only shown in a comment.
fn is_live(key: &Key, table: &Table) -> bool {
    if let Some(choose) = &table.choose
        && choose.keys.contains(&key.name)
    {
        return choose.is_needed && choose.keys.first() == Some(&key.name);
    }
    match (&key.shape, key.presence) {
        (Shape::Section(below), Presence::Absent(_)) => below.keys.iter().any(|key| is_live(key, below)),
        (_, Presence::Absent(_) | Presence::Off(_)) => false,
        _ => true,
    }
}

/// A key with its explanation above.
fn documented(key: &Key, is_live: bool) -> Vec<String> {
    let mut lines = wrapped(&explanation(key));
    match (&key.shape, is_live) {
        (_, false) => lines.extend(bare(key).into_iter().map(|line| format!("# {line}"))),
        (Shape::Section(table), true) => {
            lines.push(format!("{}:", key.name));
            lines.extend(indented(below(table), 2));
        }
        (Shape::Sections { table, .. }, true) => {
            lines.push(format!("{}:", key.name));
            lines.extend(indented(as_item(below(table)), 2));
        }
        _ => lines.push(leaf(key)),
    }
    lines
}

fn below(table: &Table) -> Vec<String> {
    table.keys.iter().flat_map(|key| documented(key, is_live(key, table))).collect()
}

/// A key as it could be written, without explanations: the first of exclusive keys stands for them all.
fn bare(key: &Key) -> Vec<String> {
    let below = |table: &Table| -> Vec<String> {
        let is_first = |key: &&Key| {
            table.choose.as_ref().is_none_or(|choose| {
                !choose.keys.contains(&key.name) || choose.keys.first() == Some(&key.name)
            })
        };
        // What goes with some values of other keys only has no example.
        let is_shown = |key: &&Key| !matches!(key.shape, Shape::Text(_)) || key.example.is_some();
        table.keys.iter().filter(is_first).filter(is_shown).flat_map(bare).collect()
    };
    let head = format!("{}:", key.name);
    match &key.shape {
        Shape::Section(table) => [vec![head], indented(below(table), 2)].concat(),
        Shape::Sections { table, .. } => [vec![head], indented(as_item(below(table)), 2)].concat(),
        _ => vec![leaf(key)],
    }
}

fn leaf(key: &Key) -> String {
    let value = match key.presence {
        Presence::Default(default) => default,
        Presence::Required | Presence::Absent(_) | Presence::Off(_) => {
            key.example.or(first_word(key)).unwrap_or("30s")
        }
    };
    format!("{}: {value}", key.name)
}

fn first_word(key: &Key) -> Option<&'static str> {
    match &key.shape {
        Shape::Choice { words, .. } => words.first().map(|word| word.word),
        _ => None,
    }
}

/// Lines as an item of a list: the dash stands before the first key.
fn as_item(lines: Vec<String>) -> Vec<String> {
    let mut is_begun = false;
    let mark = |line: String| {
        let is_first = !is_begun && !line.starts_with('#');
        is_begun |= is_first;
        if is_first { format!("- {line}") } else { format!("  {line}") }
    };
    lines.into_iter().map(mark).collect()
}

fn indented(lines: Vec<String>, by: usize) -> Vec<String> {
    lines.into_iter().map(|line| format!("{:by$}{line}", "")).collect()
}

fn explanation(key: &Key) -> String {
    let values = match &key.shape {
        Shape::Section(_) | Shape::Sections { .. } => String::new(),
        Shape::Choice { words, .. } => format!(" One of {}.", meanings(words)),
        Shape::Words { words, .. } => format!(" Here stands a list of {}.", meanings(words)),
        other => format!(" Here stands {}.", other.range()),
    };
    let default = match (&key.shape, key.presence) {
        (Shape::Section(_), _) | (_, Presence::Required | Presence::Default(_)) => String::new(),
        (_, Presence::Absent(meaning) | Presence::Off(meaning)) => format!(" Without it: {meaning}."),
    };
    format!("{}{values}{default}", key.what)
}

fn meanings(words: &[Word]) -> String {
    let meanings = words.iter().map(|word| format!("{} ({})", word.word, word.what));
    meanings.collect::<Vec<_>>().join(", ")
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec!["#".to_owned()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < WIDTH - 10 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("# {word}")),
        }
    }
    lines
}
