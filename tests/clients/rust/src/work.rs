//! What the command line asks of the client. Read by `main`, used by the load.

use clap::Args;
use std::time::Duration;

/// What the command line asks of the client.
#[derive(Args)]
pub(crate) struct Work {
    /// HOST:PORT.
    #[arg(long)]
    pub(crate) target: String,
    /// Calls to make.
    #[arg(long, default_value_t = 0)]
    pub(crate) calls: u64,
    /// Time to call for, instead of `--calls`.
    #[arg(long)]
    pub(crate) seconds: Option<f64>,
    /// Calls in flight.
    #[arg(long, default_value_t = 1)]
    pub(crate) concurrency: usize,
    /// Delay that the server is asked for.
    #[arg(long, default_value_t = 0)]
    pub(crate) delay_ms: u64,
    /// Deadline of each call.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) deadline_ms: u64,
    /// Also each kind of call once.
    #[arg(long)]
    pub(crate) kinds: bool,
}

impl Work {
    /// Of each call.
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}
