//! The data plane's threads: one acceptor and the workers.
//!
//! The control side holds a [`DataPlane`] and talks to them through it alone.

mod acceptor;
mod inbox;
mod pipes;
mod sockets;
pub mod transport;
mod worker;

use crate::clock::Clock;
use acceptor::{Acceptor, AcceptorCommand};
use arc_swap::ArcSwap;
use evenkeel_core::event::Event;
use evenkeel_core::id::{ListenerId, WorkerIndex};
use evenkeel_core::limits::Limits;
use evenkeel_core::snapshot::Snapshot;
use evenkeel_core::stats::WorkerStats;
use evenkeel_engine::{Engine, EngineSetup};
use inbox::{Command, Inbox};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use transport::TlsContexts;
use worker::{Shared, Worker};

pub use evenkeel_engine::{DrainProgress as DrainReport, OpenSession};

/// Connections that the kernel holds for us until they are accepted.
const BACKLOG: i32 = 4096;

/// An address to accept on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Binding {
    /// The listener in the snapshot.
    pub listener: ListenerId,
    /// Its name, for errors.
    pub name: Arc<str>,
    /// Where.
    pub address: SocketAddr,
}

/// An address that could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("listener {name}: cannot listen on {address}: {source}")]
pub struct BindError {
    /// Which listener.
    pub name: Arc<str>,
    /// Where.
    pub address: SocketAddr,
    /// What the kernel said.
    pub source: std::io::Error,
}

/// Some of a worker's sessions.
#[derive(Debug, Default)]
pub struct SessionPage {
    /// Those that were found.
    pub sessions: Vec<OpenSession>,
    /// The place of the worker's table to go on from; `None` behind the last one.
    pub next: Option<usize>,
}

/// The running threads, as the control side sees them.
pub struct DataPlane {
    clock: Clock,
    workers: Box<[Arc<Shared>]>,
    /// Each worker's counts, and the acceptor's as the last.
    stats: Box<[Arc<WorkerStats>]>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    acceptor: Sender<AcceptorCommand>,
    acceptor_waker: mio::Waker,
    /// What is listened on, as asked for and as bound.
    bound: Mutex<Vec<(Binding, SocketAddr)>>,
    threads: Mutex<Vec<JoinHandle<DrainReport>>>,
}

impl DataPlane {
    /// Starts the workers and the acceptor, with nothing to listen on yet. Events arrive in `events`; those that find
    /// it full are dropped and counted. `limits` hold for each worker. `log_interval` is the time between two records of a session that goes on.
    ///
    /// # Errors
    /// What the kernel says when threads or epoll cannot be had.
    pub fn start(
        workers: u16,
        clock: Clock,
        limits: Limits,
        log_interval: Duration,
        events: &tokio::sync::mpsc::Sender<Event>,
    ) -> std::io::Result<Self> {
        let descriptors = raise_descriptors();
        let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
        let (mut shared, mut threads) = (Vec::new(), Vec::new());
        for index in 0..workers.max(1) {
            let poll = mio::Poll::new()?;
            let inbox = Inbox::new(mio::Waker::new(poll.registry(), sockets::INBOX)?);
            let stats = Arc::new(WorkerStats::default());
            let own = Arc::new(Shared { inbox, stats: Arc::clone(&stats), turn_since: AtomicU64::new(0) });
            shared.push(Arc::clone(&own));
            let setup = EngineSetup {
                worker: WorkerIndex(index),
                seed: entropy(),
                limits,
                log_interval,
                stats,
                snapshot: Arc::default(),
            };
            let events = events.clone();
            threads.push(std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
                let engine = Engine::new(setup, clock.now());
                Worker::new(poll, clock, engine, own, events).run()
            })?);
        }
        let workers: Box<[Arc<Shared>]> = shared.into();
        let poll = mio::Poll::new()?;
        let acceptor_waker = mio::Waker::new(poll.registry(), acceptor::INBOX)?;
        let (acceptor, commands) = mpsc::channel();
        let acceptor_stats = Arc::new(WorkerStats::default());
        let thread = Acceptor {
            poll,
            clock,
            commands: Arc::new(Mutex::new(commands)),
            workers: workers.clone(),
            stats: Arc::clone(&acceptor_stats),
            events: events.clone(),
            descriptors,
            jitter: entropy() | 1,
        };
        threads.push(std::thread::Builder::new().name("acceptor".to_owned()).spawn(move || {
            thread.run();
            DrainReport::default()
        })?);
        let stats = workers.iter().map(|w| Arc::clone(&w.stats)).chain([acceptor_stats]).collect();
        let (bound, threads) = (Mutex::default(), Mutex::new(threads));
        Ok(Self { clock, workers, stats, snapshot, acceptor, acceptor_waker, bound, threads })
    }

    /// Each worker's counts, and the acceptor's as the last.
    #[must_use]
    pub fn worker_stats(&self) -> &[Arc<WorkerStats>] {
        &self.stats
    }

    /// Gives every worker a new snapshot, and the TLS that goes with it.
    pub fn apply(&self, snapshot: &Arc<Snapshot>, tls: &Arc<TlsContexts>) {
        self.snapshot.store(Arc::clone(snapshot));
        for worker in &self.workers {
            worker.inbox.send(Command::Refresh { snapshot: Arc::clone(snapshot), tls: Arc::clone(tls) });
        }
    }

    /// Listens on exactly these: new ones are bound, those that are gone are closed, the others are not touched.
    /// All or nothing: on an error what was bound before stays as it was. Returns the addresses bound, in order (a
    /// port 0 comes back as the real one).
    ///
    /// # Errors
    /// Which address could not be had, and why.
    pub fn listen(&self, bindings: &[Binding]) -> Result<Vec<SocketAddr>, BindError> {
        let mut bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before: HashMap<_, _> = bound.iter().map(|(b, at)| (b.clone(), *at)).collect();
        let (mut now, mut fresh) = (Vec::new(), Vec::new());
        for binding in bindings {
            let at = match before.remove(binding) {
                Some(at) => at,
                None => {
                    let failed = |source| BindError {
                        name: Arc::clone(&binding.name),
                        address: binding.address,
                        source,
                    };
                    let listener = bind(binding.address).map_err(failed)?;
                    let at = listener.local_addr().map_err(failed)?;
                    fresh.push((binding.listener, listener));
                    at
                }
            };
            now.push((binding.clone(), at));
        }
        for binding in before.into_keys() {
            self.tell_acceptor(AcceptorCommand::Remove(binding.listener));
        }
        for (listener, socket) in fresh {
            self.tell_acceptor(AcceptorCommand::Add(listener, socket));
        }
        let addresses = now.iter().map(|(_, at)| *at).collect();
        *bound = now;
        Ok(addresses)
    }

    /// Drains: goes on accepting for `propagation_delay`, then asks the sessions to end, and cuts what is left
    /// `deadline` after now. Returns at once; [`DataPlane::wait_drained`] waits. Called again it hastens the end.
    pub fn begin_drain(&self, propagation_delay: Duration, deadline: Duration) {
        let now = self.clock.now();
        let (stop_at, deadline) = (now + propagation_delay.min(deadline), now + deadline);
        self.tell_acceptor(AcceptorCommand::Drain { stop_at, deadline });
        if propagation_delay.is_zero() {
            // The acceptor may have ended in an earlier drain; the workers hear of the new deadline all the same.
            for worker in &self.workers {
                worker.inbox.send(Command::Drain { deadline });
            }
        }
    }

    /// Blocks until the drain is over, and says what was cut.
    #[must_use]
    pub fn wait_drained(&self) -> DrainReport {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let mut sum = DrainReport::default();
        for thread in threads {
            // A thread that panicked has ended the process.
            if let Ok(report) = thread.join() {
                sum.finished += report.finished;
                sum.cut_sessions += report.cut_sessions;
                sum.cut_exchanges += report.cut_exchanges;
            }
        }
        sum
    }

    /// Threads that serve sessions.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Asks a worker for up to `most` of its sessions, from this place of its table on. It answers in its next turn, which
    /// stays short: fewer may come than there are. No answer comes from a worker that is not there, or has ended.
    #[must_use]
    pub fn list_sessions(&self, worker: usize, from: usize, most: usize) -> oneshot::Receiver<SessionPage> {
        let (answer, page) = oneshot::channel();
        if let Some(worker) = self.workers.get(worker) {
            worker.inbox.send(Command::List { from, most, answer });
        }
        page
    }

    /// The first worker whose turn has lasted longer than `limit`, if any.
    #[must_use]
    pub fn stalled(&self, limit: Duration) -> Option<u16> {
        let now = self.clock.now().as_nanos();
        let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        let is_stalled = |w: &Arc<Shared>| {
            let since = w.turn_since.load(Ordering::Relaxed);
            since != 0 && now.saturating_sub(since) > limit
        };
        self.workers.iter().position(is_stalled).map(|i| i as u16)
    }

    fn tell_acceptor(&self, command: AcceptorCommand) {
        // Both fail only when the acceptor has ended, and then there is nothing left to accept.
        let _ = self.acceptor.send(command);
        let _ = self.acceptor_waker.wake();
    }
}

fn bind(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Waits for events; a signal that interrupts is no event.
fn wait(poll: &mut mio::Poll, events: &mut mio::Events, timeout: Option<Duration>) {
    let waited = match poll.poll(events, timeout) {
        Err(e) if e.kind() == std::io::ErrorKind::Interrupted => Ok(()),
        other => other,
    };
    waited.expect("epoll_wait fails only when the thread has lost its own descriptor");
}

/// Raises the limit of descriptors to what the process may have; what that is.
fn raise_descriptors() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Without the right to raise it, what holds now is the limit.
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX))
}

/// Whether the process or the machine has no descriptor or buffer left: EMFILE, ENFILE, ENOBUFS, ENOMEM.
fn is_out_of_descriptors(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let codes = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    error.raw_os_error().is_some_and(|code| codes.iter().any(|e| e.raw_os_error() == code))
}

/// A number that nobody can guess: the standard library's per-process random keys, hashed.
fn entropy() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests;
