//! The reference page of all settings, in Markdown.

use crate::document::{MAX_DOCUMENT_DEPTH, MAX_DOCUMENT_NODES};
use crate::mistake::MAX_MISTAKES;
use crate::settings::endpoint::{ENDPOINT, ENDPOINTS_FILE};
use crate::settings::process::ROOT;
use crate::settings::{Key, Presence, Shape, Table, Word};

/// The page, with a newline at its end.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = introduction();
    chapter(&mut page, "The top of the file", &ROOT, "");
    page.push_str(
        "\n## An endpoint\n\nIn `services[].endpoints.static` and in an endpoints file: `\"address:port\"`, which is an address \
         with each default, or a mapping of these keys.\n",
    );
    rows(&mut page, &ENDPOINT);
    page.push_str(
        "\n## Endpoints file\n\nWhat `endpoints: { file: PATH }` and `--to file://PATH` read, YAML or JSON, again whenever it \
         changes. A file that has a mistake leaves the endpoints as they were.\n",
    );
    rows(&mut page, &ENDPOINTS_FILE);
    page
}

fn introduction() -> String {
    format!(
        "# Configuration\n\n\
         <!-- Generated from the table of settings: cargo run -p evenkeel-config --example generate_docs -->\n\n\
         `evenkeel run --config FILE` reads one YAML document; JSON is YAML. `evenkeel check FILE` reports every mistake at \
         once, each with its line, what was given, what is allowed and the nearest name. A [schema](../schema/evenkeel.schema.json) \
         helps editors, an [example](../examples/evenkeel.yaml) shows every key.\n\n\
         - A **duration** is a whole number and a unit, `ms`, `s`, `m` or `h`: `50ms`, `5s`, `1m`, `2h`.\n\
         - A **size** is a whole number of bytes and a unit, `B`, `KiB`, `MiB` or `GiB`: `64KiB`, `1MiB`.\n\
         - A **share** is a number from 0 to 1 or percent: `0.5`, `50%`.\n\
         - An **address** is an IP address and a port; IPv6 stands in brackets and so in quotes: `\"[::]:8080\"`.\n\
         - A key without a value is a mistake; leave the key out for its default.\n\
         - Unknown keys are mistakes. Keys that a later version brings are refused as *not supported by this version*.\n\
         - YAML aliases work; tags and merge keys (`<<`) are refused. A document has at most 1 MiB, {MAX_DOCUMENT_NODES} values \
         (an alias counts with all that it names) and {MAX_DOCUMENT_DEPTH} levels. The first {MAX_MISTAKES} mistakes are shown.\n\
         - The order of keys and of static endpoints, comments and the way a value is written (`60s`, `1m`) mean nothing: a \
         reload that changes nothing else touches no connection.\n\n\
         `evenkeel run --listen ADDRESS --to TARGET` is a file with one listener and one service, both named `main`, and each \
         default; `--protocol` is the listener's. A target is `10.0.0.1:8080,10.0.0.2:8080` (`static`), `dns://name:port`, `srv://name` or `file://path`.\n",
    )
}

/// A heading, the keys of a table, and then the tables below it.
fn chapter(page: &mut String, heading: &str, table: &Table, path: &str) {
    page.push_str(&format!("\n## {heading}\n"));
    if let Some(choose) = &table.choose {
        let amount = if choose.is_needed { "Exactly one" } else { "At most one" };
        let names: Vec<String> = choose.keys.iter().map(|key| format!("`{key}`")).collect();
        page.push_str(&format!("\n{amount} of {} may be there.\n", names.join(", ")));
    }
    rows(page, table);
    if !table.later.is_empty() {
        let names: Vec<String> = table.later.iter().map(|key| format!("`{key}`")).collect();
        page.push_str(&format!("\nNot in this version: {}.\n", names.join(", ")));
    }
    for key in table.elsewhere {
        page.push_str(&format!("\nNot here: `{}`; {}.\n", key.word, key.what));
    }
    for key in table.keys {
        let below = format!("{path}{}", key.name);
        match &key.shape {
            Shape::Section(table) => chapter(page, &format!("`{below}`"), table, &format!("{below}.")),
            Shape::Sections { table, .. } => {
                chapter(page, &format!("`{below}[]`"), table, &format!("{below}[]."));
            }
            _ => {}
        }
    }
}

fn rows(page: &mut String, table: &Table) {
    page.push_str("\n| key | value | default | what and why |\n|---|---|---|---|\n");
    for key in table.keys {
        let cells = [format!("`{}`", key.name), value(key), default(key), what(key)];
        page.push_str(&format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")));
    }
}

fn value(key: &Key) -> String {
    match &key.shape {
        Shape::Choice { words, .. } => meanings(words),
        Shape::Words { words, .. } => format!("a list of<br>{}", meanings(words)),
        Shape::Section(_) => "a mapping, below".to_owned(),
        Shape::Sections { min, max, .. } => format!("a list of {min} to {max} mappings, below"),
        Shape::Text(rule) => format!("{}: {}", rule.kind, rule.allowed),
        Shape::Texts { rule, min, max } => {
            format!("a list of {min} to {max}, each a {}: {}", rule.kind, rule.allowed)
        }
        other => other.range(),
    }
}

fn meanings(words: &[Word]) -> String {
    let meanings = words.iter().map(|word| format!("`{}`: {}", word.word, word.what));
    meanings.collect::<Vec<_>>().join("<br>")
}

fn default(key: &Key) -> String {
    match key.presence {
        Presence::Required => "required".to_owned(),
        Presence::Default(default) => format!("`{default}`"),
        Presence::Absent(meaning) | Presence::Off(meaning) => meaning.to_owned(),
    }
}

fn what(key: &Key) -> String {
    match &key.shape {
        Shape::Choice { later, .. } if !later.is_empty() => {
            let names: Vec<String> = later.iter().map(|word| format!("`{word}`")).collect();
            format!("{} Not in this version: {}.", key.what, names.join(", "))
        }
        Shape::Words { refused, .. } if !refused.is_empty() => {
            let names: Vec<String> = refused.iter().map(|word| format!("`{}`", word.word)).collect();
            format!("{} Never allowed: {}.", key.what, names.join(", "))
        }
        _ => key.what.to_owned(),
    }
}
