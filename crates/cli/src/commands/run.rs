//! `evenkeel run`: balances until a signal ends it.

use crate::exit::Exit;
use evenkeel_config::{Config, Flag, Mistakes, Target};
use evenkeel_server::control::{self, ConfigFile, ConfigSource, ExitReport, StartError};
use std::net::SocketAddr;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Targets:
  10.0.0.1:8080,10.0.0.2:8080   these endpoints
  dns://NAME:PORT               every A and AAAA record of the name, refreshed
  srv://NAME                    every target of the name's SRV records, refreshed
  file://PATH                   a YAML or JSON list of endpoints, read again when it changes

Examples:
  evenkeel run --listen 0.0.0.0:8080 --to dns://my-backend-headless:8080
  evenkeel run --listen 127.0.0.1:8080 --to 10.0.0.1:50051,10.0.0.2:50051 --workers 2
  evenkeel run --listen 0.0.0.0:2222 --to srv://_ssh._tcp.bastions --protocol tcp
  evenkeel run --config evenkeel.yaml --log json

SIGTERM and SIGINT drain: readiness goes off, sessions are asked to leave, what is left at the
deadline is cut. A second one cuts at once. SIGHUP reads the configuration again, which also
happens when its file changes.";

/// Balance: by a configuration file, or from one address to one target
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The configuration, watched for changes
    #[arg(long, value_name = "FILE", conflicts_with_all = ["listen", "to"])]
    config: Option<PathBuf>,

    /// The address to accept on
    #[arg(long, value_name = "ADDRESS", requires = "to")]
    listen: Option<SocketAddr>,

    /// Where requests go
    #[arg(long, value_name = "TARGET", requires = "listen")]
    to: Option<String>,

    /// What clients speak: `http`, `tcp` (anything, as bytes both ways) or `auto` (what the first bytes say) [default: http]
    #[arg(long, value_name = "PROTOCOL", requires = "listen", conflicts_with = "config")]
    protocol: Option<String>,

    /// Data plane threads [default: one a core]
    #[arg(long, value_name = "N")]
    workers: Option<String>,

    /// The address of the admin API, on loopback, or `off` [default: 127.0.0.1:9901]
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<String>,

    /// How the log is written: `text` or `json` [default: text on a terminal, json else]
    #[arg(long, value_name = "FORMAT")]
    log: Option<String>,
}

impl Arguments {
    /// The flags that stand for keys of the file, as they were written.
    fn overrides(&self) -> Vec<(Flag, String, &'static str)> {
        [
            (Flag::Protocol, &self.protocol, "--protocol"),
            (Flag::Workers, &self.workers, "--workers"),
            (Flag::AdminBind, &self.admin, "--admin"),
            (Flag::LogFormat, &self.log, "--log"),
        ]
        .into_iter()
        .filter_map(|(flag, value, origin)| Some((flag, value.clone()?, origin)))
        .collect()
    }
}

/// Balances until a signal ends it.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let read = match (&arguments.config, arguments.listen, &arguments.to) {
        (Some(path), _, _) => {
            let overrides = arguments.overrides();
            ConfigFile::open(path, Box::new(move |config| set_each(config, &overrides)))
                .map(|(config, file)| (config, ConfigSource::File(file)))
                .map_err(|mistakes| vec![mistakes])
        }
        (None, Some(listen), Some(to)) => {
            from_flags(listen, to, &arguments.overrides()).map(|config| (config, ConfigSource::Fixed))
        }
        (None, _, _) => anyhow::bail!(
            "give either --config FILE, or --listen ADDRESS and --to TARGET (see `evenkeel run --help`)"
        ),
    };
    match read {
        Err(mistakes) => {
            let texts: Vec<String> = mistakes.iter().map(Mistakes::to_string).collect();
            eprintln!("{}", texts.join("\n\n"));
            Ok(Exit::Findings)
        }
        Ok((config, source)) => {
            Ok(match control::run(config, source).map_err(|error| in_one_line(&error))? {
                ExitReport::Drained(_) => Exit::Well,
                ExitReport::GivenUp => Exit::CouldNot,
            })
        }
    }
}

/// The error's own words, which name their cause already: a chain would say it twice.
fn in_one_line(error: &StartError) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}

/// The configuration of `--listen` and `--to`, or what is wrong with each flag.
fn from_flags(
    listen: SocketAddr,
    to: &str,
    overrides: &[(Flag, String, &'static str)],
) -> Result<Config, Vec<Mistakes>> {
    let target = Target::parse(to);
    // Where the target is wrong, the other flags are still worth a look: any target does for that.
    let stand_in = || Target::parse("127.0.0.1:1").expect("an address is a target");
    let (target, mut mistakes) = match target {
        Ok(target) => (target, Vec::new()),
        Err(error) => (stand_in(), vec![error]),
    };
    let mut config = Config::from_target(listen, target);
    for (flag, text, origin) in overrides {
        mistakes.extend(config.set(*flag, text, origin).err());
    }
    if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
}

fn set_each(config: &mut Config, overrides: &[(Flag, String, &'static str)]) -> Result<(), Mistakes> {
    overrides.iter().try_for_each(|(flag, text, origin)| config.set(*flag, text, origin))
}
