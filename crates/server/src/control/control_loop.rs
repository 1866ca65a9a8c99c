//! The control thread's loop: what arrives (answers, events, commands, signals, a changed file, the second's tick) and
//! in which order the process ends.
//!
//! What is done about each arrival is the operator's and the chronicle's.

use super::admin::{self, AdminBindError, AdminListener, STALL_LIMIT, Scope};
use super::discovery::{Answer, Discovery, DiscoverySettings};
use super::event::{Happening, What};
use super::operator::{Applied, Operator, Refusal};
use super::reload::{ConfigFile, ConfigSource};
use super::signals::{Signal, Signals};
use super::state::State;
use super::telemetry::chronicle::Chronicle;
use super::telemetry::log::Log;
use super::watch::{POLL_INTERVAL, Sight, WatchedFile, watch_set};
use crate::clock::Clock;
use crate::dataplane::{DataPlane, DrainReport};
use evenkeel_config::model::Config;
use evenkeel_core::event::Event;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc as blocking;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

/// Events of the data plane that wait for the control side; more are dropped and counted by the data plane.
const EVENTS_QUEUED: usize = 8192;

/// Events that are taken in one go, so that a flood of them does not keep the loop from anything else.
const EVENTS_AT_ONCE: usize = 256;

/// Time between two samples of load, and two looks for stalled workers and lost records.
const TICK: Duration = Duration::from_secs(1);

/// How long after its deadline a drain that does not end is given up.
const DRAIN_GRACE: Duration = Duration::from_secs(5);

/// No delay and no deadline: what is left is cut.
const AT_ONCE: Duration = Duration::ZERO;

/// Why the process could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Threads, epoll or the control runtime cannot be had.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
    /// The configuration cannot run.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// An address of the admin API cannot be had.
    #[error(transparent)]
    Admin(#[from] AdminBindError),
}

/// What the handle asks of the loop.
pub(super) enum Command {
    /// Make this the running configuration.
    Apply(Box<Config>, blocking::Sender<Result<Applied, Refusal>>),
    /// End as by SIGTERM.
    Drain,
    /// End at once.
    Stop,
}

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReport {
    /// Every session was ended, one way or another.
    Drained(DrainReport),
    /// The data plane did not end in time and was left behind.
    GivenUp,
}

/// The addresses of the admin API that were bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AdminAddresses {
    pub(super) full: Option<SocketAddr>,
    pub(super) public: Option<SocketAddr>,
}

/// Everything that the loop begins with.
pub(super) struct Beginning {
    pub(super) config: Config,
    pub(super) source: ConfigSource,
    pub(super) discovery: DiscoverySettings,
    pub(super) log: Arc<Log>,
    pub(super) obeys_signals: bool,
    pub(super) commands: mpsc::Receiver<Command>,
}

/// The loop.
pub(super) struct ControlLoop {
    state: Arc<State>,
    operator: Operator,
    answers: mpsc::Receiver<Answer>,
    events: mpsc::Receiver<Event>,
    commands: mpsc::Receiver<Command>,
    signals: Signals,
    file: Option<ConfigFile>,
    sights: mpsc::Receiver<Sight>,
    certificates_changed: mpsc::Receiver<()>,
    stalled: Option<u16>,
    is_stopping: bool,
    drain: Option<Drain>,
}

/// A drain under way.
struct Drain {
    report: tokio::task::JoinHandle<DrainReport>,
    give_up_at: Instant,
}

impl ControlLoop {
    /// Starts the data plane and the admin API, and binds every listener.
    ///
    /// # Errors
    /// What could not be had; then nothing runs.
    pub(super) async fn start(begin: Beginning) -> Result<(Self, Arc<State>, AdminAddresses), StartError> {
        let signals = if begin.obeys_signals { Signals::install()? } else { Signals::none() };
        let full = bind_admin(begin.config.admin.bind, Scope::Full).await?;
        let public = bind_admin(begin.config.admin.public, Scope::Public).await?;
        let clock = Clock::start();
        let (sender, events) = mpsc::channel(EVENTS_QUEUED);
        let workers = begin.config.workers.unwrap_or_else(cores).max(1);
        let state = Arc::new(State::new(
            clock,
            DataPlane::start(workers, clock, begin.config.limits, begin.config.log.interval, &sender)?,
        ));
        let (discovery, answers) = Discovery::new(begin.discovery);
        let chronicle = Chronicle::new(state.clone(), begin.log);
        let mut operator = match Operator::start(state.clone(), &begin.config, workers, discovery, chronicle)
        {
            Ok(operator) => operator,
            Err(error) => {
                state.data_plane.begin_drain(AT_ONCE, AT_ONCE);
                return Err(error.into());
            }
        };
        let addresses = AdminAddresses {
            full: full.as_ref().map(AdminListener::address),
            public: public.as_ref().map(AdminListener::address),
        };
        for listener in full.into_iter().chain(public) {
            let (scope, address) = (listener.scope().code(), listener.address());
            operator.chronicle.tell(What::AdminBound { scope, address });
            tokio::spawn(admin::serve(listener, state.clone()));
        }
        let (seen, sights) = mpsc::channel(1);
        let file = match begin.source {
            ConfigSource::Fixed => None,
            ConfigSource::File(file) => {
                tokio::spawn(watch(file.watch(), seen));
                Some(file)
            }
        };
        let (changed, certificates_changed) = mpsc::channel(1);
        tokio::spawn(watch_set(operator.certificate_files(), changed));
        let this = Self {
            state: state.clone(),
            operator,
            answers,
            events,
            commands: begin.commands,
            signals,
            file,
            sights,
            certificates_changed,
            stalled: None,
            is_stopping: false,
            drain: None,
        };
        Ok((this, state, addresses))
    }

    /// Runs until the process has ended its work.
    pub(super) async fn run(mut self) -> ExitReport {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut events = Vec::with_capacity(EVENTS_AT_ONCE);
        loop {
            tokio::select! {
                // What ends the process comes first, and a flood of events last.
                biased;
                ended = drained(&mut self.drain) => return self.end(ended),
                signal = self.signals.next() => self.obey(signal),
                command = self.commands.recv(), if !self.is_stopping => self.carry_out(command),
                Some(answer) = self.answers.recv() => self.operator.take(answer),
                _ = tick.tick() => self.tick(),
                Some(sight) = self.sights.recv() => self.look_into(&sight),
                Some(()) = self.certificates_changed.recv() => self.operator.read_certificates(),
                _ = self.events.recv_many(&mut events, EVENTS_AT_ONCE), if !self.events.is_closed() => {
                    self.tell(&mut events);
                }
            }
        }
    }

    fn tell(&mut self, events: &mut Vec<Event>) {
        for Event { at, kind } in events.drain(..) {
            self.operator.chronicle.take(&Happening { at, what: What::DataPlane(kind) });
        }
    }

    fn tick(&mut self) {
        let snapshot = self.state.snapshot.load();
        self.state.windows().sample(snapshot.services.iter().map(|s| (s.id, &*s.endpoints)));
        self.operator.chronicle.tell_losses();
        let stalled = self.state.data_plane.stalled(STALL_LIMIT);
        let before = std::mem::replace(&mut self.stalled, stalled);
        if before != stalled {
            if let Some(worker) = before {
                self.operator.chronicle.tell(What::WorkerGoesOn { worker });
            }
            if let Some(worker) = stalled {
                self.operator.chronicle.tell(What::WorkerStalled { worker });
            }
        }
    }

    /// The configuration file changed, or cannot be read any more.
    fn look_into(&mut self, sight: &Sight) {
        let Some(file) = &self.file else { return };
        if let Sight::New(_) | Sight::Unreadable(_) = sight {
            // Where it cannot be read, reading it says why, with its name.
            let read = file.read();
            self.operator.reload(read);
        }
    }

    fn obey(&mut self, signal: Signal) {
        match signal {
            Signal::Hangup => match &self.file {
                Some(file) => {
                    let read = file.read();
                    self.operator.reload(read);
                }
                None => self.operator.chronicle.tell(What::ConfigurationUnchanged),
            },
            Signal::End(name) => self.end_soon(name),
        }
    }

    fn carry_out(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Apply(config, reply)) => {
                let applied = self.operator.apply(*config);
                if let Err(error) = &applied {
                    self.operator.reject(vec![error.to_string()]);
                }
                // Refused only when whoever asked has gone.
                let _ = reply.send(applied);
            }
            Some(Command::Drain) => self.end_soon("drain"),
            // The handle is gone: so is the reason to run.
            Some(Command::Stop) | None => {
                self.is_stopping = true;
                self.begin_drain("stop", AT_ONCE, AT_ONCE);
            }
        }
    }

    /// The first time: drains. The second time: cuts what is left at once.
    fn end_soon(&mut self, trigger: &'static str) {
        if self.drain.is_some() {
            self.begin_drain(trigger, AT_ONCE, AT_ONCE);
        } else {
            let drain = self.operator.config().drain;
            self.begin_drain(trigger, drain.propagation_delay, drain.deadline);
        }
    }

    fn begin_drain(&mut self, trigger: &'static str, propagation_delay: Duration, deadline: Duration) {
        self.state.is_draining.store(true, Relaxed);
        self.operator.chronicle.tell(What::DrainBegan { trigger, propagation_delay, deadline });
        self.state.data_plane.begin_drain(propagation_delay, deadline);
        let give_up_at = Instant::now() + deadline + DRAIN_GRACE;
        let report = match self.drain.take() {
            Some(drain) => drain.report,
            None => {
                let state = self.state.clone();
                tokio::task::spawn_blocking(move || state.data_plane.wait_drained())
            }
        };
        self.drain = Some(Drain { report, give_up_at });
    }

    /// Tells what is still to be told.
    fn end(mut self, ended: ExitReport) -> ExitReport {
        let mut events = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            events.push(event);
            if events.len() == EVENTS_AT_ONCE {
                self.tell(&mut events);
            }
        }
        self.tell(&mut events);
        self.operator.chronicle.tell_losses();
        self.operator.chronicle.tell(match ended {
            ExitReport::Drained(report) => What::DrainEnded { report },
            ExitReport::GivenUp => What::DrainGivenUp,
        });
        ended
    }
}

/// Tells of each change of a file, for as long as somebody listens.
async fn watch(mut file: WatchedFile, seen: mpsc::Sender<Sight>) {
    loop {
        match file.look().await {
            Sight::Same | Sight::StillUnreadable => {}
            news => {
                if seen.send(news).await.is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Ends when the drain has; never if there is none.
async fn drained(drain: &mut Option<Drain>) -> ExitReport {
    let Some(Drain { report, give_up_at }) = drain else { return std::future::pending().await };
    match tokio::time::timeout_at(*give_up_at, report).await {
        Ok(Ok(report)) => ExitReport::Drained(report),
        Ok(Err(_)) | Err(_) => ExitReport::GivenUp,
    }
}

async fn bind_admin(
    address: Option<SocketAddr>,
    scope: Scope,
) -> Result<Option<AdminListener>, AdminBindError> {
    match address {
        Some(address) => AdminListener::bind(address, scope).await.map(Some),
        None => Ok(None),
    }
}

/// One worker a core that this process may use.
fn cores() -> u16 {
    std::thread::available_parallelism().map_or(1, |n| u16::try_from(n.get()).unwrap_or(u16::MAX))
}
