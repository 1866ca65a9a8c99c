//! A hostile client: one connection, whatever frames the script wants on it, and what comes back.

use crate::block::Block;
use crate::frame::{self, PREFACE, flag, kind};
use crate::heard::{Ear, Heard};
use crate::sent::Sent;
use anyhow::Result;
use evenkeel_interop::wait::DEADLINE;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

/// A path of which the requests go to an endpoint of their own ([`crate::hostile::Hostile::calm`]), so that an attack meets Evenkeel and
/// not the bystander's servers. Scripts that look at the way through a shared upstream call [`crate::bystander::PATH`].
pub const PATH: &str = "/attacked/Call";

/// What is written at once.
const AT_ONCE: usize = 16 * 1024;

/// A connection. Frames are gathered and written when there are enough of them, and by [`Attacker::flush`].
#[derive(Debug)]
pub struct Attacker {
    stream: TcpStream,
    out: Vec<u8>,
    sent: Arc<Sent>,
    ear: Ear,
    is_lost: bool,
    next: u32,
}

impl Attacker {
    /// A connection that has said nothing yet, and reads nothing.
    ///
    /// # Errors
    /// If there is none.
    pub fn connect(address: &str, sent: Arc<Sent>) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(DEADLINE))?;
        sent.connected(1);
        Ok(Self { stream, out: Vec::new(), sent, ear: Ear::default(), is_lost: false, next: 1 })
    }

    /// Hears from now on what comes.
    ///
    /// # Errors
    /// If there is no descriptor for it.
    pub fn listen(&mut self) -> Result<()> {
        self.ear = Ear::to(self.stream.try_clone()?);
        Ok(())
    }

    /// What it hears.
    #[must_use]
    pub fn ear(&self) -> &Ear {
        &self.ear
    }

    /// The socket, for scripts that read it in their own way.
    #[must_use]
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Says hello with these settings.
    pub fn greet(&mut self, settings: &[(u16, u32)]) {
        self.raw(PREFACE);
        self.frame(kind::SETTINGS, flag::NONE, 0, &frame::settings(settings));
        self.flush();
    }

    /// Sends a frame; false once the connection is lost.
    pub fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.sent.add(1, 0);
        frame::put(&mut self.out, kind, flags, stream, payload);
        if self.out.len() >= AT_ONCE {
            self.flush();
        }
        self.is_alive()
    }

    /// Sends any bytes, soon.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Sends what was gathered; false once the connection is lost.
    pub fn flush(&mut self) -> bool {
        self.sent.add(0, self.out.len() as u64);
        if !self.is_lost && self.stream.write_all(&self.out).is_err() {
            self.is_lost = true;
        }
        self.out.clear();
        self.is_alive()
    }

    /// Whether nobody closed it, as far as is known.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.is_lost && !self.ear.ask(|heard| heard.is_closed)
    }

    /// An odd stream id that was not used yet.
    pub fn next_stream(&mut self) -> u32 {
        let stream = self.next;
        self.next += 2;
        stream
    }

    /// Sends HEADERS that are whole; says on which stream.
    pub fn open(&mut self, block: &Block, flags: u8) -> u32 {
        let stream = self.next_stream();
        self.frame(kind::HEADERS, flags | flag::END_HEADERS, stream, block.bytes());
        stream
    }

    /// A gRPC call, whose request does not end yet.
    pub fn open_call(&mut self) -> u32 {
        self.open(&Block::request(PATH), flag::NONE)
    }

    /// A gRPC call with an empty message.
    pub fn call(&mut self) -> u32 {
        let stream = self.open_call();
        self.frame(kind::DATA, flag::END_STREAM, stream, &[0; 5]);
        stream
    }

    /// RST_STREAM.
    pub fn reset(&mut self, stream: u32, code: u32) -> bool {
        self.frame(kind::RST_STREAM, flag::NONE, stream, &code.to_be_bytes())
    }

    /// WINDOW_UPDATE.
    pub fn window_update(&mut self, stream: u32, increment: u32) -> bool {
        self.frame(kind::WINDOW_UPDATE, flag::NONE, stream, &increment.to_be_bytes())
    }

    /// Waits until Evenkeel has closed the connection, and gives all that came until then.
    ///
    /// # Errors
    /// If it does not.
    pub fn until_closed(&mut self) -> Result<Heard> {
        self.flush();
        self.ear.until("the connection is closed", |heard| heard.is_closed)
    }

    /// Waits until a PING that is sent now is answered or the connection is closed: then all before it was dealt with.
    ///
    /// # Errors
    /// If neither happens.
    pub fn settle(&mut self) -> Result<Heard> {
        let before = self.ear.ask(|heard| heard.count(kind::PING));
        self.frame(kind::PING, flag::NONE, 0, b"settled?");
        self.flush();
        self.ear.until("a PING is answered", |heard| heard.is_closed || heard.count(kind::PING) > before)
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        // Ends the thread that listens, too.
        let _gone = self.stream.shutdown(Shutdown::Both);
    }
}
