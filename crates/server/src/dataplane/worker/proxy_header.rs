//! The PROXY protocol at a socket: its header is taken off before anything else is read, and said to endpoints of TLS
//! before the handshake.

use super::Worker;
use evenkeel_core::time::Moment;
use evenkeel_engine::{ConnKey, LONGEST_PROXY_HEADER, PeerEnd};
use std::io::{ErrorKind, Read, Write};

impl Worker {
    /// Looks at what a socket holds, and takes no more of it than the header: what follows is the transport's.
    pub(super) fn read_proxy_header(&mut self, now: Moment, key: ConnKey) {
        let Some(socket) = self.sockets.get(key) else { return };
        socket.is_ready = false;
        match socket.stream.peek(&mut self.buffer[..LONGEST_PROXY_HEADER]) {
            Ok(0) => self.ended(now, key, PeerEnd::Closed),
            Ok(n) => match self.engine.proxy_header(now, key, &self.buffer[..n]) {
                Some(length) => self.took_proxy_header(now, key, length),
                // What is not whole at the end never will be.
                None if socket.is_read_closed && self.engine.awaits_proxy_header(key) => {
                    self.ended(now, key, PeerEnd::Closed);
                }
                None => {}
            },
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) if e.kind() == ErrorKind::Interrupted => self.is_ready_again(key),
            Err(_) => self.ended(now, key, PeerEnd::Reset),
        }
    }

    fn took_proxy_header(&mut self, now: Moment, key: ConnKey, length: usize) {
        let Some(socket) = self.sockets.get(key) else { return };
        socket.awaits_proxy_header = false;
        // It was seen there, so it comes whole.
        match socket.stream.read_exact(&mut self.buffer[..length]) {
            Ok(()) => self.is_ready_again(key),
            Err(_) => self.ended(now, key, PeerEnd::Reset),
        }
    }

    /// There may be more to read.
    fn is_ready_again(&mut self, key: ConnKey) {
        if let Some(socket) = self.sockets.get(key) {
            socket.is_ready = true;
            self.ready.push_back(key);
        }
    }

    /// Tells an endpoint of TLS whom its connection is for; false if it does not take so little.
    pub(super) fn introduce(&mut self, key: ConnKey) -> bool {
        let introduction = self.engine.introduction(key);
        let Some(socket) = self.sockets.get(key).filter(|_| !introduction.is_empty()) else { return true };
        socket.stream.write(&introduction).is_ok_and(|n| n == introduction.len())
    }
}
