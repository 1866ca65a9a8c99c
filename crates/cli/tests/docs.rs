//! The configurations that the documentation shows are whole and without a mistake, as `evenkeel check` sees them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;
use std::process::Command;

/// The YAML blocks of a page of the repository.
fn configurations(page: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(page);
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("```yaml\n").skip(1);
    blocks.map(|block| block.split_once("\n```").expect("a block has an end").0.to_owned()).collect()
}

#[track_caller]
fn all_are_well(page: &str, least: usize) {
    let configurations = configurations(page);
    assert!(configurations.len() >= least, "{page} has only {}", configurations.len());
    let directory = tempfile::tempdir().unwrap();
    for text in configurations {
        let file = directory.path().join("evenkeel.yaml");
        std::fs::write(&file, &text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_evenkeel")).arg("check").arg(&file).output().unwrap();
        let mistakes = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{page}:\n{text}\n{mistakes}");
    }
}

#[test]
fn the_configurations_of_the_protocols_are_well() {
    all_are_well("docs/protocols.md", 8);
}

#[test]
fn the_configuration_of_the_readme_is_well() {
    all_are_well("README.md", 1);
}
