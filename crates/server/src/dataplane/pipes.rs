//! Pipes through which bytes go from socket to socket inside the kernel (splice(2)), and a worker's bounded stock of them.
//!
//! A pipe costs two descriptors and is lent only while bytes are in it; tunnels that move little never have one.

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with, splice};
use std::os::fd::{AsFd, OwnedFd};

/// What a pipe is to hold: beyond 64 KiB each system call moves so much more that a GiB costs half.
const PIPE_BYTES: usize = 1 << 20;
/// What a process without the right to more gets.
const LEAST_PIPE_BYTES: usize = 64 * 1024;

/// A pipe with what is in it.
#[derive(Debug)]
pub(super) struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
    size: usize,
    held: usize,
}

impl Pipe {
    fn open() -> Result<Self, Errno> {
        let (out, into) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        // The kernel bounds what a user's pipes hold together: then this one stays as it came.
        let _ = fcntl_setpipe_size(&into, PIPE_BYTES);
        let size = fcntl_getpipe_size(&into).unwrap_or(LEAST_PIPE_BYTES);
        Ok(Self { out, into, size, held: 0 })
    }

    /// Bytes inside.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Takes what a socket holds, as much as there is room for; 0 is the socket's end.
    ///
    /// # Errors
    /// The socket's; `AGAIN` if it holds nothing, or if the pipe has no room.
    pub(super) fn fill(&mut self, from: impl AsFd) -> Result<usize, Errno> {
        let room = self.size.saturating_sub(self.held);
        if room == 0 {
            return Err(Errno::AGAIN);
        }
        let n = splice(from, None, &self.into, None, room, SpliceFlags::MOVE | SpliceFlags::NONBLOCK)?;
        self.held += n;
        Ok(n)
    }

    /// Gives a socket what is inside, as much as it takes.
    ///
    /// # Errors
    /// The socket's; `AGAIN` if it takes nothing.
    pub(super) fn drain(&mut self, to: impl AsFd) -> Result<usize, Errno> {
        let n = splice(&self.out, None, to, None, self.held, SpliceFlags::MOVE | SpliceFlags::NONBLOCK)?;
        self.held -= n;
        Ok(n)
    }
}

/// A worker's pipes.
#[derive(Debug)]
pub(super) struct Pipes {
    free: Vec<Pipe>,
    /// Those that are lent included.
    open: u32,
    most: u32,
}

impl Pipes {
    pub(super) fn new(most: u32) -> Self {
        Self { free: Vec::new(), open: 0, most }
    }

    /// An empty pipe; `None` if all that may be are lent, or the process has no descriptors for another one.
    pub(super) fn lend(&mut self) -> Option<Pipe> {
        self.free.pop().or_else(|| {
            let pipe = (self.open < self.most).then(Pipe::open)?.ok()?;
            self.open += 1;
            Some(pipe)
        })
    }

    /// Takes a pipe back; one with something inside is closed.
    pub(super) fn give_back(&mut self, pipe: Pipe) {
        if pipe.held == 0 {
            self.free.push(pipe);
        } else {
            self.open -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_pipes_as_allowed_are_lent_and_one_that_is_not_empty_is_not_lent_again() {
        let mut pipes = Pipes::new(2);
        let (mut first, second) = (pipes.lend().unwrap(), pipes.lend().unwrap());
        assert!(pipes.lend().is_none());
        pipes.give_back(second);
        let second = pipes.lend().unwrap();
        assert!(pipes.lend().is_none());
        first.held = 1;
        pipes.give_back(first);
        assert_eq!(pipes.lend().unwrap().held(), 0);
        assert!(pipes.lend().is_none());
        drop(second);
    }
}
