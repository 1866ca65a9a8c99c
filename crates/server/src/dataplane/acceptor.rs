//! The one thread that accepts, and gives each connection to the worker with the fewest sessions.
//!
//! One acceptor, because hashing long-lived connections over threads (`SO_REUSEPORT`) would give them the very
//! imbalance that this program is against.

use super::inbox::Command;
use super::is_out_of_descriptors;
use super::worker::Shared;
use crate::clock::Clock;
use arc_swap::ArcSwap;
use evenkeel_core::id::{ListenerId, WorkerIndex};
use evenkeel_core::reason::{CloseReason, Limit};
use evenkeel_core::snapshot::Snapshot;
use evenkeel_core::stats::WorkerStats;
use evenkeel_core::time::Moment;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use std::io::ErrorKind;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(super) const INBOX: Token = Token(usize::MAX);

/// Shortest pause after the descriptors ran out; up to as much again is added, so that replicas do not try together.
const PAUSE: Duration = Duration::from_millis(50);
/// Descriptors that sessions leave free for upstreams, listeners, files and the admin API.
const RESERVED_DESCRIPTORS: usize = 256;

/// Something to do for the acceptor.
pub(super) enum AcceptorCommand {
    /// Accept on this one too.
    Add(ListenerId, std::net::TcpListener),
    /// Accept no more on this one.
    Remove(ListenerId),
    /// Go on until `stop_at`, then close all listeners and drain the workers.
    Drain { stop_at: Moment, deadline: Moment },
}

pub(super) struct Acceptor {
    pub(super) poll: Poll,
    pub(super) clock: Clock,
    pub(super) commands: Arc<Mutex<Receiver<AcceptorCommand>>>,
    pub(super) workers: Box<[Arc<Shared>]>,
    pub(super) stats: Arc<WorkerStats>,
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(super) descriptors: usize,
    pub(super) jitter: u64,
}

struct Listening {
    id: ListenerId,
    listener: TcpListener,
    /// Connections may wait in its backlog.
    is_ready: bool,
}

impl Acceptor {
    /// Runs until a drain.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(64);
        let mut listening: Vec<Listening> = Vec::new();
        let mut paused_until: Option<Moment> = None;
        let mut drain: Option<(Moment, Moment)> = None;
        loop {
            let now = self.clock.now();
            if let Some((stop_at, deadline)) = drain
                && stop_at <= now
            {
                for worker in &self.workers {
                    worker.inbox.send(Command::Drain { deadline });
                }
                return;
            }
            let wake_at = [paused_until, drain.map(|(stop_at, _)| stop_at)].into_iter().flatten().min();
            let timeout = wake_at.map(|at| at.since(now) + Duration::from_millis(1));
            super::wait(&mut self.poll, &mut events, timeout);
            for event in &events {
                if let Some(l) = listening.iter_mut().find(|l| token(l.id) == event.token()) {
                    l.is_ready = true;
                }
            }
            self.take_commands(&mut listening, &mut drain);
            let now = self.clock.now();
            if paused_until.is_some_and(|until| until > now) {
                continue;
            }
            paused_until = None;
            for l in listening.iter_mut().filter(|l| l.is_ready) {
                if !self.accept_all(l) {
                    paused_until = Some(now + self.pause());
                    break;
                }
            }
        }
    }

    fn take_commands(&self, listening: &mut Vec<Listening>, drain: &mut Option<(Moment, Moment)>) {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        while let Ok(command) = commands.try_recv() {
            match command {
                AcceptorCommand::Add(id, listener) => {
                    let mut listener = TcpListener::from_std(listener);
                    if self.poll.registry().register(&mut listener, token(id), Interest::READABLE).is_ok() {
                        listening.push(Listening { id, listener, is_ready: true });
                    }
                }
                AcceptorCommand::Remove(id) => listening.retain(|l| l.id != id),
                AcceptorCommand::Drain { stop_at, deadline } => *drain = Some((stop_at, deadline)),
            }
        }
    }

    /// Accepts all that waits; false if the descriptors ran out.
    fn accept_all(&self, l: &mut Listening) -> bool {
        loop {
            if self.sessions() + RESERVED_DESCRIPTORS >= self.descriptors {
                self.refuse(l.id);
                return false;
            }
            match l.listener.accept() {
                Ok((stream, peer)) => {
                    // Small frames must not wait for acknowledgements; a socket without the option still works.
                    let _ = stream.set_nodelay(true);
                    let stream = std::net::TcpStream::from(stream);
                    let least = self.workers.iter().min_by_key(|w| w.inbox.sessions());
                    if let Some(worker) = least {
                        worker.inbox.send(Command::Accepted { stream, listener: l.id, peer });
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    l.is_ready = false;
                    return true;
                }
                Err(e) if is_out_of_descriptors(&e) => {
                    self.refuse(l.id);
                    return false;
                }
                // The client has gone again, or the call was interrupted: the next one waits behind it.
                Err(_) => {}
            }
        }
    }

    fn sessions(&self) -> usize {
        self.workers.iter().map(|w| w.inbox.sessions()).sum()
    }

    fn refuse(&self, listener: ListenerId) {
        self.stats.refused(Limit::Descriptors);
        let snapshot = self.snapshot.load();
        if let Some(listener) = snapshot.listener(listener) {
            let own = WorkerIndex(self.workers.len() as u16);
            listener.stats.cell(own).session_refused(CloseReason::NoDescriptors);
        }
    }

    /// Between one and two pauses.
    fn pause(&mut self) -> Duration {
        // Xorshift (Marsaglia 2003): any spread will do here.
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        PAUSE + PAUSE.mul_f64((self.jitter >> 11) as f64 / (1u64 << 53) as f64)
    }
}

fn token(id: ListenerId) -> Token {
    Token(id.0 as usize)
}
