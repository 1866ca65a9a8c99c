//! The one thread that accepts, and gives each connection to the worker with the fewest sessions.
//!
//! One acceptor, because hashing long-lived connections over threads (`SO_REUSEPORT`) would give them the very
//! imbalance that this program is against.

use super::inbox::Command;
use super::is_out_of_descriptors;
use super::worker::Shared;
use crate::clock::Clock;
use evenkeel_core::event::{Event, EventKind};
use evenkeel_core::id::ListenerId;
use evenkeel_core::reason::Limit;
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
/// How often the pause may double while accepting goes on failing for another reason.
const MOST_DOUBLINGS: u32 = 5;
/// Errors in a row after which accepting pauses.
const MOST_ERRORS: u32 = 16;
/// Descriptors that sessions leave free for upstreams, listeners, files and the admin API; half of them where there are
/// fewer than twice as many.
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
    pub(super) events: tokio::sync::mpsc::Sender<Event>,
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
        let (mut held_by, mut pauses) = (None, 0);
        loop {
            let now = self.clock.now();
            if let Some((stop_at, deadline)) = drain
                && stop_at <= now
            {
                // Clients whose connections stand already would be reset with the listener.
                for l in &mut listening {
                    let _ = self.accept_all(l);
                }
                for worker in &self.workers {
                    worker.inbox.send(Command::Drain { deadline });
                    worker.inbox.send(Command::AcceptingEnded);
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
            let mut refused_by = None;
            for l in listening.iter_mut().filter(|l| l.is_ready) {
                if let Err(limit) = self.accept_all(l) {
                    refused_by = Some(limit);
                    let doublings = if limit == Limit::Descriptors { 0 } else { pauses };
                    paused_until = Some(now + self.pause(doublings));
                    if held_by.is_none() {
                        self.tell(now, EventKind::AcceptPaused { listener: l.id, limit });
                    }
                    break;
                }
            }
            if let (Some(limit), None) = (held_by, refused_by) {
                self.tell(now, EventKind::AcceptResumed { limit });
            }
            held_by = refused_by.map(|limit| held_by.unwrap_or(limit));
            pauses = if refused_by.is_some() { (pauses + 1).min(MOST_DOUBLINGS) } else { 0 };
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

    /// Accepts all that waits.
    ///
    /// # Errors
    /// The limit for which it has to pause.
    fn accept_all(&self, l: &mut Listening) -> Result<(), Limit> {
        let mut errors = 0;
        loop {
            if self.sessions() + RESERVED_DESCRIPTORS.min(self.descriptors / 2) >= self.descriptors {
                self.stats.refused(Limit::Descriptors);
                return Err(Limit::Descriptors);
            }
            match l.listener.accept() {
                Ok((stream, peer)) => {
                    errors = 0;
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
                    return Ok(());
                }
                Err(e) => {
                    if let Some(limit) = limit_of(&e, &mut errors) {
                        self.stats.refused(limit);
                        return Err(limit);
                    }
                }
            }
        }
    }

    fn sessions(&self) -> usize {
        self.workers.iter().map(|w| w.inbox.sessions()).sum()
    }

    fn tell(&self, now: Moment, kind: EventKind) {
        if self.events.try_send(Event { at: now, kind }).is_err() {
            self.stats.events_dropped.add(1);
        }
    }

    /// Between one and two pauses, doubled so often.
    fn pause(&mut self, doublings: u32) -> Duration {
        // Xorshift (Marsaglia 2003): any spread will do here.
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let pause = PAUSE * 2_u32.pow(doublings);
        pause + pause.mul_f64((self.jitter >> 11) as f64 / (1u64 << 53) as f64)
    }
}

/// The limit for which accepting has to pause after an error; `None` if the next connection may be tried at once.
/// `errors` counts those in a row.
fn limit_of(error: &std::io::Error, errors: &mut u32) -> Option<Limit> {
    if is_out_of_descriptors(error) {
        return Some(Limit::Descriptors);
    }
    // A client that has gone again is behind us, and so is a signal. Other errors may be a client's too (accept(2)
    // passes on those of its network), or stay for ever.
    let is_passing = matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted);
    *errors += u32::from(!is_passing);
    (*errors > MOST_ERRORS).then_some(Limit::AcceptErrors)
}

fn token(id: ListenerId) -> Token {
    Token(id.0 as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Error;

    #[test]
    fn errors_in_a_row_pause_and_clients_that_go_do_not() {
        let mut errors = 0;
        let unknown = Error::from(ErrorKind::InvalidInput);
        assert!((0..MOST_ERRORS).all(|_| limit_of(&unknown, &mut errors).is_none()));
        assert_eq!(limit_of(&unknown, &mut errors), Some(Limit::AcceptErrors));
        let (gone, mut errors) = (Error::from(ErrorKind::ConnectionAborted), 0);
        assert!((0..1_000).all(|_| limit_of(&gone, &mut errors).is_none()));
        let full = Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error());
        assert_eq!(limit_of(&full, &mut errors), Some(Limit::Descriptors));
    }
}
