//! `evenkeel demo`: what it does for a connection that never closes, with nothing to set up.

use crate::demo::{Show, demo as play};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  evenkeel demo                  live bars for half a minute; `q` ends it
  evenkeel demo --once           the same in 10 seconds, as text
  evenkeel demo --once --json    its figures alone

Backends, clients and Evenkeel run in this process, on free ports of loopback; nothing is written
anywhere. The scenes pinned, scale-up and scale-in are of gRPC; http, websocket, sse and tcp each
have a scale-up within. `before` is what reaches each endpoint when it is chosen once a connection,
by chance, as kube-proxy does it; `after` is the same through Evenkeel. Progress goes to standard
error.

Exit codes: 0 level and without an error, 1 not so, 2 it could not run.";

/// See what Evenkeel does: no configuration, no backends needed
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Play once and quickly, without live bars
    #[arg(long)]
    once: bool,

    /// Print the figures as JSON
    #[arg(long, requires = "once")]
    json: bool,
}

/// Plays the demo.
pub(crate) fn demo(arguments: &Arguments) -> anyhow::Result<Exit> {
    play(match (arguments.once, arguments.json) {
        (_, true) => Show::Figures,
        (true, false) => Show::Once,
        (false, false) => Show::Live,
    })
}
