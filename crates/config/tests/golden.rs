//! The words of mistakes, pinned: each file of `golden/` beside the text that it is answered with.
//!
//! `EVENKEEL_BLESS=1 cargo test -p evenkeel-config --test golden` writes the answers anew; look at the difference.

#![allow(clippy::unwrap_used, reason = "a test may end by it")]

use evenkeel_config::{Mistakes, Target, parse, parse_endpoints};
use std::fs;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn compare(answer: &Path, now: &str) {
    if std::env::var_os("EVENKEEL_BLESS").is_some() {
        fs::write(answer, now).unwrap();
    }
    let pinned = fs::read_to_string(answer).unwrap_or_default();
    assert_eq!(pinned, now, "{} differs", answer.display());
}

fn every_file(name: &str, read: impl Fn(&str, &str) -> Mistakes) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder(name)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            continue;
        }
        let file = path.file_name().unwrap().to_str().unwrap();
        let mistakes = read(&fs::read_to_string(&path).unwrap(), file);
        compare(&path.with_extension("txt"), &format!("{mistakes}\n"));
        count += 1;
    }
    count
}

#[test]
fn every_wrong_configuration_is_answered_with_its_pinned_text() {
    let count = every_file("golden", |text, file| parse(text, file).expect_err(file));
    assert!(count >= 16, "only {count} files");
}

#[test]
fn every_wrong_endpoints_file_is_answered_with_its_pinned_text() {
    let count = every_file("golden_endpoints", |text, file| parse_endpoints(text, file).expect_err(file));
    assert!(count >= 3, "only {count} files");
}

#[test]
fn every_wrong_target_is_answered_with_its_pinned_text() {
    let targets = [
        "",
        "10.0.0.1",
        "10.0.0.1:80,",
        "10.0.0.1:80,10.0.0.1:80",
        "localhost:50051",
        "dns://backend",
        "dns://10.0.0.1:80",
        "srv://a..b",
        "file://",
        "dsn://backend:80",
        "http://backend:80",
        "k8s://default/backend:http",
    ];
    let answers: Vec<String> =
        targets.iter().map(|text| Target::parse(text).expect_err(text).to_string()).collect();
    compare(&folder("golden").join("targets.txt"), &(answers.join("\n\n") + "\n"));
}
