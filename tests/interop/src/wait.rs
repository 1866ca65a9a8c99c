//! Waiting for a real process: for a condition, with a deadline.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// How long anything may take that is not a load.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// Asks until there is an answer.
///
/// # Errors
/// What `ask` fails with, and at the deadline `what` did not happen.
pub fn until<T>(what: &str, deadline: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if start.elapsed() > deadline {
            bail!("not within {deadline:?}: {what}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
