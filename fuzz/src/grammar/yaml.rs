//! Configurations and endpoints files: pieces of right ones, in orders and depths that are mostly wrong.
//!
//! Used by the targets `config` and `endpoints_file`.

use crate::tape::Tape;

/// Pieces of lines.
const PIECES: &[&str] = &[
    "listeners:",
    "services:",
    "admin:",
    "drain:",
    "logging:",
    "endpoints:",
    "  - name: web",
    "    bind: 0.0.0.0:8080",
    "    routes:",
    "      - match: { path_prefix: /a }",
    "        service: backend",
    "    service: backend",
    "  - name: backend",
    "    endpoints: { static: [10.0.0.1:80, \"[::1]:81\"] }",
    "    endpoints: { dns: backend.svc:80 }",
    "    endpoints: { file: endpoints.yaml }",
    "    balance: { policy: peak_ewma, slow_start: 10s }",
    "    timeouts: { connect: 5s, idle: none }",
    "    ejection: { max_share: 50% }",
    "  - address: 10.0.0.1:80",
    "    weight: 3",
    "    state: terminating",
    "    zone: a",
    "    ordinal: 1",
    "  - { address: \"[::1]:80\", state: not_ready }",
    "{",
    "}",
    "[",
    "]",
    ",",
    "- ",
    ": ",
    "\t",
    "&a ",
    "*a",
    "!!str ",
    "<<: *a",
    "|",
    ">",
    "---",
    "...",
    "# remark",
    "18446744073709551616",
    "9999999999h",
    "-1",
    "~",
    "\u{202e}",
    "\u{0}",
];

/// A text of pieces.
pub(crate) fn text(tape: &mut Tape<'_>) -> Vec<u8> {
    let mut out = String::new();
    while !tape.is_over() && out.len() < 8_000 {
        out.push_str(PIECES[tape.below(PIECES.len())]);
        if !tape.is_one_in(4) {
            out.push('\n');
        }
        for _ in 0..tape.pick(&[0, 0, 0, 2, 4]) {
            out.push(' ');
        }
    }
    out.into_bytes()
}

/// The example of all settings with some of its lines left out, doubled or replaced by pieces.
pub(crate) fn example(tape: &mut Tape<'_>) -> Vec<u8> {
    let mut out = String::new();
    for line in evenkeel_config::example_yaml().lines() {
        match tape.below(24) {
            1 => {}
            2 => out.push_str(&format!("{line}\n{line}\n")),
            3 => out.push_str(&format!("{}\n", PIECES[tape.below(PIECES.len())])),
            4 => out.push_str(&format!("{line}{}\n", PIECES[tape.below(PIECES.len())])),
            _ => out.push_str(&format!("{line}\n")),
        }
    }
    out.into_bytes()
}
