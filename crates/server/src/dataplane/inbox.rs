//! What others tell a worker: the only way into its thread.

use super::SessionPage;
use super::transport::TlsContexts;
use evenkeel_core::id::ListenerId;
use evenkeel_core::snapshot::Snapshot;
use evenkeel_core::time::Moment;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Something to do for a worker.
#[derive(Debug)]
pub(super) enum Command {
    /// A client's connection is its own from now on.
    Accepted { stream: TcpStream, listener: ListenerId, peer: SocketAddr },
    /// A new snapshot holds, and the TLS that goes with it.
    Refresh { snapshot: Arc<Snapshot>, tls: Arc<TlsContexts> },
    /// Sessions are to end; what is left at the deadline is cut. The thread ends with its last session, once nothing
    /// is accepted any more.
    Drain { deadline: Moment },
    /// No connection follows this.
    AcceptingEnded,
    /// Some of the sessions, from this place of the table on, are to be told.
    List { from: usize, most: usize, answer: oneshot::Sender<SessionPage> },
}

/// A worker's inbox.
#[derive(Debug)]
pub(super) struct Inbox {
    commands: Mutex<Vec<Command>>,
    waker: mio::Waker,
    is_signalled: AtomicBool,
    /// Sessions given to the worker and not ended.
    assigned: AtomicUsize,
}

impl Inbox {
    pub(super) fn new(waker: mio::Waker) -> Self {
        Self {
            commands: Mutex::default(),
            waker,
            is_signalled: AtomicBool::new(false),
            assigned: AtomicUsize::new(0),
        }
    }

    /// Puts a command in; wakes the worker unless it was woken and has not looked yet.
    pub(super) fn send(&self, command: Command) {
        if matches!(command, Command::Accepted { .. }) {
            self.assigned.fetch_add(1, Ordering::Relaxed);
        }
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).push(command);
        if !self.is_signalled.swap(true, Ordering::AcqRel) {
            // A waker fails only if its worker is gone, and then nobody waits for the command.
            let _ = self.waker.wake();
        }
    }

    /// Takes all commands out.
    pub(super) fn take(&self) -> Vec<Command> {
        self.is_signalled.store(false, Ordering::Release);
        std::mem::take(&mut *self.commands.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A session that was assigned has ended.
    pub(super) fn session_ended(&self) {
        self.assigned.fetch_sub(1, Ordering::Relaxed);
    }

    /// Sessions assigned, those still in the inbox included.
    pub(super) fn sessions(&self) -> usize {
        self.assigned.load(Ordering::Relaxed)
    }
}
