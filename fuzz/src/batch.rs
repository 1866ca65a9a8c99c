//! The child's side of a hunt: inputs one after the other until the time is over or one of them ends the process.
//!
//! Before each input its number is written to the progress file: whoever started the process finds there which input it
//! was.

use crate::input::Inputs;
use crate::targets::Target;
use anyhow::{Context, bail};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Runs inputs from `first` on, for `time`. Ends with an error at the first that does not hold.
pub(crate) fn run(
    target: &Target,
    inputs: &Inputs,
    first: u64,
    time: Duration,
    progress: &Path,
) -> anyhow::Result<()> {
    let progress = File::options().write(true).open(progress).context("the progress file")?;
    let until = Instant::now() + time;
    for number in first.. {
        progress.write_all_at(&number.to_le_bytes(), 0)?;
        if Instant::now() >= until {
            return Ok(());
        }
        if let Err(what) = (target.run)(&inputs.get(number)) {
            bail!("{what}");
        }
    }
    Ok(())
}
