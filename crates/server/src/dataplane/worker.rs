//! One data plane thread: waits, reads, lets the engine work, writes every dirty socket once, and so on.

pub(super) use self::bulk::Bulk;
use self::looks::Looks;
use super::SessionPage;
use super::inbox::{Command, Inbox};
use super::pipes::Pipes;
use super::sockets::{self, INBOX, Socket, Sockets};
use super::transport::{TlsContexts, Transport, Wire};
use crate::clock::Clock;
use evenkeel_core::event::{Event, EventKind};
use evenkeel_core::id::{ListenerId, ServiceId};
use evenkeel_core::stats::WorkerStats;
use evenkeel_core::time::Moment;
use evenkeel_engine::{Action, ConnKey, ConnectFailure, DrainProgress, Engine, PeerEnd};
use mio::net::TcpStream;
use mio::{Events, Poll};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bytes read from a socket at once.
const READ_BYTES: usize = 64 * 1024;
/// A turn ends after this many reads, ...
const TURN_READS: usize = 128;
/// ... this many bytes, and it writes no more than this many, ...
const TURN_BYTES: usize = 1 << 20;
/// ... or this much time; what is left stays ready, or dirty, for the next turn.
const TURN_TIME: Duration = Duration::from_micros(500);
/// A connection writes this many at once before the next one has its share, however fast its peer takes them.
const SHARE_BYTES: usize = TURN_BYTES / 4;
/// What was read is passed on after this many bytes of bulk, so that it leaves before more of it comes and has to wait.
const FLUSH_BYTES: usize = 128 * 1024;
/// How often a turn looks whether more came while it read, before it writes.
const MOST_LOOKS: usize = 3;
/// How often memory is counted.
const MEMORY_INTERVAL: Duration = Duration::from_secs(5);
/// Longest sleep, so that the stall check sees a living thread.
const MOST_SLEEP: Duration = Duration::from_secs(60);

/// What a worker shares with the control side.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) inbox: Inbox,
    pub(super) stats: Arc<WorkerStats>,
    /// When the turn that is under way began, on the process's clock; 0 while it waits.
    pub(super) turn_since: AtomicU64,
}

/// A data plane thread's own state.
pub(super) struct Worker {
    poll: Poll,
    clock: Clock,
    engine: Engine,
    sockets: Sockets,
    shared: Arc<Shared>,
    events: tokio::sync::mpsc::Sender<Event>,
    ready: VecDeque<ConnKey>,
    buffer: Box<[u8]>,
    /// Where TLS records are made; none before the first connection with TLS.
    wire: Option<Box<Wire>>,
    tls: Arc<TlsContexts>,
    /// Handshakes that went on in this turn.
    handshakes: usize,
    /// Those that are ready and wait for the next one.
    put_by: Vec<ConnKey>,
    looks: Looks,
    pipes: Pipes,
    dirty: Vec<ConnKey>,
    /// Bytes written in this turn.
    written: usize,
    actions: Vec<Action>,
    is_draining: bool,
    /// Connections may still come, even while it drains.
    is_accepting: bool,
    memory_due: Moment,
}

impl Worker {
    pub(super) fn new(
        poll: Poll,
        clock: Clock,
        engine: Engine,
        shared: Arc<Shared>,
        events: tokio::sync::mpsc::Sender<Event>,
    ) -> Self {
        let pipes = Pipes::new(engine.limits().pipes);
        Self {
            poll,
            clock,
            engine,
            sockets: Sockets::default(),
            shared,
            events,
            ready: VecDeque::new(),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            wire: None,
            tls: Arc::default(),
            handshakes: 0,
            put_by: Vec::new(),
            looks: Looks::default(),
            pipes,
            dirty: Vec::new(),
            written: 0,
            actions: Vec::new(),
            is_draining: false,
            is_accepting: true,
            memory_due: Moment::ZERO,
        }
    }

    /// Runs until a drain has ended its last session.
    pub(super) fn run(mut self) -> DrainProgress {
        let mut events = Events::with_capacity(TURN_READS * 2);
        while !self.is_over() {
            let timeout = self.timeout();
            self.shared.turn_since.store(0, Ordering::Relaxed);
            super::wait(&mut self.poll, &mut events, Some(timeout));
            let began = self.clock.now();
            self.shared.turn_since.store(began.as_nanos().max(1), Ordering::Relaxed);
            self.turn(began, &mut events);
            self.shared.stats.turn_took(self.clock.now().since(began));
        }
        self.engine.drain_progress()
    }

    fn turn(&mut self, now: Moment, events: &mut Events) {
        self.written = 0;
        self.handshakes = 0;
        self.ready.extend(self.put_by.drain(..));
        self.read_all(now, events);
        self.take_inbox(now);
        self.engine.tick(now);
        self.settle(now);
        self.sockets.sweep(now);
        if now >= self.memory_due {
            self.engine.publish_memory();
            self.memory_due = now + MEMORY_INTERVAL;
        }
    }

    /// Reads what is ready, and what has become so meanwhile if something waits to be written: one write then does for
    /// more of it.
    fn read_all(&mut self, now: Moment, events: &mut Events) {
        for _ in 0..MOST_LOOKS {
            self.take_events(now, events);
            self.read_ready(now);
            if !self.engine.has_work() || !self.looks.are_worth_it() {
                return;
            }
            super::wait(&mut self.poll, events, Some(Duration::ZERO));
            self.looks.found(!events.is_empty());
            if events.is_empty() {
                return;
            }
        }
        self.take_events(now, events);
        self.read_ready(now);
    }

    /// Whether a drain has ended the last session, and its peer has heard so.
    fn is_over(&self) -> bool {
        let is_quiet = self.engine.sessions() == 0 && !self.sockets.is_lingering();
        self.is_draining && !self.is_accepting && is_quiet && !self.engine.has_work()
    }

    fn timeout(&mut self) -> Duration {
        if !self.ready.is_empty() || !self.put_by.is_empty() || self.engine.has_work() {
            return Duration::ZERO;
        }
        let now = self.clock.now();
        let lingering = self.sockets.sweep(now);
        let next = [self.engine.next_deadline(), lingering].into_iter().flatten().min();
        next.map_or(MOST_SLEEP, |at| at.since(now).min(MOST_SLEEP))
    }

    /// Notes which sockets are ready.
    fn take_events(&mut self, now: Moment, events: &Events) {
        for event in events {
            let token = event.token();
            if token == INBOX {
                continue;
            }
            if self.sockets.take_lingering(token, &mut self.buffer) {
                continue;
            }
            let key = ConnKey::from_bits(token.0 as u64);
            let Some(socket) = self.sockets.get(key) else { continue };
            socket.is_read_closed |= event.is_read_closed() || event.is_error();
            // Who has said all and is reset is not to be found out by reading.
            socket.is_write_failed |= event.is_error() && socket.has_ended;
            if socket.is_connecting {
                self.finish_connect(now, key);
                continue;
            }
            if (event.is_readable() || socket.is_read_closed) && !socket.is_ready {
                socket.is_ready = true;
                self.ready.push_back(key);
            }
            if event.is_writable() {
                self.feed(key);
            }
            // Half of the turn's bytes are for those that wait in the queue already.
            if event.is_writable() && self.flush(now, key, TURN_BYTES / 2) {
                self.engine.put_off(key);
            }
        }
    }

    /// Reads ready sockets, each once in turn, until the turn's bounds.
    fn read_ready(&mut self, now: Moment) {
        let (mut reads, mut bytes, mut bulk) = (0, 0, 0);
        while reads < TURN_READS && bytes < TURN_BYTES {
            let Some(key) = self.ready.pop_front() else { return };
            let read = self.read(now, key);
            (reads, bytes) = (reads + 1, bytes + read);
            bulk += if read > READ_BYTES / 2 { read } else { 0 };
            if bulk >= FLUSH_BYTES {
                self.settle(now);
                bulk = 0;
            }
            if reads % 16 == 0 && self.clock.now().since(now) > TURN_TIME {
                return;
            }
        }
    }

    /// Reads a socket once and gives the bytes to its session; how many there were.
    fn read(&mut self, now: Moment, key: ConnKey) -> usize {
        let Some(socket) = self.sockets.get(key) else { return 0 };
        if socket.has_ended && socket.is_write_failed {
            // Neither side has anything to say any more.
            self.ended(now, key, PeerEnd::Reset);
            return 0;
        }
        if !self.engine.takes_input(key) {
            (socket.is_ready, socket.is_paused) = (false, true);
            // A peer that is gone is heard even while nothing is read.
            if socket.is_read_closed && matches!(socket.stream.take_error(), Ok(Some(_)) | Err(_)) {
                self.ended(now, key, PeerEnd::Reset);
            }
            return 0;
        }
        if socket.awaits_proxy_header {
            self.read_proxy_header(now, key);
            return 0;
        }
        if !matches!(socket.transport, Transport::Clear) {
            return self.read_secured(now, key);
        }
        if socket.bulk.is_bulk()
            && let Some(moved) = self.splice(now, key)
        {
            return moved;
        }
        let Some(socket) = self.sockets.get(key) else { return 0 };
        socket.is_ready = false;
        match socket.stream.read(&mut self.buffer) {
            Ok(0) => {
                // A peer that ends its side may still read what was just said to it.
                self.flush(now, key, self.written + TURN_BYTES);
                self.input_ended(now, key);
            }
            Ok(n) => {
                socket.bulk.read(n);
                // A short read has emptied the socket, unless the end is still to be read.
                if n == self.buffer.len() || socket.is_read_closed {
                    socket.is_ready = true;
                    self.ready.push_back(key);
                }
                self.engine.received(now, key, &self.buffer[..n]);
                return n;
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock && !socket.is_write_failed => {}
            Err(e) if e.kind() == ErrorKind::Interrupted => {
                socket.is_ready = true;
                self.ready.push_back(key);
            }
            Err(_) => self.ended(now, key, PeerEnd::Reset),
        }
        0
    }

    /// The peer has said all, and may still hear.
    fn input_ended(&mut self, now: Moment, key: ConnKey) {
        if !self.engine.outlives_input(key) {
            return self.ended(now, key, PeerEnd::Closed);
        }
        if let Some(socket) = self.sockets.get(key) {
            socket.has_ended = true;
            if socket.is_write_failed {
                return self.ended(now, key, PeerEnd::Reset);
            }
        }
        self.engine.input_ended(now, key);
    }

    fn ended(&mut self, now: Moment, key: ConnKey, end: PeerEnd) {
        self.forget(key);
        self.engine.peer_ended(now, key, end);
    }

    /// Drops a socket, which closes it.
    fn forget(&mut self, key: ConnKey) -> Option<Socket> {
        let mut socket = self.sockets.remove(key)?;
        if let Some(pipe) = socket.bulk.take_waiting() {
            self.pipes.give_back(pipe);
        }
        if socket.is_client {
            self.shared.inbox.session_ended();
        }
        Some(socket)
    }

    fn take_inbox(&mut self, now: Moment) {
        for command in self.shared.inbox.take() {
            match command {
                Command::Accepted { stream, listener, peer } => self.accepted(now, stream, listener, peer),
                Command::Refresh { snapshot, tls } => {
                    self.tls = tls;
                    self.engine.refresh(now, snapshot);
                }
                Command::Drain { deadline } => {
                    self.is_draining = true;
                    self.engine.begin_drain(now, deadline);
                }
                Command::AcceptingEnded => self.is_accepting = false,
                Command::List { from, most, answer } => {
                    let (sessions, next) = self.engine.list_sessions(now, from, most);
                    // Who asked may have stopped waiting.
                    let _ = answer.send(SessionPage { sessions, next });
                }
            }
        }
    }

    fn accepted(&mut self, now: Moment, stream: std::net::TcpStream, listener: ListenerId, peer: SocketAddr) {
        // The newcomer may get the place of a session that has just ended: that one's socket goes first.
        self.apply_actions(now);
        // One that came while a drain began is served what it had under way, and then asked to go like the others.
        let Some(key) = self.engine.accept(now, listener, peer) else {
            self.shared.inbox.session_ended();
            return;
        };
        let stream = TcpStream::from_std(stream);
        if let Some(timeouts) = self.engine.timeouts(key) {
            sockets::watch_peer(&stream, &timeouts);
        }
        if self.engine.tells_destinations()
            && let Ok(destination) = stream.local_addr()
        {
            self.engine.set_destination(key, destination);
        }
        let socket = Socket {
            transport: self.accepted_transport(listener),
            is_ready: true,
            awaits_proxy_header: self.engine.awaits_proxy_header(key),
            ..Socket::new(stream, true)
        };
        if self.sockets.add(self.poll.registry(), key, socket).is_err() {
            self.shared.inbox.session_ended();
            self.engine.peer_ended(now, key, PeerEnd::Reset);
            return;
        }
        // Most clients speak first, and what they said came with the connection.
        self.ready.push_back(key);
    }

    /// Applies actions and writes outputs until nothing is left to do, or the turn's bytes or time are used up: a peer
    /// that reads as fast as we write, and has much to come, is no reason to leave all others waiting.
    fn settle(&mut self, now: Moment) {
        let mut is_first = true;
        while self.engine.has_work() {
            self.apply_actions(now);
            let is_late = !std::mem::take(&mut is_first) && self.clock.now().since(now) > TURN_TIME;
            if is_late || self.written >= TURN_BYTES {
                return;
            }
            self.flush_dirty(now);
        }
    }

    /// Writes what each dirty connection has waiting, a share at a time. Those that the turn's bytes did not reach are the
    /// first of the next turn, before those that used them up.
    fn flush_dirty(&mut self, now: Moment) {
        let mut dirty = std::mem::take(&mut self.dirty);
        self.engine.take_dirty(&mut dirty);
        let mut done = 0;
        while done < dirty.len() && self.written < TURN_BYTES {
            let key = dirty[done];
            done += 1;
            if self.flush(now, key, TURN_BYTES.min(self.written + SHARE_BYTES)) {
                self.engine.put_off(key);
            }
        }
        dirty.drain(..done);
        if !dirty.is_empty() {
            self.engine.put_back_dirty(&mut dirty);
        }
        self.dirty = dirty;
    }

    fn apply_actions(&mut self, now: Moment) {
        let mut actions = std::mem::take(&mut self.actions);
        self.engine.take_actions(&mut actions);
        for action in actions.drain(..) {
            self.act(now, action);
        }
        self.actions = actions;
    }

    fn act(&mut self, now: Moment, action: Action) {
        match action {
            Action::Connect { conn, address, service } => self.connect(now, conn, address, service),
            Action::Close { conn, is_abort: true, .. } => {
                if let Some(socket) = self.forget(conn) {
                    // Then the socket closes with RST; one that is gone by now needs none.
                    let _ = socket2::SockRef::from(&socket.stream).set_linger(Some(Duration::ZERO));
                }
            }
            Action::Close { conn, is_polite, is_abort: false } => {
                if let Some(mut socket) = self.forget(conn)
                    && is_polite
                {
                    self.bid_farewell(&mut socket);
                    self.sockets.linger(self.poll.registry(), socket, now);
                }
            }
            Action::Resume { conn } => self.resume(conn),
            Action::EndOutput { conn } => self.end_output(now, conn),
            Action::Event(kind) => self.tell(now, kind),
        }
    }

    /// Reads a socket again that was left unread meanwhile.
    fn resume(&mut self, key: ConnKey) {
        let Some(socket) = self.sockets.get(key) else { return };
        if std::mem::take(&mut socket.is_paused) && !socket.is_ready {
            socket.is_ready = true;
            self.ready.push_back(key);
        }
    }

    fn tell(&self, now: Moment, kind: EventKind) {
        if self.events.try_send(Event { at: now, kind }).is_err() {
            self.shared.stats.events_dropped.add(1);
        }
    }

    fn connect(&mut self, now: Moment, key: ConnKey, address: SocketAddr, service: ServiceId) {
        let opened = TcpStream::connect(address).and_then(|stream| {
            let transport = self.connected_transport(key, service, address)?;
            let socket = Socket { transport, is_connecting: true, ..Socket::new(stream, false) };
            self.sockets.add(self.poll.registry(), key, socket)
        });
        if let Err(error) = opened {
            self.engine.connect_failed(now, key, failure(&error));
        }
    }

    fn finish_connect(&mut self, now: Moment, key: ConnKey) {
        let Some(socket) = self.sockets.get(key) else { return };
        let error = match socket.stream.take_error() {
            Ok(Some(error)) | Err(error) => Some(error),
            Ok(None) => match socket.stream.peer_addr() {
                Ok(_) => None,
                Err(e) if e.kind() == ErrorKind::NotConnected => return,
                Err(error) => Some(error),
            },
        };
        if let Some(error) = error {
            self.forget(key);
            self.engine.connect_failed(now, key, failure(&error));
            return;
        }
        socket.is_connecting = false;
        socket.is_ready = true;
        // Small frames must not wait for acknowledgements; a socket without the option still works.
        let _ = socket.stream.set_nodelay(true);
        if let Some(timeouts) = self.engine.timeouts(key) {
            sockets::watch_peer(&socket.stream, &timeouts);
        }
        let is_clear = matches!(socket.transport, Transport::Clear);
        self.ready.push_back(key);
        if is_clear {
            self.engine.connected(now, key);
        } else if !self.introduce(key) {
            self.forget(key);
            self.engine.connect_failed(now, key, ConnectFailure::Unreachable);
        } else {
            // The handshake's first record waits to be written; the connection stands when the handshake has ended.
            self.engine.securing(now, key);
            self.engine.put_off(key);
        }
    }

    /// Writes what a connection has waiting, as far as its socket takes it and until the turn has written `most` bytes;
    /// true if more waits then.
    fn flush(&mut self, now: Moment, key: ConnKey, most: usize) -> bool {
        loop {
            let Some(socket) = self.sockets.get(key).filter(|s| !s.is_write_failed) else { return false };
            if !matches!(socket.transport, Transport::Clear) {
                return self.flush_secured(now, key, most);
            }
            let output = self.engine.output(key);
            if output.is_empty() {
                return false;
            }
            let room = most.saturating_sub(self.written);
            if room == 0 {
                return true;
            }
            match socket.stream.write(&output[..output.len().min(room)]) {
                Ok(n) => {
                    self.written += n;
                    self.engine.wrote(now, key, n);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.engine.wrote(now, key, 0);
                    return false;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.write_failed(now, key);
                    return false;
                }
            }
        }
    }

    /// The peer takes nothing more. What it said before, such as the answer or the GOAWAY with which it went, is
    /// still to be read, and its end behind it.
    fn write_failed(&mut self, now: Moment, key: ConnKey) {
        let Some(socket) = self.sockets.get(key) else { return };
        socket.is_write_failed = true;
        socket.is_read_closed = true;
        if !socket.is_ready {
            socket.is_ready = true;
            self.ready.push_back(key);
        }
        self.engine.wrote(now, key, 0);
    }
}

fn failure(error: &std::io::Error) -> ConnectFailure {
    match error.kind() {
        ErrorKind::ConnectionRefused => ConnectFailure::Refused,
        _ if super::is_out_of_descriptors(error) => ConnectFailure::NoDescriptors,
        _ => ConnectFailure::Unreachable,
    }
}

mod bulk;
mod looks;
mod proxy_header;
mod secured;

#[cfg(test)]
mod tests;
