//! The machine itself: faults that were put in on purpose are found, made smaller, stored, and break again.

use std::path::Path;
use std::process::{Command, Output};

fn fuzz(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fuzz")).args(words).output().unwrap()
}

#[test]
fn a_planted_fault_is_found_stored_small_and_breaks_again() {
    let folder = std::env::temp_dir().join(format!("evenkeel-planted-{}", std::process::id()));
    let crashes = folder.to_str().unwrap();
    let mut kinds = [false; 2];
    for seed in 0..20 {
        let found = fuzz(&["planted", "--seconds", "60", "--seed", &seed.to_string(), "--crashes", crashes]);
        let text = String::from_utf8_lossy(&found.stdout).into_owned();
        // A hang takes long to be told from slowness; which of the three comes first is up to the seed.
        assert_eq!(found.status.code(), Some(1), "{text}");
        assert!(text.contains("1 findings"), "{text}");
        kinds[0] |= text.contains("the planted error");
        kinds[1] |= text.contains("out of bounds");
        if kinds == [true; 2] {
            break;
        }
    }
    assert_eq!(kinds, [true; 2], "the error and the panic");
    for entry in std::fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().path();
        let input = std::fs::read(&file).unwrap();
        if input.windows(2).any(|w| w == b"\x89\xab") {
            continue;
        }
        assert_eq!(input.len(), 2, "{input:02x?} is as small as it gets");
        let again = fuzz(&["planted", "--replay", file.to_str().unwrap()]);
        assert!(!again.status.success());
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_input_that_holds_is_said_to_and_nonsense_is_refused() {
    let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/huffman/text");
    assert!(fuzz(&["huffman", "--replay", seed.to_str().unwrap()]).status.success());
    assert_eq!(fuzz(&["nonsense"]).status.code(), Some(2));
    assert_eq!(fuzz(&["huffman"]).status.code(), Some(2), "without --seconds");
}
