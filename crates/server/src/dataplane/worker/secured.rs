//! The worker's sockets that are not, or not yet known to be, cleartext: reading, writing, and the end of both.
//!
//! As the cleartext paths beside it: a socket is read once into the one buffer, and written at the flush. Records are
//! the transport's; what to do when they come to nothing is decided here.

use super::{READ_BYTES, Worker};
use crate::dataplane::sockets::Socket;
use crate::dataplane::transport::{
    Agreed, Alpn, FirstBytes, Heard, Spoken, Tls, TlsFailure, Transport, Wire,
};
use evenkeel_core::id::{ListenerId, ServiceId};
use evenkeel_core::reason::Limit;
use evenkeel_core::time::Moment;
use evenkeel_engine::{self as engine, ConnKey, ConnectFailure, Engine, PeerEnd, Secured};
use rustls::pki_types::ServerName;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

/// What an endpoint is said to have done that went before its handshake was over.
const LEFT_EARLY: &str = "the endpoint ended the connection in the middle of the handshake";

impl Worker {
    /// What a connection that was accepted on a listener goes through.
    pub(super) fn accepted_transport(&self, listener: ListenerId) -> Transport {
        let Some(tls) = self.tls.listeners.get(&listener) else { return Transport::Clear };
        let config = Arc::clone(&tls.config);
        if tls.is_optional {
            return Transport::Undecided(Box::new(FirstBytes { config, has_first: false }));
        }
        served(config)
    }

    /// What a connection to an endpoint goes through.
    ///
    /// # Errors
    /// A name that no certificate can have, or no entropy.
    pub(super) fn connected_transport(
        &self,
        key: ConnKey,
        service: ServiceId,
        address: SocketAddr,
    ) -> std::io::Result<Transport> {
        let Some(tls) = self.tls.services.get(&service) else { return Ok(Transport::Clear) };
        let name = tls.server_name.clone().unwrap_or_else(|| ServerName::from(address.ip()));
        let alpn = self.engine.may_agree_on(key).iter().map(|alpn| match alpn {
            engine::Alpn::H1 => Alpn::H1,
            engine::Alpn::H2 => Alpn::H2,
        });
        let tls =
            Tls::client(Arc::clone(&tls.config), name, alpn).map_err(|f| std::io::Error::other(f.code()))?;
        Ok(Transport::Tls(Box::new(tls)))
    }

    /// Reads a socket once and gives what its records hold to its session; how many bytes were read.
    pub(super) fn read_secured(&mut self, now: Moment, key: ConnKey) -> usize {
        let most = self.engine.limits().handshakes_per_turn as usize;
        let Some(socket) = self.sockets.get(key) else { return 0 };
        let waiting = match &socket.transport {
            Transport::Tls(tls) if !tls.is_open() && self.handshakes >= most => {
                // It stays ready, in another queue.
                self.put_by.push(key);
                self.shared.stats.refused(Limit::HandshakesPerTurn);
                return 0;
            }
            Transport::Tls(tls) => tls.tail(),
            Transport::Undecided(first) => first.waiting(),
            Transport::Clear => &[],
        };
        socket.is_ready = false;
        let kept = waiting.len();
        self.buffer[..kept].copy_from_slice(waiting);
        match socket.stream.read(&mut self.buffer[kept..]) {
            Ok(0) => self.ended_secured(now, key),
            Ok(n) => {
                // As for cleartext: a short read has emptied the socket.
                if kept + n == READ_BYTES || socket.is_read_closed {
                    socket.is_ready = true;
                    self.ready.push_back(key);
                }
                self.take_secured(now, key, kept + n);
                return n;
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock && !socket.is_write_failed => {}
            Err(e) if e.kind() == ErrorKind::Interrupted => {
                socket.is_ready = true;
                self.ready.push_back(key);
            }
            Err(_) => self.lost(now, key, PeerEnd::Reset),
        }
        0
    }

    /// Takes the first `len` bytes of the buffer, which came for a socket that is not known to be cleartext.
    fn take_secured(&mut self, now: Moment, key: ConnKey, len: usize) {
        let Some(socket) = self.sockets.get(key) else { return };
        if let Transport::Undecided(first) = &mut socket.transport {
            match Spoken::by(&self.buffer[..len]) {
                Spoken::Unknown => {
                    first.has_first = true;
                    return;
                }
                Spoken::Tls => {
                    socket.transport = served(Arc::clone(&first.config));
                    self.engine.securing(now, key);
                }
                Spoken::Clear => socket.transport = Transport::Clear,
            }
        }
        let Transport::Tls(tls) = &mut socket.transport else {
            self.engine.received(now, key, &self.buffer[..len]);
            return;
        };
        if tls.has_peer_closed() {
            // What comes behind its end is nothing (RFC 8446 §6.1).
            return;
        }
        let (was_open, is_client, engine) = (tls.is_open(), socket.is_client, &mut self.engine);
        let taken = tls.receive(&mut self.buffer[..len], |heard| match heard {
            Heard::Secured(agreed) => told_engine(engine, now, key, is_client, agreed),
            Heard::Plaintext(bytes) => engine.received(now, key, bytes),
        });
        if !was_open && (tls.has_pending() || tls.is_open()) {
            self.handshakes += 1;
        }
        let (has_pending, has_peer_closed) = (tls.has_pending(), tls.has_peer_closed());
        match taken {
            Err(failure) => self.failed(now, key, failure),
            Ok(()) if has_peer_closed => {
                self.flush(now, key, self.written + super::TURN_BYTES);
                if self.engine.outlives_input(key) {
                    self.input_ended(now, key);
                } else {
                    self.lost(now, key, PeerEnd::Closed);
                }
            }
            Ok(()) if has_pending => self.engine.put_off(key),
            Ok(()) => {}
        }
    }

    /// The socket's end has come, which under TLS should have been announced before.
    fn ended_secured(&mut self, now: Moment, key: ConnKey) {
        self.flush(now, key, self.written + super::TURN_BYTES);
        let Some(socket) = self.sockets.get(key) else { return };
        let is_write_failed = socket.is_write_failed;
        match &socket.transport {
            // It said so before, and may still read.
            Transport::Tls(tls) if tls.has_peer_closed() && !is_write_failed => {}
            Transport::Tls(tls) if tls.is_open() && !tls.has_peer_closed() => {
                self.failed(now, key, TlsFailure::Truncated);
            }
            Transport::Undecided(first) => {
                let first = first.waiting();
                self.engine.received(now, key, first);
                self.lost(now, key, PeerEnd::Closed);
            }
            _ => self.lost(now, key, PeerEnd::Closed),
        }
    }

    /// TLS ends a connection: the peer hears the alert if there is one, and the session that it was cut off.
    fn failed(&mut self, now: Moment, key: ConnKey, failure: TlsFailure) {
        if failure == TlsFailure::HandshakeTooLarge {
            self.shared.stats.refused(Limit::HandshakeBytes);
        }
        let Some(socket) = self.sockets.get(key) else { return };
        if let Transport::Tls(tls) = &socket.transport
            && tls.has_pending()
        {
            // A peer that does not take so little does not hear it.
            let _ = socket.stream.write(tls.waiting());
        }
        let was_open = socket.is_client || matches!(&socket.transport, Transport::Tls(tls) if tls.is_open());
        if let Some(socket) = self.forget(key) {
            self.sockets.linger(self.poll.registry(), socket, now);
        }
        if was_open {
            self.engine.peer_ended(now, key, end_of(failure));
        } else {
            self.engine.connect_failed(now, key, ConnectFailure::Handshake(failure.why()));
        }
    }

    /// The peer's side is gone. One that was connected to, and did not get as far as its session, could not be reached.
    fn lost(&mut self, now: Moment, key: ConnKey, end: PeerEnd) {
        let Some(mut socket) = self.forget(key) else { return };
        let is_open = socket.is_client || !matches!(&socket.transport, Transport::Tls(tls) if !tls.is_open());
        if end == PeerEnd::Closed {
            self.bid_farewell(&mut socket);
        }
        if is_open {
            self.engine.peer_ended(now, key, end);
        } else {
            self.engine.connect_failed(now, key, ConnectFailure::Handshake(LEFT_EARLY));
        }
    }

    /// Ends our side, after all that was to be said. Under TLS its `close_notify` comes before the socket's own
    /// end.
    pub(super) fn end_output(&mut self, now: Moment, key: ConnKey) {
        let Some(socket) = self.sockets.get(key).filter(|s| !s.is_write_failed) else { return };
        if let Transport::Tls(tls) = &mut socket.transport {
            tls.close(wire(&mut self.wire));
            self.flush(now, key, self.written + super::TURN_BYTES);
        } else {
            // A peer that is gone by now is found out by the next read.
            let _ = socket.stream.shutdown(Shutdown::Write);
        }
    }

    /// Says that our side ends, where TLS has a word for it. The session's output has left by then.
    pub(super) fn bid_farewell(&mut self, socket: &mut Socket) {
        if let Transport::Tls(tls) = &mut socket.transport
            && !socket.is_write_failed
        {
            let wire = wire(&mut self.wire);
            tls.close(wire);
            // A peer that does not take so little does not hear it.
            if let Ok(n) = socket.stream.write(tls.waiting()) {
                tls.wrote(n, wire);
            }
        }
    }

    /// Writes what a connection has waiting, as [`Worker::flush`] does.
    pub(super) fn flush_secured(&mut self, now: Moment, key: ConnKey, most: usize) -> bool {
        loop {
            let output = self.engine.output(key);
            let Some(socket) = self.sockets.get(key).filter(|s| !s.is_write_failed) else { return false };
            let tls = match &mut socket.transport {
                Transport::Tls(tls) => tls,
                Transport::Undecided(_) if output.is_empty() => return false,
                // The session speaks first, so what its peer speaks is for the session to say.
                Transport::Undecided(first) => {
                    let first = first.waiting();
                    socket.transport = Transport::Clear;
                    self.engine.received(now, key, first);
                    return self.flush(now, key, most);
                }
                Transport::Clear => return self.flush(now, key, most),
            };
            let fresh = output.get(tls.sealed()..).filter(|_| tls.is_open()).unwrap_or_default();
            if fresh.is_empty() && !tls.has_pending() {
                if tls.has_closed() {
                    // Some peers wait for the socket's end too.
                    let _ = socket.stream.shutdown(Shutdown::Write);
                }
                return false;
            }
            let room = most.saturating_sub(self.written);
            if room == 0 {
                return true;
            }
            let wire = wire(&mut self.wire);
            if let Err(failure) = tls.fill(&fresh[..fresh.len().min(room)], wire) {
                self.failed(now, key, failure);
                return false;
            }
            let (n, is_full, has_failed) = match socket.stream.write(tls.outgoing(wire)) {
                Ok(n) => (n, false, false),
                Err(e) if e.kind() == ErrorKind::WouldBlock => (0, true, false),
                Err(e) if e.kind() == ErrorKind::Interrupted => (0, false, false),
                Err(_) => (0, true, true),
            };
            self.written += n;
            let left = tls.wrote(n, wire);
            if has_failed {
                self.write_failed(now, key);
            } else if left > 0 || is_full && !self.engine.output(key).is_empty() {
                self.engine.wrote(now, key, left);
            }
            if is_full {
                return false;
            }
        }
    }
}

fn served(config: Arc<rustls::ServerConfig>) -> Transport {
    let tls =
        Tls::server(config).expect("it fails for a size of fragments only, and the control side sets none");
    Transport::Tls(Box::new(tls))
}

/// The session hears that its connection is secured.
fn told_engine(engine: &mut Engine, now: Moment, key: ConnKey, is_client: bool, agreed: Agreed) {
    let alpn = agreed.alpn.map(|alpn| match alpn {
        Alpn::H1 => engine::Alpn::H1,
        Alpn::H2 => engine::Alpn::H2,
    });
    let Agreed { version, server_name, client_identity, .. } = agreed;
    engine.secured(now, key, Secured { version, alpn, server_name, client_identity });
    if !is_client {
        engine.connected(now, key);
    }
}

/// How a failure looks to the session.
fn end_of(failure: TlsFailure) -> PeerEnd {
    match failure {
        TlsFailure::Truncated => PeerEnd::Truncated,
        failure => PeerEnd::TlsFailed(failure.why()),
    }
}

fn wire(wire: &mut Option<Box<Wire>>) -> &mut Wire {
    wire.get_or_insert_with(|| Box::new(Wire::new()))
}
