//! The commands, one file each.

mod check;
mod demo;
mod explain;
mod run;

use crate::exit::Exit;
use clap::Subcommand;

/// What is to be done.
#[derive(Subcommand)]
pub(crate) enum Command {
    Run(run::Arguments),
    Check(check::Arguments),
    Demo(demo::Arguments),
    Explain(explain::Arguments),
}

impl Command {
    /// Does it.
    pub(crate) fn carry_out(self) -> anyhow::Result<Exit> {
        match self {
            Self::Run(arguments) => run::run(&arguments),
            Self::Check(arguments) => check::check(&arguments),
            Self::Demo(arguments) => demo::demo(&arguments),
            Self::Explain(arguments) => explain::explain(&arguments),
        }
    }
}
