//! A worker's sockets by the engine's keys, and those that linger after their session.

use evenkeel_core::time::Moment;
use evenkeel_engine::ConnKey;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use slab::Slab;
use std::io::{ErrorKind, Read};
use std::net::Shutdown;
use std::time::Duration;

/// The inbox's token: no key has it, generations do not get there.
pub(super) const INBOX: Token = Token(usize::MAX);
/// Set in the tokens of sockets that linger.
const LINGERING: usize = 1 << 63;
/// How long a socket stays after our last byte, so that unread input does not turn our end into a reset.
const LINGER: Duration = Duration::from_secs(1);

/// A socket of a connection that the engine knows.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    pub(super) is_client: bool,
    pub(super) is_connecting: bool,
    /// It may hold input, and stands in the ready queue.
    pub(super) is_ready: bool,
    /// The peer's end was announced: read until it shows.
    pub(super) is_read_closed: bool,
    /// The peer takes nothing more; what it said before is still read.
    pub(super) is_write_failed: bool,
}

/// The sockets of one worker.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    by_index: Vec<Option<(ConnKey, Socket)>>,
    lingering: Slab<(TcpStream, Moment)>,
}

impl Sockets {
    pub(super) fn add(
        &mut self,
        registry: &Registry,
        key: ConnKey,
        mut socket: Socket,
    ) -> std::io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut socket.stream, Token(key.to_bits() as usize), interest)?;
        if self.by_index.len() <= key.index() {
            self.by_index.resize_with(key.index() + 1, || None);
        }
        self.by_index[key.index()] = Some((key, socket));
        Ok(())
    }

    pub(super) fn get(&mut self, key: ConnKey) -> Option<&mut Socket> {
        let (own, socket) = self.by_index.get_mut(key.index())?.as_mut()?;
        (*own == key).then_some(socket)
    }

    /// Takes a socket out; dropping it closes it.
    pub(super) fn remove(&mut self, key: ConnKey) -> Option<Socket> {
        let slot = self.by_index.get_mut(key.index())?;
        if slot.as_ref().is_none_or(|(own, _)| *own != key) {
            return None;
        }
        slot.take().map(|(_, socket)| socket)
    }

    /// Ends our side and goes on reading for a while.
    pub(super) fn linger(&mut self, registry: &Registry, mut socket: Socket, now: Moment) {
        if socket.stream.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let entry = self.lingering.vacant_entry();
        let token = Token(LINGERING | entry.key());
        if registry.reregister(&mut socket.stream, token, Interest::READABLE).is_ok() {
            entry.insert((socket.stream, now + LINGER));
        }
    }

    /// Whether the token is that of a socket that lingers; if so, its input is dropped.
    pub(super) fn take_lingering(&mut self, token: Token, scratch: &mut [u8]) -> bool {
        if token.0 & LINGERING == 0 || token == INBOX {
            return false;
        }
        let index = token.0 & !LINGERING;
        while let Some((stream, _)) = self.lingering.get_mut(index) {
            match stream.read(scratch) {
                Ok(n) if n > 0 => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                _ => drop(self.lingering.remove(index)),
            }
        }
        true
    }

    /// Closes those that lingered long enough; when the next one is due.
    pub(super) fn sweep(&mut self, now: Moment) -> Option<Moment> {
        if self.lingering.is_empty() {
            return None;
        }
        self.lingering.retain(|_, (_, until)| *until > now);
        self.lingering.iter().map(|(_, (_, until))| *until).min()
    }
}
