//! Configuration files from the disk. The text's meaning is [`crate::parse`]'s.

use crate::document::MAX_DOCUMENT_BYTES;
use crate::mistake::{Mistakes, Report};
use crate::model::Config;
use crate::parse::{parse, parse_endpoints};
use evenkeel_core::endpoint::EndpointSpec;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads the configuration in a file.
///
/// # Errors
/// Every mistake; a file that cannot be read, is no UTF-8 or is longer than [`MAX_DOCUMENT_BYTES`] has one.
pub fn load(path: &Path) -> Result<Config, Mistakes> {
    let origin = path.display().to_string();
    parse(&text(path, &origin)?, &origin)
}

/// Reads the endpoints in a file, as [`parse_endpoints`].
///
/// # Errors
/// As [`load`].
pub fn load_endpoints(path: &Path) -> Result<Vec<EndpointSpec>, Mistakes> {
    let origin = path.display().to_string();
    parse_endpoints(&text(path, &origin)?, &origin)
}

fn text(path: &Path, origin: &str) -> Result<String, Mistakes> {
    let mistake = |what: String, allowed: &str| {
        let mut report = Report::new(origin);
        report.add_whole(what, allowed);
        report.finish::<String>(None)
    };
    match read(path) {
        Err(error) => mistake(format!("cannot be read: {error}"), "a file that may be read"),
        // One byte beyond the limit is enough to know.
        Ok(bytes) if bytes.len() > MAX_DOCUMENT_BYTES => {
            mistake("the file is too long".to_owned(), "at most 1 MiB")
        }
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(error) => {
                let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
                mistake(format!("line {line} is not UTF-8"), "text in UTF-8")
            }
        },
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_DOCUMENT_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    fn what(path: &Path) -> String {
        load(path).unwrap_err().list[0].what.clone()
    }

    #[test]
    fn a_file_means_what_its_text_means() {
        let text = crate::example_yaml();
        assert_eq!(load(file(text.as_bytes()).path()), parse(&text, ""));
        assert_eq!(load_endpoints(file(b"endpoints: []").path()), Ok(Vec::new()));
    }

    #[test]
    fn a_file_that_is_not_there_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let mistakes = load(&folder.path().join("none.yaml")).unwrap_err();
        assert!(mistakes.origin.ends_with("none.yaml"));
        assert!(mistakes.list[0].what.starts_with("cannot be read: No such file"), "{mistakes}");
        assert!(what(folder.path()).starts_with("cannot be read: "));
    }

    #[test]
    fn a_file_that_is_not_text_names_the_line() {
        assert_eq!(what(file(b"a: 1\nb: \xff\n").path()), "line 2 is not UTF-8");
    }

    #[test]
    fn a_file_ends_at_one_mebibyte() {
        let text = |bytes: usize| format!("# {}\n", "x".repeat(bytes - 3));
        assert_eq!(what(file(text(MAX_DOCUMENT_BYTES).as_bytes()).path()), "the document is empty");
        assert_eq!(what(file(text(MAX_DOCUMENT_BYTES + 1).as_bytes()).path()), "the file is too long");
    }
}
