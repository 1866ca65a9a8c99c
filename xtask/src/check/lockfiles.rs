//! Manifests and lock files name packages, never where they are downloaded from: that is the machine's business.

use super::{Finding, files};
use crate::machine::tree;
use anyhow::{Context, Result};

/// The one source that a `Cargo.lock` may name.
const CRATES_IO: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

pub(super) fn check() -> Result<Finding> {
    let mut faults = Vec::new();
    for path in files()? {
        let name = path.rsplit('/').next().unwrap_or(&path);
        if judge(name, "").is_none() {
            continue;
        }
        let text = std::fs::read_to_string(tree().join(&path)).with_context(|| path.clone())?;
        for (line, written) in text.lines().enumerate() {
            if judge(name, written.trim()) == Some(false) {
                faults.push(format!("{path}:{}: says where a package is downloaded from", line + 1));
            }
        }
    }
    Ok(Finding::from_faults(faults))
}

/// Whether a line of a file of this name is well; none where the file holds no dependencies.
fn judge(name: &str, line: &str) -> Option<bool> {
    let address = line.contains("http:") || line.contains("https:");
    match name {
        "Cargo.lock" => Some(!line.starts_with("source = ") || line == CRATES_IO),
        "package-lock.json" => Some(!line.starts_with("\"resolved\"")),
        ".npmrc" => Some(!line.contains("registry=") || line.starts_with("omit-lockfile-registry-resolved=")),
        "requirements.txt" => Some(!address && !line.starts_with("--") && !line.starts_with("-i")),
        "pom.xml" => Some(!line.contains("epositories>") && !line.contains("epository>")),
        "go.mod" => Some(!line.starts_with("replace")),
        "go.sum" => Some(!address),
        "config.toml" => Some(!line.starts_with("[source") && !line.starts_with("[registr")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_of_cargo_may_name_the_usual_source_only() {
        assert_eq!(judge("Cargo.lock", CRATES_IO), Some(true));
        assert_eq!(judge("Cargo.lock", "name = \"tokio\""), Some(true));
        assert_eq!(judge("Cargo.lock", "source = \"git+https://example.test/x\""), Some(false));
    }

    #[test]
    fn download_addresses_of_the_other_languages_are_found() {
        assert_eq!(judge("package-lock.json", "\"resolved\": \"https://example.test/a.tgz\","), Some(false));
        assert_eq!(judge("package-lock.json", "\"url\": \"https://example.test/fund\""), Some(true));
        assert_eq!(judge(".npmrc", "registry=https://example.test"), Some(false));
        assert_eq!(judge(".npmrc", "omit-lockfile-registry-resolved=true"), Some(true));
        assert_eq!(judge("requirements.txt", "--index-url https://example.test"), Some(false));
        assert_eq!(judge("requirements.txt", "grpcio==1.0"), Some(true));
        assert_eq!(judge("pom.xml", "<repositories>"), Some(false));
        assert_eq!(judge("go.mod", "replace a => b"), Some(false));
        assert_eq!(judge("README.md", "anything"), None);
    }
}
