//! Tunnels in bulk: their bytes go from socket to socket inside the kernel, and the engine is told how many.
//!
//! A direction comes here after some reads in a row that filled the buffer, while nothing of it waits anywhere else; its
//! pipe goes back as soon as it is empty and nothing more has come. What is in a pipe when its receiver takes no more
//! waits there, and its sender is not read meanwhile. Ends, deadlines and closes stay the engine's.

use super::{READ_BYTES, SHARE_BYTES, Worker};
use crate::dataplane::pipes::Pipe;
use crate::dataplane::sockets::Socket;
use crate::dataplane::transport::Transport;
use evenkeel_core::reason::Limit;
use evenkeel_core::time::Moment;
use evenkeel_engine::{ConnKey, PeerEnd};
use rustix::io::Errno;

/// Reads in a row that filled the buffer, after which a direction is bulk.
const FULL_READS: u8 = 4;

/// What is known of what comes from a socket.
#[derive(Debug, Default)]
pub(in crate::dataplane) struct Bulk {
    full_reads: u8,
    /// What came and its receiver has not taken.
    waiting: Option<Box<Pipe>>,
    /// Whose bytes wait for this socket to take more.
    fed_by: Option<ConnKey>,
}

impl Bulk {
    /// A read brought so many bytes.
    pub(super) fn read(&mut self, n: usize) {
        self.full_reads = if n == READ_BYTES { (self.full_reads + 1).min(FULL_READS) } else { 0 };
    }

    /// Whether a direction is to be looked at for being spliced.
    pub(super) fn is_bulk(&self) -> bool {
        self.full_reads == FULL_READS || self.waiting.is_some()
    }

    #[cfg(test)]
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// What was waiting, when its socket goes.
    pub(super) fn take_waiting(&mut self) -> Option<Pipe> {
        self.waiting.take().map(|pipe| *pipe)
    }
}

/// How moving bytes came to its end.
enum Stop {
    /// Nothing more has come.
    Dry,
    /// The receiver takes nothing more.
    Full,
    /// It has had its share.
    Share,
    /// The sender has said all.
    End,
    /// The sender was reset.
    Reset,
    /// The receiver is gone.
    Gone,
}

impl Worker {
    /// Moves what a socket in bulk holds to the other side of its tunnel; how much. `None` if it is to be read instead.
    pub(super) fn splice(&mut self, now: Moment, key: ConnKey) -> Option<usize> {
        let waiting = self.sockets.get(key)?.bulk.take_waiting();
        let takes = |s: &mut Socket| matches!(s.transport, Transport::Clear) && !s.is_write_failed;
        let to = self.engine.may_splice(key).filter(|&to| self.sockets.get(to).is_some_and(takes));
        let Some(to) = to else {
            let pipe = waiting?;
            // The tunnel does not go on, and what came cannot be given to anybody.
            self.pipes.give_back(pipe);
            self.ended(now, key, PeerEnd::Reset);
            return Some(0);
        };
        let Some(mut pipe) = waiting.or_else(|| self.pipes.lend()) else {
            self.shared.stats.refused(Limit::Pipes);
            self.sockets.get(key)?.bulk.full_reads = 0;
            return None;
        };
        let (moved, stop) = self.carry(&mut pipe, key, to);
        self.written += moved;
        if moved > 0 {
            self.engine.spliced(now, key, moved);
        }
        let source = self.sockets.get(key)?;
        source.is_ready = matches!(stop, Stop::Share);
        if matches!(stop, Stop::Dry) && moved < READ_BYTES {
            source.bulk.full_reads = 0;
        }
        if matches!(stop, Stop::Full | Stop::Share) && pipe.held() > 0 {
            source.bulk.waiting = Some(Box::new(pipe));
        } else {
            self.pipes.give_back(pipe);
        }
        match stop {
            Stop::Dry => {}
            Stop::Share => self.ready.push_back(key),
            Stop::Full => {
                self.engine.splice_stalled(now, key);
                if let Some(receiver) = self.sockets.get(to) {
                    receiver.bulk.fed_by = Some(key);
                }
            }
            Stop::End => self.input_ended(now, key),
            Stop::Reset => self.ended(now, key, PeerEnd::Reset),
            Stop::Gone => self.write_failed(now, to),
        }
        Some(moved)
    }

    fn carry(&mut self, pipe: &mut Pipe, key: ConnKey, to: ConnKey) -> (usize, Stop) {
        let mut moved = 0;
        loop {
            let Some(source) = self.sockets.get(key) else { return (moved, Stop::Reset) };
            match pipe.fill(&source.stream) {
                Ok(0) if pipe.held() == 0 => return (moved, Stop::End),
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if pipe.held() == 0 => return (moved, Stop::Dry),
                Err(Errno::AGAIN) => {}
                Err(_) => return (moved, Stop::Reset),
            }
            if pipe.held() == 0 {
                continue;
            }
            let Some(receiver) = self.sockets.get(to) else { return (moved, Stop::Gone) };
            match pipe.drain(&receiver.stream) {
                Ok(n) => moved += n,
                Err(Errno::AGAIN) => return (moved, Stop::Full),
                Err(Errno::INTR) => {}
                Err(_) => return (moved, Stop::Gone),
            }
            if moved >= SHARE_BYTES {
                return (moved, Stop::Share);
            }
        }
    }

    /// A socket takes more: whose bytes wait for it goes on.
    pub(super) fn feed(&mut self, key: ConnKey) {
        let Some(sender) = self.sockets.get(key).and_then(|s| s.bulk.fed_by.take()) else { return };
        if let Some(socket) = self.sockets.get(sender)
            && !socket.is_ready
        {
            socket.is_ready = true;
            self.ready.push_back(sender);
        }
    }
}
