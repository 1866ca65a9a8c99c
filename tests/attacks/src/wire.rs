//! A client that writes bytes and gathers what comes back, for protocols without frames.

use crate::sent::Sent;
use anyhow::{Result, bail};
use evenkeel_interop::wait::DEADLINE;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A connection on which bytes go and come.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    sent: Arc<Sent>,
    heard: Vec<u8>,
    is_closed: bool,
}

impl Wire {
    /// One to this address; what it sends is counted in `sent`.
    ///
    /// # Errors
    /// If there is none.
    pub fn connect(address: &str, sent: Arc<Sent>) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(DEADLINE))?;
        sent.connected(1);
        Ok(Self { stream, sent, heard: Vec::new(), is_closed: false })
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes that hold so many messages or parts; false once the peer has closed.
    pub fn send(&mut self, bytes: &[u8], parts: u64) -> bool {
        self.sent.add(parts, bytes.len() as u64);
        let is_sent = self.stream.write_all(bytes).is_ok();
        self.is_closed |= !is_sent;
        is_sent
    }

    /// Ends our side.
    pub fn end(&self) {
        // A peer that has closed already has heard enough.
        let _gone = self.stream.shutdown(Shutdown::Write);
    }

    /// All that came so far.
    #[must_use]
    pub fn heard(&self) -> &[u8] {
        &self.heard
    }

    /// How often `what` came so far.
    #[must_use]
    pub fn count(&self, what: &str) -> usize {
        self.heard.windows(what.len()).filter(|window| *window == what.as_bytes()).count()
    }

    /// Whether the peer has ended its side.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Forgets what came.
    pub fn forget(&mut self) {
        self.heard.clear();
    }

    /// Hears for so long, at the most until something came; whether there may be more to come.
    pub fn listen(&mut self, most: Duration) -> bool {
        let most = most.max(Duration::from_millis(1));
        if self.is_closed || self.stream.set_read_timeout(Some(most)).is_err() {
            return false;
        }
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(n @ 1..) => self.heard.extend_from_slice(&chunk[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return true,
            Ok(0) | Err(_) => self.is_closed = true,
        }
        !self.is_closed
    }

    /// Hears until it is as asked or the peer closes.
    ///
    /// # Errors
    /// If neither happens in time.
    pub fn until(&mut self, what: &str, is: impl Fn(&Self) -> bool) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        while !is(self) && !self.is_closed {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("not within {DEADLINE:?}: {what}; came: {}", self.heard.escape_ascii());
            }
            self.listen(left);
        }
        Ok(())
    }

    /// Hears until the peer closes, and gives all that came.
    ///
    /// # Errors
    /// If it does not.
    pub fn until_closed(&mut self) -> Result<&[u8]> {
        self.until("the connection is closed", |_| false)?;
        Ok(&self.heard)
    }

    /// Hears until nothing comes for so long, or the peer closes.
    pub fn until_quiet(&mut self, quiet: Duration) {
        loop {
            let before = self.heard.len();
            if !self.listen(quiet) || self.heard.len() == before {
                return;
            }
        }
    }
}
