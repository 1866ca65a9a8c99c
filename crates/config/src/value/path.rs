//! Paths of files. Whether a file is there is for whoever reads it.

use crate::mistake::Complaint;
use std::path::PathBuf;

/// Longest path of a file (Linux's PATH_MAX).
const MAX_PATH: usize = 4096;

/// The path of a file.
pub(crate) fn file(text: &str) -> Result<PathBuf, Complaint> {
    if text.is_empty() || text.len() > MAX_PATH || text.contains('\0') {
        return Err(Complaint::new("not a path"));
    }
    Ok(PathBuf::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_something_and_ends_at_4096_bytes() {
        assert!(file("tls.crt").is_ok() && file(&"a".repeat(4096)).is_ok());
        for text in ["", "a\0b", &"a".repeat(4097)] {
            assert!(file(text).is_err(), "{text:?}");
        }
    }
}
