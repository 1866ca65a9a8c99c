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
