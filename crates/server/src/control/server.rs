//! A running Evenkeel: the control thread and the handle on it.

use super::control_loop::{AdminAddresses, Beginning, Command, ControlLoop, ExitReport, StartError};
use super::discovery::DiscoverySettings;
use super::operator::{Applied, Refusal};
use super::reload::ConfigSource;
use super::state::State;
use super::telemetry::log::{LibraryLog, Log};
use evenkeel_config::model::Config;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc as blocking};
use std::thread::JoinHandle;
use tokio::sync::mpsc;

/// Commands that wait for the control loop.
const COMMANDS_QUEUED: usize = 16;

/// Where the log goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogTo {
    /// Standard error, by the configuration's `log`; what libraries say through `tracing` too.
    StandardError,
    /// Nowhere.
    #[default]
    Nowhere,
}

/// Who obeys the process's signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignalsTo {
    /// Evenkeel: SIGTERM and SIGINT drain, a second one cuts at once, SIGHUP reads the configuration again.
    Evenkeel,
    /// The program around it.
    #[default]
    Program,
}

/// How Evenkeel sits in its process. The default is for a server inside another program.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the log goes.
    pub log: LogTo,
    /// Who obeys the process's signals.
    pub signals: SignalsTo,
    /// How services' sources are asked.
    pub discovery: DiscoverySettings,
}

/// Why a configuration was not applied; the running one stays whole.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It cannot run.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The server has ended.
    #[error("the server has ended")]
    Ended,
}

/// A running Evenkeel. Dropping it ends it at once.
pub struct Server {
    state: Arc<State>,
    admin: AdminAddresses,
    commands: mpsc::Sender<Command>,
    thread: Option<JoinHandle<ExitReport>>,
}

impl Server {
    /// Starts with a configuration that is a value. Returns when every address is bound.
    ///
    /// # Errors
    /// What could not be had; then nothing runs.
    pub fn start(config: Config, options: Options) -> Result<Self, StartError> {
        Self::start_from(config, ConfigSource::Fixed, options)
    }

    /// Starts with a configuration that may be read again.
    ///
    /// # Errors
    /// What could not be had; then nothing runs.
    pub fn start_from(config: Config, source: ConfigSource, options: Options) -> Result<Self, StartError> {
        let log = match options.log {
            LogTo::StandardError => {
                let log = Arc::new(Log::to_standard_error(&config.log));
                LibraryLog::install(log.clone());
                log
            }
            LogTo::Nowhere => Arc::new(Log::silent()),
        };
        let (commands, receiver) = mpsc::channel(COMMANDS_QUEUED);
        let beginning = Beginning {
            config,
            source,
            discovery: options.discovery,
            log,
            obeys_signals: options.signals == SignalsTo::Evenkeel,
            commands: receiver,
        };
        let (started, start) = blocking::channel();
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || control_thread(beginning, &started))?;
        match start.recv() {
            Ok(Ok((state, admin))) => Ok(Self { state, admin, commands, thread: Some(thread) }),
            Ok(Err(error)) => Err(error),
            Err(blocking::RecvError) => Err(io::Error::other("the control thread ended").into()),
        }
    }

    /// Each listener's name and the real address on which it accepts, in the configuration's order.
    #[must_use]
    pub fn addresses(&self) -> Vec<(Arc<str>, SocketAddr)> {
        self.state.addresses().clone()
    }

    /// The real address of a listener.
    #[must_use]
    pub fn address(&self, listener: &str) -> Option<SocketAddr> {
        self.state.addresses().iter().find(|(name, _)| **name == *listener).map(|&(_, address)| address)
    }

    /// The real address of the full admin API; `None` if it is off.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.full
    }

    /// The real address of the public part of the admin API; `None` if it is off.
    #[must_use]
    pub fn public_address(&self) -> Option<SocketAddr> {
        self.admin.public
    }

    /// What the admin API shows: the snapshot with its counts, discovery, readiness.
    #[must_use]
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Makes a configuration the running one, whole or not at all. Returns when the data plane has it. Not to be
    /// called from async code.
    ///
    /// # Errors
    /// Why the running one stays.
    pub fn apply(&self, config: Config) -> Result<Applied, ApplyError> {
        let (reply, answer) = blocking::channel();
        let command = Command::Apply(Box::new(config), reply);
        self.commands.blocking_send(command).map_err(|_| ApplyError::Ended)?;
        Ok(answer.recv().map_err(|_| ApplyError::Ended)??)
    }

    /// Ends as by SIGTERM: readiness off, sessions asked to leave, what is left cut at the deadline. Blocks until then.
    #[must_use]
    pub fn drain(mut self) -> ExitReport {
        self.end(Command::Drain)
    }

    /// Ends at once. Blocks until every thread has ended.
    #[must_use]
    pub fn stop(mut self) -> ExitReport {
        self.end(Command::Stop)
    }

    /// Blocks until a signal has ended it.
    #[must_use]
    pub fn wait(mut self) -> ExitReport {
        self.join()
    }

    fn end(&mut self, how: Command) -> ExitReport {
        // Refused only when the loop has ended already.
        let _ = self.commands.blocking_send(how);
        self.join()
    }

    fn join(&mut self) -> ExitReport {
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or(ExitReport::GivenUp)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end(Command::Stop);
        }
    }
}

/// Runs Evenkeel as a process of its own until a signal ends it.
///
/// # Errors
/// Why it could not start.
pub fn run(config: Config, source: ConfigSource) -> Result<ExitReport, StartError> {
    let options = Options { log: LogTo::StandardError, signals: SignalsTo::Evenkeel, ..Options::default() };
    Ok(Server::start_from(config, source, options)?.wait())
}

type Started = Result<(Arc<State>, AdminAddresses), StartError>;

fn control_thread(beginning: Beginning, started: &blocking::Sender<Started>) -> ExitReport {
    // Whoever waits for `started` is always answered, and has gone only if its thread has.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = started.send(Err(error.into()));
            return ExitReport::GivenUp;
        }
    };
    let ended = runtime.block_on(async {
        match ControlLoop::start(beginning).await {
            Ok((control_loop, state, admin)) => {
                let _ = started.send(Ok((state, admin)));
                control_loop.run().await
            }
            Err(error) => {
                let _ = started.send(Err(error));
                ExitReport::GivenUp
            }
        }
    });
    // A drain that was given up still blocks a thread, which must not hold up the end.
    runtime.shutdown_background();
    ended
}

#[cfg(test)]
mod tests;
