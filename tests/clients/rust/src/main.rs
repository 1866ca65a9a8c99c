//! A gRPC echo server and client on tonic; the README beside says what both owe. Run by the interop suite.

mod channel;
mod codec;
mod codes;
mod kinds;
mod load;
mod server;
mod watched;
mod work;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use std::time::Duration;
use work::Work;

#[derive(Parser)]
#[command(about = "gRPC echo server and client on tonic")]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Serves until SIGTERM.
    Server {
        /// 0 is a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// What every answer bears; a server for each of several, by commas.
        #[arg(long, value_delimiter = ',', required = true)]
        name: Vec<String>,
        /// Delay of each answer.
        #[arg(long, default_value_t = 0)]
        delay_ms: u64,
    },
    /// Makes calls on one channel.
    Client(Work),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match CommandLine::parse().verb {
        Verb::Server { port, name, delay_ms } => {
            server::serve_all(port, &name, Duration::from_millis(delay_ms)).await
        }
        Verb::Client(work) => load::call(work).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}
