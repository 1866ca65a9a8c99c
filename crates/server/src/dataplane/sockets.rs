//! A worker's sockets by the engine's keys, and those that linger after their session.

use super::transport::Transport;
use super::worker::Bulk;
use evenkeel_core::policy::Timeouts;
use evenkeel_core::time::Moment;
use evenkeel_engine::ConnKey;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use slab::Slab;
use socket2::{SockRef, TcpKeepalive};
use std::io::{ErrorKind, Read};
use std::net::Shutdown;
use std::time::Duration;

/// The inbox's token: no key has it, generations do not get there.
pub(super) const INBOX: Token = Token(usize::MAX);
/// Set in the tokens of sockets that linger.
const LINGERING: usize = 1 << 63;
/// How long a socket stays after our last byte, so that unread input does not turn our end into a reset.
const LINGER: Duration = Duration::from_secs(1);

/// What a socket may still send while it lingers; one that sends more is not going to notice our end.
const LINGER_BYTES: usize = 1 << 20;
/// Shortest time between two looks for sockets that lingered long enough.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

/// Lets the kernel notice a peer that went without a word: what was sent and is not acknowledged within the `send`
/// timeout ends the connection (TCP_USER_TIMEOUT, RFC 5482), and one that is silent is asked whether it is there.
pub(super) fn watch_peer(stream: &TcpStream, timeouts: &Timeouts) {
    let socket = SockRef::from(stream);
    let silence = timeouts.send.min(timeouts.idle).max(LEAST_PROBE);
    let probes = TcpKeepalive::new().with_time(silence).with_interval((silence / 4).max(LEAST_PROBE));
    // A socket without the options still works; the engine's own timeouts hold for it.
    let _ = socket.set_tcp_keepalive(&probes);
    let _ = socket.set_tcp_user_timeout(Some(timeouts.send));
}

/// What the kernel counts such times in.
const LEAST_PROBE: Duration = Duration::from_secs(1);

/// A socket of a connection that the engine knows.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    /// What its bytes go through.
    pub(super) transport: Transport,
    pub(super) is_client: bool,
    pub(super) is_connecting: bool,
    /// It may hold input, and stands in the ready queue.
    pub(super) is_ready: bool,
    /// It was ready and was not read, since the engine takes nothing from it now.
    pub(super) is_paused: bool,
    /// The peer's end was announced: read until it shows.
    pub(super) is_read_closed: bool,
    /// The peer takes nothing more; what it said before is still read.
    pub(super) is_write_failed: bool,
    /// The peer has said all, and its session goes on.
    pub(super) has_ended: bool,
    /// A PROXY protocol header is looked for before anything is read.
    pub(super) awaits_proxy_header: bool,
    pub(super) bulk: Bulk,
}

impl Socket {
    /// Of cleartext, with nothing known of it.
    pub(super) fn new(stream: TcpStream, is_client: bool) -> Self {
        Self {
            stream,
            transport: Transport::Clear,
            is_client,
            is_connecting: false,
            is_ready: false,
            is_paused: false,
            is_read_closed: false,
            is_write_failed: false,
            has_ended: false,
            awaits_proxy_header: false,
            bulk: Bulk::default(),
        }
    }
}

/// The sockets of one worker.
#[derive(Debug)]
pub(super) struct Sockets {
    by_index: Vec<Option<(ConnKey, Socket)>>,
    lingering: Slab<Lingering>,
    /// When the next one of those has lingered long enough, or later.
    sweep_at: Moment,
}

/// A socket whose session is over and whose peer may still be reading.
#[derive(Debug)]
struct Lingering {
    stream: TcpStream,
    until: Moment,
    /// Bytes that it may still send.
    left: usize,
}

impl Default for Sockets {
    fn default() -> Self {
        Self { by_index: Vec::new(), lingering: Slab::new(), sweep_at: Moment::NEVER }
    }
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
            let until = now + LINGER;
            entry.insert(Lingering { stream: socket.stream, until, left: LINGER_BYTES });
            self.sweep_at = self.sweep_at.min(until);
        }
    }

    /// Whether any socket lingers.
    pub(super) fn is_lingering(&self) -> bool {
        !self.lingering.is_empty()
    }

    /// Whether the token is that of a socket that lingers; if so, its input is dropped.
    pub(super) fn take_lingering(&mut self, token: Token, scratch: &mut [u8]) -> bool {
        if token.0 & LINGERING == 0 || token == INBOX {
            return false;
        }
        let index = token.0 & !LINGERING;
        while let Some(lingering) = self.lingering.get_mut(index) {
            match lingering.stream.read(scratch) {
                Ok(n) if n > 0 && n < lingering.left => lingering.left -= n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                _ => drop(self.lingering.remove(index)),
            }
        }
        true
    }

    /// Closes those that lingered long enough, if it is time to look; when that will be next.
    pub(super) fn sweep(&mut self, now: Moment) -> Option<Moment> {
        if now >= self.sweep_at {
            self.lingering.retain(|_, l| l.until > now);
            let next = self.lingering.iter().map(|(_, l)| l.until).min();
            self.sweep_at = next.map_or(Moment::NEVER, |at| at.max(now + SWEEP_INTERVAL));
        }
        self.is_lingering().then_some(self.sweep_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream as Blocking};

    fn at(ms: u64) -> Moment {
        Moment::ZERO + Duration::from_millis(ms)
    }

    /// A socket that has begun to linger, and its peer.
    fn linger(sockets: &mut Sockets, poll: &mio::Poll, now: Moment) -> Blocking {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = Blocking::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(0), Interest::READABLE).unwrap();
        sockets.linger(poll.registry(), Socket::new(stream, true), now);
        peer
    }

    #[test]
    fn a_peer_that_never_stops_sending_is_not_listened_to_for_ever() {
        let (mut sockets, poll) = (Sockets::default(), mio::Poll::new().unwrap());
        let mut peer = linger(&mut sockets, &poll, at(0));
        let sender = std::thread::spawn(move || {
            let mut sent = 0;
            while let Ok(n) = peer.write(&[0; 65_536]) {
                sent += n;
            }
            sent
        });
        let mut scratch = vec![0; 65_536];
        while sockets.is_lingering() {
            assert!(sockets.take_lingering(Token(LINGERING), &mut scratch));
            std::thread::yield_now();
        }
        assert!(sender.join().unwrap() >= LINGER_BYTES);
    }

    #[test]
    fn sockets_that_linger_are_closed_in_time_and_not_looked_through_each_turn() {
        let (mut sockets, poll) = (Sockets::default(), mio::Poll::new().unwrap());
        let _first = linger(&mut sockets, &poll, at(0));
        let _second = linger(&mut sockets, &poll, at(1));
        assert_eq!(sockets.sweep(at(999)), Some(at(1_000)));
        assert_eq!(sockets.sweep(at(1_000)), Some(at(1_100)));
        assert_eq!(sockets.sweep(at(1_050)), Some(at(1_100)));
        assert_eq!(sockets.sweep(at(1_100)), None);
        assert!(!sockets.is_lingering());
    }
}
