//! The committed pages are those that follow from the table of settings.

use evenkeel_config::{example_yaml, json_schema, parse, reference_markdown};
use std::fs;
use std::path::Path;

#[test]
fn the_committed_pages_follow_from_the_table() {
    for (path, text) in [
        ("reference/configuration.md", reference_markdown()),
        ("schema/evenkeel.schema.json", json_schema()),
        ("examples/evenkeel.yaml", example_yaml()),
    ] {
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(path);
        let committed = fs::read_to_string(committed).unwrap_or_default();
        assert!(
            committed == text,
            "docs/{path} is old; write it anew: cargo run -p evenkeel-config --example generate_docs"
        );
    }
}

#[test]
fn the_example_is_valid_and_means_the_defaults() {
    let example = parse(&example_yaml(), "example").unwrap();
    let short = "listeners: [{ name: web, bind: 0.0.0.0:8080, service: backend }]\n\
                 services: [{ name: backend, endpoints: { dns: my-backend-headless.default.svc.cluster.local:8080 } }]";
    assert_eq!(example, parse(short, "short").unwrap());
}

#[test]
fn every_comment_of_the_example_that_holds_a_key_is_valid_too() {
    // One at a time; exclusive keys take the place of the one that is written.
    let example = example_yaml();
    let lines: Vec<&str> = example.lines().collect();
    let mut tested = 0;
    for (index, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some(key) = line.trim_start().strip_prefix("# ") else { continue };
        let is_head = key.split_once(':').is_some_and(|(name, value)| {
            name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                && (value.is_empty() || value.starts_with(' '))
        });
        if !is_head || index < 4 {
            continue;
        }
        let prefix = format!("{}#   ", " ".repeat(indent));
        let end = (index + 1..lines.len()).find(|at| !lines[*at].starts_with(&prefix)).unwrap_or(lines.len());
        let mut text = String::new();
        for (at, line) in lines.iter().enumerate() {
            let replaced = match key.split_once(':').map(|(name, _)| name) {
                Some("static" | "srv" | "file") => "dns: ",
                Some("routes") => "service: backend",
                _ => "\u{0}",
            };
            if (index..end).contains(&at) {
                text.push_str(&line.replacen("# ", "", 1));
            } else if !line.trim_start().starts_with(replaced) {
                text.push_str(line);
            }
            text.push('\n');
        }
        parse(&text, key).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"));
        tested += 1;
    }
    assert!(tested >= 8, "only {tested} comments");
}
