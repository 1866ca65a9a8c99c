//! Whatever is written, the parser answers: mutated examples, and texts made of YAML's own signs.

use evenkeel_config::{Target, example_yaml, parse, parse_endpoints};
use proptest::prelude::*;

const SIGNS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    ",",
    "- ",
    "\n",
    "\n  ",
    "\t",
    "&a ",
    "*a",
    "!t ",
    "<<",
    "\"",
    "'",
    "#",
    "|",
    ">",
    "?",
    "---\n",
    "~",
    "%",
    "name",
    "listeners",
    "services",
    "endpoints",
    "static",
    "timeouts",
    "routes",
    "match",
    "10.0.0.1:80",
    "-1",
    "5s",
    "50%",
    "none",
    "off",
    "18446744073709551616",
    "9999999999h",
    "é",
    "\u{0}",
    "\u{202e}",
];

fn answer(text: &str) {
    for mistakes in [parse(text, "f").err(), parse_endpoints(text, "f").err()].into_iter().flatten() {
        assert!(!mistakes.list.is_empty());
        assert!(!mistakes.to_string().chars().any(|c| c.is_control() && c != '\n'));
    }
}

fn at_char(text: &str, share: f64) -> usize {
    let index = (text.len() as f64 * share) as usize;
    (index..=text.len()).find(|index| text.is_char_boundary(*index)).unwrap_or(text.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_example_is_answered(
        edits in prop::collection::vec((0.0..1.0f64, 0.0..0.01f64, prop::sample::select(SIGNS)), 1..6)
    ) {
        let mut text = example_yaml();
        for (start, length, sign) in edits {
            let (from, to) = (at_char(&text, start), at_char(&text, (start + length).min(1.0)));
            text.replace_range(from..to.max(from), sign);
        }
        answer(&text);
    }

    #[test]
    fn a_text_of_yaml_signs_is_answered(signs in prop::collection::vec(prop::sample::select(SIGNS), 0..60)) {
        answer(&signs.concat());
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}|[\\x00-\\x7f]{0,200}") {
        answer(&text);
        let _ = Target::parse(&text);
    }

    #[test]
    fn a_target_of_parts_is_answered(
        parts in prop::collection::vec(prop::sample::select(&["dns", "srv", "://", ":", ",", "[", "]", "::1", "10.0.0.1", "80", ".", "k8s", " "][..]), 0..12)
    ) {
        let _ = Target::parse(&parts.concat());
    }
}
