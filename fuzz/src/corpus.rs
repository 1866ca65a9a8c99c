//! The seed inputs of the targets, and the inputs that were found to break one.
//!
//! Files only; knows nothing of what is in them.

use crate::targets::Target;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// The folder of the corpus.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The folder where findings are stored unless another one is given.
pub(crate) fn crashes_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("crashes")
}

/// A target's seed inputs with their files' names, in the order of the names; none if it has no folder.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn seeds(target: &Target) -> io::Result<Vec<(String, Vec<u8>)>> {
    let folder = folder().join(target.name);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut files =
        std::fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<io::Result<Vec<_>>>()?;
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok((name, std::fs::read(path)?))
        })
        .collect()
}

/// Stores a finding and says where.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn store(folder: &Path, target: &Target, input: &[u8]) -> io::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    std::fs::create_dir_all(folder)?;
    let path = folder.join(format!("{}-{:016x}", target.name, hasher.finish()));
    std::fs::write(&path, input)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::TARGETS;

    #[test]
    fn every_target_has_seeds_and_holds_on_all_of_them() {
        for target in TARGETS {
            let seeds = seeds(target).unwrap();
            assert!(!seeds.is_empty(), "{} has no seed", target.name);
            for (name, input) in seeds {
                assert_eq!((target.run)(&input), Ok(()), "{} on {name}", target.name);
            }
        }
    }

    #[test]
    fn every_folder_of_the_corpus_belongs_to_a_target() {
        for entry in std::fs::read_dir(folder()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(TARGETS.iter().any(|t| t.name == name), "{name}");
        }
    }
}
