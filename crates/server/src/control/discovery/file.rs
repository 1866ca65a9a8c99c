//! Endpoints from a file: read again when it changes; a broken or missing file keeps the last good list.

use super::failure::{DiscoveryFailure, FailureReason};
use super::report::{Outcome, Reporter};
use crate::control::watch::{POLL_INTERVAL, Sight, WatchedFile};
use std::path::PathBuf;

/// Reports what the file says, for as long as the task lives.
pub(super) async fn follow(path: PathBuf, reporter: Reporter) {
    let mut file = WatchedFile::new(path);
    let mut is_good = false;
    loop {
        match file.look().await {
            Sight::New(content) => {
                let outcome = read(&file.path().display().to_string(), &content);
                is_good = matches!(outcome, Outcome::Endpoints(_));
                reporter.report(outcome).await;
            }
            // A broken file that stays as it is was told of when it was read.
            Sight::Same if is_good => reporter.report(Outcome::StillGood).await,
            Sight::Same | Sight::StillUnreadable => {}
            Sight::Unreadable(error) => {
                let failure = DiscoveryFailure::new(
                    FailureReason::FileUnreadable,
                    format!("{}: {error}", file.path().display()),
                );
                reporter.report(Outcome::Failed(failure)).await;
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn read(origin: &str, content: &[u8]) -> Outcome {
    let mistake =
        |detail: String| Outcome::Failed(DiscoveryFailure::new(FailureReason::FileMistakes, detail));
    let Ok(text) = str::from_utf8(content) else { return mistake(format!("{origin}: not UTF-8")) };
    match evenkeel_config::parse_endpoints(text, origin) {
        Ok(endpoints) => Outcome::Endpoints(endpoints),
        Err(mistakes) => mistake(mistakes.to_string()),
    }
}
