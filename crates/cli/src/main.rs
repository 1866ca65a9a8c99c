//! The program `evenkeel`: reads the command line and hands over to one file a command below `commands`.

mod commands;
mod demo;
mod exit;
mod output;

use clap::Parser;
use commands::Command;
use exit::Exit;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  evenkeel demo
  evenkeel run --listen 0.0.0.0:8080 --to dns://my-backend-headless:8080
  evenkeel run --config evenkeel.yaml
  evenkeel check evenkeel.yaml
  evenkeel explain drain_deadline

Exit codes: 0 well, 1 findings or mistakes, 2 could not.";

/// The load balancer for connections that never close
#[derive(Parser)]
#[command(name = "evenkeel", version, after_help = EXAMPLES, max_term_width = 100, disable_help_subcommand = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let exit = CommandLine::parse().command.carry_out().unwrap_or_else(|error| {
        eprintln!("evenkeel: {error:#}");
        Exit::CouldNot
    });
    exit.into()
}
